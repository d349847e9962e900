#!/usr/bin/env bash
# Builds the image from the Dockerfile and segments the example in it, as strictly as a platform would run it.
# CONTAINER_TOOL names a script with the verbs setup, build and run, and for Apptainer apptainer-setup, sif and
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
shared=$work/apptainer
trap 'rm -rf "$work"' EXIT
mkdir "$shared"
mkdir "$work/out" && chmod 755 "$work" && chmod 777 "$work/out"
bash "$tool" setup
# The package index of the build machine, where the machine names one of its own.
bash "$tool" build . bids_deepseg:test

strict=(--rm --network none --read-only --tmpfs /tmp --user 1234:1234 --cap-drop ALL --security-opt no-new-privileges)
run() { bash "$tool" run "${strict[@]}" "$@"; }
run bids_deepseg:test --version | grep -x "bids_deepseg $(cat version)"
run -v "$work/out:/outputs" bids_deepseg:test example /outputs/data
run -v "$work/out/data:/bids_dataset:ro" -v "$work/out:/outputs" bids_deepseg:test /bids_dataset /outputs/result participant
# Nothing but the output folder is there to be written: no /tmp either.
run() { bash "$tool" run --rm --network none --read-only --user 54321:12345 "$@"; }
mkdir "$work/out/strict" && chmod 777 "$work/out/strict"
run -v "$work/out/data:/bids_dataset:ro" -v "$work/out/strict:/outputs" bids_deepseg:test /bids_dataset /outputs participant
(cd "$work/out" && diff -r -x logs -x dataset_description.json result strict)
"$scripts/bids-validator-deno" "$work/out/result"
echo "container: built, segmented the example without network, without root, read-only; output valid and the same twice"

# The same through Apptainer, from the definition that is shipped: an ordinary user, no network, a clean environment.
if ! bash "$tool" apptainer-setup; then
  echo "container: skipped, there is no Apptainer here; the definition Singularity was not built"
  exit 0
fi
bash "$tool" sif bids_deepseg:test "$shared/bids_deepseg.sif" Singularity
mkdir "$shared/out" && chmod 777 "$shared/out"
sif() { bash "$tool" apptainer-run "$@"; }
sif "$shared/bids_deepseg.sif" --version | grep -x "bids_deepseg $(cat version)"
sif -B "$work/out/data:/bids_dataset:ro" -B "$shared/out:/outputs" "$shared/bids_deepseg.sif" /bids_dataset /outputs participant
(cd "$work/out" && diff -r -x logs -x dataset_description.json result "$shared/out")
"$scripts/bids-validator-deno" "$shared/out"
echo "container: built a .sif from the definition, segmented the example in it; output valid and the same"
