"""Write the version once: ``python version.py check`` compares every place with the file ``version``, ``write`` mends.

To release: put the new version into the file, run ``write``, commit, and push the tag ``v<version>``.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Files that cannot read the version from the file, and how it stands there.
PLACES = (
    ("CITATION.cff", r"(?m)^(version: )(.+)$"),
    ("codemeta.json", r'("version": ")([^"]+)'),
    ("Dockerfile", r"(?m)^(ARG VERSION=)(.+)$"),
    ("brainlife/main", r"(docker://bids_deepseg:)(\S+)"),
    ("boutiques/descriptor.json", r'("tool-version": ")([^"]+)'),
    ("boutiques/descriptor.json", r'("image": "bids_deepseg:)([^"]+)'),
)


def wrong_places(root: Path, *, write: bool = False) -> list[str]:
    """Return the places that name another version or none; mend them on demand."""
    version = (root / "version").read_text(encoding="utf-8").strip()
    wrong = []
    for name, pattern in PLACES:
        text = (root / name).read_text(encoding="utf-8")
        found = [match[1] for match in re.findall(pattern, text)]
        if found and set(found) == {version}:
            continue
        wrong.append(f"{name}: {', '.join(found) or 'no version'}, expected {version}")
        if write and found:
            mended = re.sub(pattern, lambda match: match[1] + version, text)
            (root / name).write_text(mended, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    write = sys.argv[1:] == ["write"]
    problems = wrong_places(ROOT, write=write)
    sys.stdout.write("".join(f"{problem}{' (mended)' if write else ''}\n" for problem in problems))
    sys.exit(1 if problems and not write else 0)
