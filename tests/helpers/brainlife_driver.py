"""Run the program of brainlife with a fake engine in a process of its own."""

import sys

from bids_deepseg.cli.brainlife import main
from tests.helpers.fake_engine import FakeEngine

if __name__ == "__main__":
    sys.exit(main(engine=FakeEngine()))
