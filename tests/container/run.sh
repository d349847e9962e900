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
smaller() { # TAG BYTES
  local size
  size=$(bash "$tool" podman image inspect --format '{{.Size}}' "$1")
  say "$1 has $((size / 1000000)) MB"
  [ "$size" -le "$2" ] || { say "that is more than $(($2 / 1000000)) MB"; exit 1; }
}
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
smaller "$image" 1200000000
run "${as_user[@]}" "$image" --version | grep -x "bids_deepseg $(cat version)"
run "${as_user[@]}" --entrypoint cat "$image" /usr/share/bids_deepseg/sbom.cdx.json > "$work/sbom.json"
"$python" -m json.tool "$work/sbom.json" /dev/null
# That nothing it needs was left out of it.
bash tests/container/everything.sh "$work" -- \
  bash "$tool" run --rm --network none --read-only --tmpfs /tmp "${as_user[@]}" -v "$work:$work" "$image"
"$scripts/bids-validator-deno" "$reference"
say "built; everything works without network, without root, read-only; the output is valid"

start nowhere --user 54321:12345                                              # no /tmp, no name for the user
start least "${as_user[@]}" --user 12345:54321
start homeless "${as_user[@]}" --tmpfs /tmp -e HOME=/nonexistent -e TMPDIR=
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
[ "$code" = 73 ] && grep -q -- '-u ' "$work/missing.txt" || { cat "$work/missing.txt"; say "code $code, not 73"; exit 1; }
say "the same masks read-only without /tmp, as unknown users, without a home, with little memory; code 73 where it must be"

# Twenty at the same time, on one folder, each with a participant of its own.
mkdir -p "$work/many" && mkdir -m 777 "$work/crowd"
cp "$data/dataset_description.json" "$data/README.md" "$work/many"
for number in $(seq -w 20); do
  mkdir -p "$work/many/sub-$number/anat"
  for ending in nii.gz json; do
    cp "$data/sub-01/anat/sub-01_T2starw.$ending" "$work/many/sub-$number/anat/sub-${number}_T2starw.$ending"
  done
done
crowd=()
for number in $(seq -w 20); do
  run "${as_user[@]}" --tmpfs /tmp -v "$work/many:/bids_dataset:ro" -v "$work/crowd:/outputs" "$image" /bids_dataset \
    /outputs participant --participant-label "$number" --skip-bids-validation --n-cpus 1 > "$work/crowd-$number.txt" 2>&1 &
  crowd+=("$number:$!")
done
for each in "${crowd[@]}"; do
  wait "${each#*:}" || { cat "$work/crowd-${each%:*}.txt"; say "number ${each%:*} of 20 failed"; exit 1; }
done
for number in $(seq -w 20); do
  cmp "$reference/sub-01/anat/sub-01_space-orig_label-SC_desc-T2starw_mask.nii.gz" \
    "$work/crowd/sub-$number/anat/sub-${number}_space-orig_label-SC_desc-T2starw_mask.nii.gz"
done
"$scripts/bids-validator-deno" "$work/crowd" > /dev/null
say "twenty containers at the same time on one folder: the same masks, a valid output"

# The image with the other backend.
image=bids_deepseg:slim
bash "$tool" build . "$image" --target slim
smaller "$image" 700000000
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
bash "$tool" sif "$image" "$work/bids_deepseg.sif" Singularity
sif() { bash "$tool" apptainer-run "$@"; }
sif "$work/bids_deepseg.sif" --version | grep -x "bids_deepseg $(cat version)"
mkdir -m 777 "$work/sif"
sif --no-home -B "$data:/bids_dataset:ro" -B "$work/sif:/outputs" "$work/bids_deepseg.sif" /bids_dataset /outputs participant
same "$work/sif"
"$scripts/bids-validator-deno" "$work/sif"
say "built a .sif of $(($(stat -c %s "$work/bids_deepseg.sif") / 1000000)) MB from the definition; output valid and the same"
