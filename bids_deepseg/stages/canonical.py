"""Turn an image to the canonical axes, in which slices are axial.

Nothing is interpolated: the later stages resample the part that they need to the pixel size of their network.
"""

from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient


def to_canonical(volume: Volume) -> Volume:
    """Flip and swap the axes to L, A, S: i right to left, j posterior to anterior, k inferior to superior."""
    return reorient(volume, CANONICAL_AXCODES)
