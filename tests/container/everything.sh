#!/usr/bin/env bash
# Everything that the app can do, on the example: run in the image, it shows that nothing a run needs was left out of
# it; traced (strace), it shows what a run opens (docs/containers.md).
#   everything.sh WORK [WEIGHTS] -- WORDS...
# WORDS, such as env, start a program by its name and see WORK and WEIGHTS (a folder of published networks) under these
# very paths. Some steps are meant to end with a code that is not 0; each is compared with the code that is expected.
set -euo pipefail
here=$(dirname "$0")
work=$(realpath "$1") && shift
weights=
[ "$1" = -- ] || { weights=$(realpath "$1") && shift; }
shift
data=$work/data
image=$data/sub-01/anat/sub-01_T2w.nii.gz

program() { # CODE PROGRAM WORDS: it ends with CODE
  local expected=$1 code=0
  shift
  "${start[@]}" "$@" > "$work/step.txt" 2>&1 || code=$?
  [ "$code" = "$expected" ] || { cat "$work/step.txt"; echo "everything: code $code, not $expected: $*"; exit 1; }
}
step() { program "$1" bids_deepseg "${@:2}"; } # CODE WORDS: the app ends with CODE
on() { # NAME WORDS: a run on one image, with the validator off
  local name=$1
  shift
  step 0 "$data" "$work/$name" participant --participant-label 01 --suffix T2w --skip-bids-validation "$@"
}
start=("$@")

step 0 --help
step 0 --version
step 0 example "$data"
step 0 "$data" "$work/plan" participant --dry-run --log-format json
# Both levels, with the validator, the index of pybids, linked pages and several workers.
step 0 "$data" "$work/default" participant group --n-cpus 2 --bids-database-dir "$work/index"
step 0 "$data" "$work/default" participant group --reports-only --report-format linked
step 0 "$data" "$work/default" participant --boilerplate-only
on grey --task gm --device auto --output-layout strict --log-format json
on stacks --kernel 3d --rescue off
on tube --method propseg
on hough --method propseg --propseg-init hough
on gradients --centerline svm --low-mem --debug
on soft --threshold soft --volume mean --border network
line=$work/default/sub-01/anat/sub-01_space-orig_label-SCcenterline_desc-T2w_mask.nii.gz
step 0 segment "$image" --output "$work/one" --centerline file --centerline-file "$line"
step 64 viewer "$image" --output "$work/viewer.html"
step 0 weights list
cp "$here/review.py" "$work"
program 0 python3 "$work/review.py" "$work/soft" "$data" "$work/corrections"
mkdir -m 777 "$work/brainlife"
echo "{\"t2\": \"$image\"}" > "$work/brainlife/config.json"
program 0 sh -c "cd '$work/brainlife' && exec bids_deepseg-brainlife config.json"
step 64 "$data" "$work/wrong" participant --no-such-option
[ -z "$weights" ] || {
  step 0 weights check "$weights"
  on grey-published --task gm --weights-dir "$weights" --weights sct
  # Made for thick axial slices; the phantom is none.
  step 65 "$data" "$work/lesion" participant --participant-label 01 --suffix T2w --skip-bids-validation --task lesion --weights-dir "$weights"
  step 78 "$data" "$work/reference" participant --skip-bids-validation --profile sct --weights-dir "$weights"
}
echo "everything: all steps ended as they should"
