"""Tell the lower end of the cord, which tapers among roots, from the rest of the mask.

Where a cord ends inside the field of view, it tapers over 2 to 4 cm (the conus), with roots beside and below it that
look like it. Nobody can tell its tip to the millimetre, so its slices are judged by what is known of them: the area
falls, and networks are less sure than elsewhere.
"""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.geometry.volume import Volume

#: Length of the taper, and the largest share of the mask that counts as it.
_TAPER_MM, _LARGEST_SHARE = 40.0, 1 / 3

#: Least part of the image below the mask: less may mean that the field of view ends, and not the cord.
_BELOW_MM = 20.0


def lower_end(mask: Volume) -> NDArray[np.bool_]:
    """Return the slices in which the cord tapers.

    Parameters
    ----------
    mask : Volume
        uint8 mask on canonical axes.

    Returns
    -------
    (K,) bool array
        The lowest 4 cm of the mask, at most a third of it; no slice where the image ends less than 2 cm below it.
    """
    end = np.zeros(mask.data.shape[AXIS_IS], bool)
    present = np.flatnonzero(mask.data.any((0, 1)))
    thickness_mm = mask.grid.zooms[AXIS_IS]
    if len(present) and present[0] * thickness_mm >= _BELOW_MM:
        length = present[-1] - present[0] + 1
        end[present[0] : present[0] + int(min(_TAPER_MM / thickness_mm, _LARGEST_SHARE * length))] = True
    return end
