"""Find the version of the package, which is written in the file ``version`` only."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _read_version() -> str:
    """Read ``version`` beside the package in a source tree, else the installed metadata."""
    source = Path(__file__).resolve().parent.parent / "version"
    if source.is_file():
        return source.read_text(encoding="utf-8").strip()
    try:
        return version("bids_deepseg")
    except PackageNotFoundError:
        return "0+unknown"


__version__ = _read_version()
