#!/usr/bin/env bash
# Builds both images from the Dockerfile and runs everything in them, as strictly as platforms would.
# CONTAINER_TOOL names a script with the verbs setup, build, run and podman, and for Apptainer apptainer-setup, sif and
# apptainer-run, which see what is below CONTAINERS_DIR; without it the step is skipped and says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=${CONTAINER_TOOL:-../shared/tools/containers.sh}
python=${PYTHON:-.venv/bin/python}
scripts=$(dirname "$python")

"$scripts/hadolint" Dockerfile
if [ ! -f "$tool" ] || [ "$(id -u)" != 0 ]; then
  echo "container: skipped, $tool is not here or this is not root; only hadolint was run"
  exit 0
fi
export CONTAINERS_DIR=${CONTAINERS_DIR:-/var/tmp/containers}
mkdir -p "$CONTAINERS_DIR"
work=$(mktemp -d "$CONTAINERS_DIR/bids_deepseg-container.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 777 "$work"
data=$work/data
reference=$work/default

say() { echo "container: $*"; }
same() { "$python" tests/container/same.py "$reference" "$@"; }
smaller() { # NAME BYTES BYTES_AT_MOST
  say "$1 has $(($2 / 1000000)) MB"
  [ "$2" -le "$3" ] || { say "that is more than $(($3 / 1000000)) MB"; exit 1; }
}
size_of() { bash "$tool" podman image inspect --format '{{.Size}}' "$1"; }
# Networks are off, the root file system is read-only, and the data set too once it is written.
run() { bash "$tool" run --rm --network none --read-only "$@"; }
as_user=(--user 1234:1234 --cap-drop ALL --security-opt no-new-privileges)
# One participant's thinnest image, for all the ways in which a container may be started.
one=(participant --participant-label 01 --suffix T2starw --skip-bids-validation)
image=bids_deepseg:test
start() { # NAME WORDS: writes to a folder NAME that anybody may write to
  mkdir -m 777 "$work/$1"
  run -v "$data:/bids_dataset:ro" -v "$work/$1:/outputs" "${@:2}" "$image" /bids_dataset /outputs "${one[@]}" > "$work/$1.txt" 2>&1 ||
    { cat "$work/$1.txt"; return 1; }
  same "$work/$1"
}

bash "$tool" setup
# The package index of the build machine, where the machine names one of its own.
bash "$tool" build . "$image"
smaller "$image" "$(size_of "$image")" 1200000000
run "${as_user[@]}" "$image" --version | grep -x "bids_deepseg $(cat version)"
run "${as_user[@]}" --entrypoint cat "$image" /usr/share/bids_deepseg/sbom.cdx.json > "$work/sbom.json"
"$python" -m json.tool "$work/sbom.json" /dev/null
# That nothing it needs was left out of it.
bash tests/container/everything.sh "$work" -- \
  bash "$tool" run --rm --network none --read-only --tmpfs /tmp "${as_user[@]}" -v "$work:$work" \
  --entrypoint /usr/bin/env "$image"
"$scripts/bids-validator-deno" "$reference"
say "built; everything works without network, without root, read-only; the output is valid"

started=()
start nowhere --user 54321:12345 & started+=($!)                              # no /tmp, no name for the user
start least "${as_user[@]}" --user 12345:54321 & started+=($!)
start homeless "${as_user[@]}" --tmpfs /tmp -e HOME=/nonexistent -e TMPDIR= & started+=($!)
for each in "${started[@]}"; do wait "$each"; done
if run --memory 3g --cpus 1 --entrypoint /bin/true "$image" 2> "$work/limits.txt"; then
  start limited "${as_user[@]}" --tmpfs /tmp --memory 3g --cpus 1
else
  say "skipped, this machine cannot limit memory and processors: $(tail -1 "$work/limits.txt")"
fi
# As Docker makes a folder that is missing: it belongs to root.
mkdir -m 755 "$work/missing"
code=0
run "${as_user[@]}" --tmpfs /tmp -v "$data:/bids_dataset:ro" -v "$work/missing:/outputs" "$image" /bids_dataset /outputs \
  "${one[@]}" > "$work/missing.txt" 2>&1 || code=$?
if [ "$code" != 73 ] || ! grep -q -- '-u ' "$work/missing.txt"; then
  cat "$work/missing.txt"
  say "code $code, not 73"
  exit 1
fi
say "the same masks read-only without /tmp, as unknown users, without a home, with little memory; code 73 where it must be"

# Twenty at the same time, on one folder: five participants, each four times over. The same tree as after one run.
mkdir -p "$work/many" && mkdir -m 777 "$work/crowd" "$work/alone"
cp "$data/dataset_description.json" "$data/README.md" "$work/many"
for number in 01 02 03 04 05; do
  mkdir -p "$work/many/sub-$number/anat"
  for ending in nii.gz json; do
    cp "$data/sub-01/anat/sub-01_T2starw.$ending" "$work/many/sub-$number/anat/sub-${number}_T2starw.$ending"
  done
done
segment() { # FOLDER WORDS
  run "${as_user[@]}" --tmpfs /tmp -v "$work/many:/bids_dataset:ro" -v "$work/$1:/outputs" "$image" /bids_dataset \
    /outputs participant --skip-bids-validation "${@:2}"
}
tree() { (cd "$work/$1" && find . -path ./logs -prune -o -type f -print0 | sort -z | xargs -0 sha256sum); }
crowd=()
for each in $(seq 20); do
  segment crowd --participant-label "0$((each % 5 + 1))" --n-cpus 1 > "$work/crowd-$each.txt" 2>&1 &
  crowd+=("$each:$!")
done
for each in "${crowd[@]}"; do
  wait "${each#*:}" || { cat "$work/crowd-${each%:*}.txt"; say "number ${each%:*} of 20 failed"; exit 1; }
done
segment alone > "$work/alone.txt" 2>&1 || { cat "$work/alone.txt"; exit 1; }
diff <(tree alone) <(tree crowd)
for number in 01 02 03 04 05; do
  cmp "$reference/sub-01/anat/sub-01_space-orig_label-SC_desc-T2starw_mask.nii.gz" \
    "$work/crowd/sub-$number/anat/sub-${number}_space-orig_label-SC_desc-T2starw_mask.nii.gz"
done
"$scripts/bids-validator-deno" "$work/crowd" > /dev/null
say "twenty containers at the same time on one folder, four for each participant: every file as after one run, a valid output"

# The image with the other backend.
image=bids_deepseg:slim
bash "$tool" build . "$image" --target slim
smaller "$image" "$(size_of "$image")" 700000000
mkdir -m 777 "$work/slim"
run "${as_user[@]}" --tmpfs /tmp -v "$data:/bids_dataset:ro" -v "$work/slim:/outputs" "$image" /bids_dataset /outputs \
  participant group > "$work/slim.txt" 2>&1 || { cat "$work/slim.txt"; exit 1; }
same "$work/slim" --within-tolerance
say "built slim; its masks are those of the other image within the tolerance"
image=bids_deepseg:test

# The same through Apptainer, from the definition that is shipped: an ordinary user, no network, a clean environment.
if ! bash "$tool" apptainer-setup; then
  say "skipped, there is no Apptainer here; the definition Singularity was not built"
  exit 0
fi
sif() { bash "$tool" apptainer-run "$@"; }
segment_sif() { # FILE FOLDER
  mkdir -m 777 "$work/$2"
  sif --no-home -B "$data:/bids_dataset:ro" -B "$work/$2:/outputs" "$1" /bids_dataset /outputs participant
}
file=$work/bids_deepseg.sif
bash "$tool" sif bids_deepseg:slim "$file" Singularity
smaller "the .sif of slim" "$(stat -c %s "$file")" 300000000
segment_sif "$file" slim-sif
same "$work/slim-sif" --within-tolerance
rm "$file"
bash "$tool" sif "$image" "$file" Singularity
smaller "the .sif" "$(stat -c %s "$file")" 500000000
sif "$file" --version | grep -x "bids_deepseg $(cat version)"
segment_sif "$file" sif
same "$work/sif"
"$scripts/bids-validator-deno" "$work/sif"
say "built a .sif of each image from the definition; outputs valid and the same"
