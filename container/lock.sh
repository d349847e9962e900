#!/bin/sh
# Write the lock file of the slim image again, with the versions of requirements.lock where both name a part.
set -eu
cd "$(dirname "$0")/.."
versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
grep -E '^[a-z]' requirements.lock | sed 's/ *\\$//' > "$versions"
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra validate \
    --overrides container/slim.overrides -c "$versions" --custom-compile-command container/lock.sh \
    pyproject.toml container/slim.in -o requirements-slim.lock
sed -i "s|$versions|requirements.lock|" requirements-slim.lock
