"""Cut rectangles out of slices and put them back, at any border.

A window may reach past the border of its slice. What lies outside is *invalid*: it is filled when cutting and ignored
when putting back, so that cutting and putting back are exact inverses inside the slice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels in one slice.

    Attributes
    ----------
    start : (int, int)
        First pixel along i and j; may be negative.
    shape : (int, int)
        Number of pixels along i and j.
    k : int
        Slice.
    """

    start: tuple[int, int]
    shape: tuple[int, int]
    k: int

    def overlap(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part shared with a slice of ``shape``: as slices of the window and of the image."""
        inner, outer = [], []
        for start, size, n in zip(self.start, self.shape, shape[:2], strict=True):
            low, high = max(start, 0), max(min(start + size, n), start, 0)
            inner.append(slice(low - start, high - start))
            outer.append(slice(low, high))
        return (inner[0], inner[1]), (outer[0], outer[1])


def window_around(centre_ij: NDArray[np.floating], shape: tuple[int, int], k: int) -> Window:
    """Return the window of ``shape`` whose middle is nearest to ``centre_ij`` (voxels)."""
    start = np.rint(np.asarray(centre_ij, float) - (np.array(shape) - 1) / 2).astype(int)
    return Window((int(start[0]), int(start[1])), shape, k)


def crop(data: NDArray[np.float32], window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut ``window`` out of a volume.

    Parameters
    ----------
    data : (I, J, K) float32 array
        Volume.
    window : Window
        Where to cut.

    Returns
    -------
    values : window-shaped float32 array
        Values, 0 outside the volume.
    valid : window-shaped bool array
        Pixels inside the volume.
    """
    inner, outer = window.overlap(data.shape)
    values = np.zeros(window.shape, np.float32)
    valid = np.zeros(window.shape, bool)
    values[inner] = data[(*outer, window.k)]
    valid[inner] = True
    return values, valid


def paste(target: NDArray[np.float32], values: NDArray[np.float32], window: Window) -> None:
    """Write the part of ``values`` that lies inside the volume ``target`` (I, J, K), in place."""
    inner, outer = window.overlap(target.shape)
    target[(*outer, window.k)] = values[inner]


def tile_starts(n: int, size: int, step: int) -> list[int]:
    """Return the starts of tiles of ``size`` that cover ``n`` pixels with steps of at most ``step``.

    One tile in the middle if it covers everything, otherwise tiles at even distances from border to border::

        n = 10, size = 4, step = 3:   0123......
                                      ...3456...
                                      ......6789
    """
    if n <= size:
        return [(n - size) // 2]
    n_tiles = int(np.ceil((n - size) / step)) + 1
    return [int(start) for start in np.rint(np.linspace(0, n - size, n_tiles))]
