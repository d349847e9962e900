"""Read and write ``qc_fail.yml`` and ``qc_artifact.yml``, the lists of a person who looked at the results.

They are what the quality control of the Spinal Cord Toolbox saves and its manual-correction scripts read: YAML with
``FILES_SEG`` and the like as keys, and below each a list of images. Only this form is understood; the module knows no
other YAML, so that nothing in a file can do anything.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from bids_deepseg.errors import UsageError

#: Key of the images whose mask of the cord is meant.
CORD_KEY = "FILES_SEG"

#: Marks and the files that give them; the first counts where an image stands in both.
LISTS: Mapping[str, str] = {"fail": "qc_fail.yml", "artifact": "qc_artifact.yml"}


def read_review(folder: Path) -> dict[str, str]:
    """Read the lists of a folder.

    Parameters
    ----------
    folder : Path
        Where ``qc_fail.yml`` and ``qc_artifact.yml`` may stand.

    Returns
    -------
    dict of str to str
        ``fail`` or ``artifact`` for each image that is listed below ``FILES_SEG``, by its name without folder and
        extension.

    Raises
    ------
    UsageError
        If a file cannot be read, or has another form.
    """
    marks: dict[str, str] = {}
    for mark, name in reversed(tuple(LISTS.items())):
        path = folder / name
        if path.is_file():
            marks |= {image_name(entry): mark for entry in read_list(path).get(CORD_KEY, ())}
    return marks


def read_list(path: Path) -> dict[str, tuple[str, ...]]:
    """Read one file: the entries below each key; errors as for :func:`read_review`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list {path} cannot be read: {error}. YAML is expected, UTF-8.") from error
    found: dict[str, list[str]] = {}
    key = None
    for number, line in enumerate(lines, 1):
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#") or text == "---":
            continue
        name, colon, rest = text.partition(":")
        if text.startswith("- ") and key is not None:
            found[key].append(_unquoted(text[2:]))
        elif colon and line[0] not in " \t-" and rest.strip() in ("", "[]"):
            key = _unquoted(name)
            found.setdefault(key, [])
        else:
            raise UsageError(
                f"Line {number} of {path} is not understood: {line!r}. Expected is a key such as {CORD_KEY}: and below "
                "it one image a line after '- '."
            )
    return {key: tuple(entries) for key, entries in found.items()}


def format_list(images: Iterable[str]) -> bytes:
    """Return the bytes of a file that lists images below ``FILES_SEG``, each once, sorted."""
    return "".join([f"{CORD_KEY}:\n", *(f"- {image}\n" for image in sorted(set(images)))]).encode()


def image_name(entry: str) -> str:
    """Return the name of an image without folder and extension, by which entries are compared."""
    return PurePosixPath(entry.replace("\\", "/")).name.partition(".")[0]


def _unquoted(text: str) -> str:
    """Return a word without its quotation marks."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
