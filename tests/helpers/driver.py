"""Run the command line with a fake engine in a process of its own.

``python -m tests.helpers.driver '{"uid": 12345, "engine": {...}}' bids_dir output_dir participant ...``
"""

import json
import os
import sys
from pathlib import Path

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine


def main():
    settings = json.loads(sys.argv[1])
    engine = settings.get("engine", {})
    if "trace" in engine:
        engine["trace"] = Path(engine["trace"])
    if "uid" in settings:
        os.setgroups([])
        os.setgid(settings["uid"])
        os.setuid(settings["uid"])
    return cli.main(sys.argv[2:], engine=FakeEngine(**engine))


if __name__ == "__main__":
    sys.exit(main())
