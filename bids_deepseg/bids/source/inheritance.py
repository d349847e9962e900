"""Find the files that belong to an image by the inheritance principle of BIDS.

A file beside the image or in a folder above it, up to the root, applies when its suffix is the image's and all its
entities are among the image's. The one closest to the image wins; in one folder, the one with the most entities.
"""

import os
from pathlib import Path
from typing import Any

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import parse_name
from bids_deepseg.files.structured import read_json_object
from bids_deepseg.files.text import TextError, warn_once


def applicable_files(image: BidsImage, extension: str) -> tuple[Path, ...]:
    """Return the files that apply to an image, the most general first.

    Parameters
    ----------
    image : BidsImage
        Source.
    extension : str
        With its dot, for example ``.bval``.

    Returns
    -------
    tuple of Path
        From the root down to the image's folder; the last one wins.
    """
    own = parse_name(image.path.name)
    pairs = set(own.entities.items()) if own else set()
    steps = image.path.parent.relative_to(image.root).parts
    folders = [image.root.joinpath(*steps[:depth]) for depth in range(len(steps) + 1)]
    found = [path for folder in folders for path in _applicable_in(folder, pairs, image.suffix, extension)]
    # An image outside a data set may have any name; the file that has the same one is its own.
    beside = image.path.with_name(image.name + extension)
    return tuple(found) if beside in found or not beside.is_file() else (*found, beside)


def read_metadata(image: BidsImage) -> dict[str, Any]:
    """Merge the JSON sidecars of an image; one that cannot be read counts as empty."""
    merged: dict[str, Any] = {}
    for path in applicable_files(image, ".json"):
        merged |= read_json(path)
    return merged


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of others; a file that is missing counts as empty.

    So does one that cannot be read, which is named in a warning, as is what is odd in one that can. Values are of any
    type; :mod:`bids_deepseg.files.facts` takes those of the right one.
    """
    try:
        found = read_json_object(path)
    except FileNotFoundError:
        return {}
    except TextError as error:
        warn_once(f"{path} was not read: {error}. A JSON object is expected, UTF-8.")
        return {}
    for problem in found.problems:
        warn_once(f"{path}: {problem}.")
    return dict(found.content)


def _applicable_in(folder: Path, pairs: set[tuple[str, str]], suffix: str, extension: str) -> list[Path]:
    """Return the files of one folder that apply, those with the most entities last."""
    found = []
    for filename in os.listdir(folder):  # noqa: PTH208 - names only, the quickest on a network drive
        name = parse_name(filename) if filename.endswith(extension) else None
        if name and name.suffix == suffix and name.extension == extension and set(name.entities.items()) <= pairs:
            found.append((len(name.entities), filename))
    return [folder / filename for _, filename in sorted(found)]
