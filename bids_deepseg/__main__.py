"""Run the app with ``python -m bids_deepseg``."""

from bids_deepseg.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
