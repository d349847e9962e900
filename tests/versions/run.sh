#!/usr/bin/env bash
# The tests with other versions than those of the lock file: with the lowest that pyproject.toml allows, or with the
# newest that can be had, and any Python from 3.11 on.
#   run.sh {lowest,newest} [PYTHON] [words for pytest]     e.g. run.sh lowest python3.11 -m "not slow"
# Needs uv (pip install uv) and a package index.
set -euo pipefail
cd "$(dirname "$0")/../.."
kind=$1 python=$(command -v "${2:-python3}")
shift $(($# < 2 ? $# : 2))
version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
folder=.venv/versions/$kind-$version
case $kind in
  lowest) resolution=lowest-direct ;;
  newest) resolution=highest ;;
  *) echo "run.sh {lowest,newest} [PYTHON] [words for pytest]"; exit 64 ;;
esac
uv venv --quiet --clear --python "$python" "$folder"
# docopt, which pybids asks for in the end, has no wheel, and is old enough for some builders to fail.
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder/wheels" docopt
words=(--only-binary :all: --find-links "$folder/wheels")
uv pip compile --quiet --python-version "$version" --resolution "$resolution" --extra validate --extra cluster "${words[@]}" \
  pyproject.toml -o "$folder/versions.txt"
export VIRTUAL_ENV=$PWD/$folder
uv pip install --quiet "${words[@]}" -r "$folder/versions.txt"
# What the tests need beside them, as it is locked. It moves none of the versions above.
grep -E '^(axe-playwright-python|bids2table|boutiques|distributed|hypothesis|matplotlib|playwright|pyte|pytest)==' requirements-dev.lock | sed 's/ *\\$//' > "$folder/tests.txt"
uv pip install --quiet "${words[@]}" -r "$folder/tests.txt" -c <(grep -E '^[a-z]' "$folder/versions.txt")
uv pip install --quiet --no-deps --editable .
echo "versions: $kind, Python $version: $(grep -E '^(keras|nibabel|numpy|pybids|scipy|tensorflow(-cpu)?)==' "$folder/versions.txt" | tr '\n' ' ')"
"$folder/bin/python" -m pytest -p no:cacheprovider "$@"
