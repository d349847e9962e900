#!/usr/bin/env python3
"""Entry point of the container and of a source checkout."""

import sys

from bids_deepseg.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
