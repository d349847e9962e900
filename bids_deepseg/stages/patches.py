"""Cut a patch around the centerline out of each slice, at the pixel size of the segmentation network.

Only the box that holds all patches is resampled, so that memory grows with the length of the cord and not with the
field of view.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.resample import in_plane_grid, resample_onto
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.geometry.window import Window, crop, window_around
from bids_deepseg.stages.centerline import Centerline


@dataclass(frozen=True, slots=True, eq=False)
class PatchStack:
    """Patches and where they were cut.

    Attributes
    ----------
    values : (N, H, W) float32 array
        Patches in the units of the image, 0 outside the field of view.
    valid : (N, H, W) bool array
        Pixels inside the field of view.
    windows : tuple of Window
        Place of each patch on ``grid``.
    grid : Grid
        Part of the image that holds the patches, on canonical axes at the network's pixel size.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    windows: tuple[Window, ...]
    grid: Grid

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.valid) == len(self.windows):
            raise ValueError(f"{len(self.values)} patches, {len(self.valid)} masks, {len(self.windows)} windows.")
        if any(window.shape != self.values.shape[1:] for window in self.windows):
            raise ValueError(f"Not all windows have the shape of the patches, {self.values.shape[1:]}.")
        for array in (self.values, self.valid):
            array.flags.writeable = False


def extract_patches(
    canonical: Volume, centerline: Centerline, *, patch_shape: tuple[int, int], zoom_mm: float
) -> PatchStack:
    """Cut one patch per slice of the centerline.

    Parameters
    ----------
    canonical : Volume
        Image on canonical axes.
    centerline : Centerline
        Points on a grid with the same slices.
    patch_shape : (int, int)
        Pixels of a patch.
    zoom_mm : float
        Pixel size of a patch.

    Returns
    -------
    PatchStack
        As many patches as the centerline has points, in the same order.
    """
    whole = in_plane_grid(canonical.grid, zoom_mm)
    ijk = whole.world_to_voxel(centerline.xyz)
    windows = [window_around(point[:2], patch_shape, int(k)) for point, k in zip(ijk, centerline.k, strict=True)]
    box, corner = _box_around(windows, whole)
    image = resample_onto(canonical, box)
    moved = tuple(Window((w.start[0] - corner[0], w.start[1] - corner[1]), w.shape, w.k - corner[2]) for w in windows)
    values, valid = (np.stack(parts) for parts in zip(*(crop(image.data, w) for w in moved), strict=True))
    return PatchStack(values, valid, moved, box)


def _box_around(windows: list[Window], grid: Grid) -> tuple[Grid, tuple[int, int, int]]:
    """Return the part of ``grid`` that holds all windows, and its first voxel."""
    starts = np.array([(*w.start, w.k) for w in windows])
    ends = np.array([(w.start[0] + w.shape[0], w.start[1] + w.shape[1], w.k + 1) for w in windows])
    low = np.clip(starts.min(0), 0, np.array(grid.shape) - 1)
    high = np.maximum(np.minimum(ends.max(0), grid.shape), low + 1)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.voxel_to_world(low)
    i, j, k = (int(n) for n in high - low)
    return Grid((i, j, k), affine), (int(low[0]), int(low[1]), int(low[2]))
