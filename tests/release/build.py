"""Build wheel and source archive with the same bytes on every machine: ``python build.py SOURCE FOLDER``.

Times come from SOURCE_DATE_EPOCH (seconds since 1970), as reproducible-builds.org defines it; owners and modes that
depend on the machine are left out. setuptools does so for wheels, except for their modes, and not for source archives.
"""

import gzip
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

from setuptools import build_meta


def main(source: Path, folder: Path) -> None:
    """Build both into a folder."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    os.chdir(source)
    rewrite_wheel(folder / build_meta.build_wheel(str(folder)))
    rewrite_archive(folder / build_meta.build_sdist(str(folder)), epoch)


def rewrite_wheel(path: Path) -> None:
    """Give all files of a wheel the mode that pip gives them anyway."""
    with zipfile.ZipFile(path) as wheel:
        files = [(info, wheel.read(info)) for info in wheel.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for info, content in files:
            info.external_attr = 0o100644 << 16
            wheel.writestr(info, content)


def rewrite_archive(path: Path, epoch: int) -> None:
    """Sort the files of an archive, and give them one time and no owner."""
    with tarfile.open(path) as archive:
        files = [(info, archive.extractfile(info)) for info in archive.getmembers()]
        files = [(info, content.read() if content else None) for info, content in files]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in sorted(files, key=lambda file: file[0].name):
            info.mtime, info.uid, info.gid, info.uname, info.gname = epoch, 0, 0, "", ""
            info.mode = 0o755 if info.isdir() else 0o644
            info.pax_headers = {}
            archive.addfile(info, None if content is None else io.BytesIO(content))
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
