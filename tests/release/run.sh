#!/usr/bin/env bash
# What a release needs: wheel and source archive with the same bytes wherever they are built, valid metadata, the right
# contents, and an installed wheel that segments the example away from the checkout.
#   run.sh [FOLDER]: leaves wheel, source archive and SHA256SUMS in FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(realpath -s "$python")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}

# Two copies that differ in all that must not matter: place, times, modes, time zone, language.
copy() { mkdir -p "$1" && git ls-files -z | xargs -0 cp --parents -t "$1"; }
copy "$work/one"
copy "$work/a longer/way to the other"
find "$work/a longer" -exec touch -d 2001-02-03 {} + -exec chmod g+w,o-r {} +
(cd / && TZ=UTC umask 022 && "$python" "$root/tests/release/build.py" "$work/one" "$work/dist" > "$work/log" 2>&1) || { cat "$work/log"; exit 1; }
(cd / && umask 077 && TZ=Pacific/Apia LC_ALL=C PYTHONHASHSEED=7 "$python" "$root/tests/release/build.py" \
  "$work/a longer/way to the other" "$work/again" > "$work/log" 2>&1) || { cat "$work/log"; exit 1; }
(cd "$work/dist" && sha256sum -- * > ../SHA256SUMS)
(cd "$work/again" && sha256sum --check --quiet ../SHA256SUMS)
# The source archive is all that the wheel is made of.
mkdir "$work/unpacked" && tar -xzf "$work"/dist/*.tar.gz -C "$work/unpacked" --strip-components 1
(cd / && "$python" "$root/tests/release/build.py" "$work/unpacked" "$work/third" > "$work/log" 2>&1) || { cat "$work/log"; exit 1; }
cmp "$work"/dist/*.whl "$work"/third/*.whl
echo "release: two builds of wheel and source archive have the same bytes"

"$python" tests/release/contents.py "$work"/dist/*.whl "$root"
tools=.venv/release
[ -x "$tools/bin/twine" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q --require-hashes --no-deps -r tests/release/tools.lock; }
"$tools/bin/twine" check --strict "$work"/dist/*

# The wheel, without the checkout: it is before the installed package on the way, and nothing of it is written back.
"$python" -m pip install -q --no-deps --no-index --disable-pip-version-check --target "$work/site" "$work"/dist/*.whl
cd "$work"
export PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1
"$python" -c "import bids_deepseg; assert bids_deepseg.__file__.startswith('$work/site'), bids_deepseg.__file__"
"$python" -m bids_deepseg example data > /dev/null
"$python" -m bids_deepseg data out participant --participant-label 01 --suffix T2starw --skip-bids-validation > log 2>&1 || { cat log; exit 1; }
test -s out/sub-01/anat/sub-01_space-orig_label-SC_desc-T2starw_mask.nii.gz
echo "release: the installed wheel segmented the example away from the checkout"
[ $# = 0 ] || { mkdir -p "$root/$1" && cp dist/* SHA256SUMS "$root/$1"; }
