"""Choose what is segmented of a file with several volumes, a *series*, that is no diffusion series.

A *rule* is ``mean`` (of all volumes), the number of a volume from 0, or ``each``: every volume is an image of its own
whose results have ``vol<number>`` at the end of ``desc``. BIDS has no entity for it, and ``echo`` or ``chunk`` would
claim more than is known; ``desc`` is free, stays unique, and ``descriptions.tsv`` explains it.
"""

from collections.abc import Iterable
from dataclasses import replace

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.header import is_complete, read_size
from bids_deepseg.errors import ImageError

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

    Parameters
    ----------
    images : iterable of BidsImage
        Whole files.
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
