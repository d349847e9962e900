"""Choose what is segmented of a file with several volumes, a *series*: by a rule, or by its b-values.

A *rule* for a series other than diffusion is ``mean`` (of all volumes), the number of a volume from 0, or ``each``:
every volume is an image of its own whose results have ``vol<number>`` at the end of ``desc``. BIDS has no entity for
it, and ``echo`` or ``chunk`` would claim more than is known; ``desc`` is free, stays unique, and ``descriptions.tsv``
explains it.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import is_complete, read_size
from bids_deepseg.bids.source.inheritance import applicable_files
from bids_deepseg.errors import ImageError
from bids_deepseg.files.text import parse_number, read_text

#: Suffixes whose volumes are the echoes of one acquisition, or repetitions of it: they show the same place, and their
#: mean has less noise. Of others it is unknown what the volumes are; the first one is at least an image as it was
#: measured.
_AVERAGED = frozenset({"T2starw", "T2star", "MEGRE", "bold", "cbv", "sbref", "epi"})


def volume_rule(image: BidsImage, asked: str = "auto") -> str:
    """Return the rule for the series of an image.

    Parameters
    ----------
    image : BidsImage
        An image outside ``dwi``, whether it is a series or not.
    asked : {"auto", "mean", "first", "each"} or str
        As given by the user: also the number of a volume from 0.

    Returns
    -------
    str
        ``mean`` or the number of a volume; for a volume of its own its number, whatever was asked.
    """
    if image.volume is not None:
        return str(image.volume)
    if asked in ("auto", "each"):
        return "mean" if image.suffix in _AVERAGED else "0"
    return "0" if asked == "first" else asked


def expand_each(images: Iterable[BidsImage]) -> tuple[BidsImage, ...]:
    """Replace each series by its volumes, as images of their own; diffusion series stay whole.

    A file that does not hold the volumes that its header announces stays one image, and is refused when it is read.
    """
    return tuple(one for image in images for one in _volumes_of(image))


def _volumes_of(image: BidsImage) -> list[BidsImage]:
    """Return the volumes of a series, or the image itself."""
    n_volumes = _count_volumes(image)
    if n_volumes == 1 or not is_complete(image.path):
        return [image]
    return [replace(image, volume=number) for number in range(n_volumes)]


def _count_volumes(image: BidsImage) -> int:
    """Return the number of volumes of a file; diffusion series have a rule of their own."""
    if image.datatype == "dwi":
        return 1
    try:
        return read_size(image.path).n_volumes
    except ImageError:
        return 1


#: Diffusion weighting in s/mm² up to which a volume counts as unweighted: some scanners write 5 for 0.
MAX_B0 = 10.0

#: Weighting in s/mm² up to which a volume shows hardly any diffusion; it counts as weighted, and this is reported.
LOW_B = 50.0

Note = tuple[str, str]


def choose_volumes(image: BidsImage, n_volumes: int) -> tuple[list[int], str, list[Note]]:
    """Choose the volumes that are averaged.

    Returns
    -------
    chosen : list of int
        Their numbers, ascending.
    used : str
        The same in words.
    notes : list of (str, str)
        Code and message of what to know about it.

    Raises
    ------
    ImageError
        If the .bval file cannot be read or does not fit.
    """
    every = list(range(n_volumes))
    paths = applicable_files(image, ".bval")
    if not paths:
        message = f"No .bval file was found, so the mean of all {n_volumes} volumes was segmented. Add the file."
        return every, f"all {n_volumes} volumes", [("no-bval", message)]
    b_values = _read_b_values(paths[-1])
    if len(b_values) != n_volumes:
        raise ImageError(
            f"{paths[-1].name} lists {len(b_values)} values, {image.path.name} has {n_volumes} volumes. "
            "One value per volume is expected. Correct the .bval file."
        )
    chosen = [int(index) for index in np.flatnonzero(b_values > MAX_B0)]
    if not chosen:
        message = f"No volume has b > {MAX_B0:g} s/mm², so the mean of all {n_volumes} volumes was segmented."
        return every, f"all {n_volumes} volumes", [("no-weighted-volume", message)]
    n_low = int((b_values[chosen] <= LOW_B).sum())
    low = f"{n_low} of the {len(chosen)} averaged volumes have a b-value of at most {LOW_B:g} s/mm², hardly weighted."
    return (
        chosen,
        f"{len(chosen)} of {n_volumes} volumes, b > {MAX_B0:g} s/mm²",
        [("low-b-value", low)] if n_low else [],
    )


def _read_b_values(path: Path) -> NDArray[np.float64]:
    """Read the numbers of a .bval file."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path.name} cannot be read: {error}. Numbers separated by spaces are expected.") from error
    return np.array([_b_value(path, word) for word in text.split()], np.float64)


def _b_value(path: Path, word: str) -> float:
    """Return one b-value."""
    with suppress(ValueError):
        if (value := parse_number(word)) >= 0:
            return value
    raise ImageError(
        f"{path.name} cannot be read: {word[:40]!r} is not a b-value. Numbers from 0 in s/mm², such as 0 1000, "
        "separated by spaces, are expected. Correct the .bval file."
    )
