#!/usr/bin/env bash
# Ask the database of known vulnerabilities about every version of the lock files. Needs an internet connection; not
# part of .ci/run, whose result must not depend on the news of the day. Codes: see audit.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=.venv/release
[ -x "$tools/bin/pip-audit" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q --require-hashes --no-deps -r tests/release/tools.lock; }
exec "$tools/bin/python" tests/release/audit.py "$tools/bin/pip-audit" \
  requirements.lock requirements-slim.lock requirements-dev.lock tests/release/tools.lock
