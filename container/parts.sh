#!/bin/sh
# The rest of both environments, once the versions of the lock file are in /opt/bids_deepseg.
set -eu
/opt/bids_deepseg/bin/pip install --no-deps .
/opt/bids_deepseg/bin/pip uninstall --yes pip
python3 container/lean.py /opt/bids_deepseg/lib/python3.*/site-packages
# No scripts but those that a user or the app calls.
cd /opt/bids_deepseg/bin
for program in *; do
    case $program in
        python* | bids_deepseg* | bids-validator-deno | deno) ;;
        *) rm "$program" ;;
    esac
done
chmod -R a+rX /opt/bids_deepseg
