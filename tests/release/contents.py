"""Check what is in a wheel: ``python contents.py WHEEL SOURCE``.

All modules and data of the package, its licence, and nothing else: no tests, no images, no published weights.
"""

import sys
import zipfile
from pathlib import Path

#: Ends of the names of what no wheel may contain, whatever is in the checkout: images, published weights, bytecode.
_FORBIDDEN = (".nii", ".gz", ".hdf5", "_ctr.h5", "_sc.h5", "_lesion.h5", ".pyc", ".zip")


def main(wheel: Path, source: Path) -> int:
    """Return 1 and name the files, if some are missing or should not be there."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in packed if name.split("/")[0].endswith(".dist-info")}
    paths = [
        path for path in (source / "bids_deepseg").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    expected = {path.relative_to(source).as_posix() for path in paths}
    problems = [f"missing: {name}" for name in sorted(expected - packed)]
    problems += [f"should not be there: {name}" for name in sorted(packed - metadata - expected)]
    problems += [f"must not be passed on: {name}" for name in sorted(packed) if name.endswith(_FORBIDDEN)]
    if not any(name.endswith("/licenses/LICENSE") for name in metadata):
        problems.append("missing: the licence")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
