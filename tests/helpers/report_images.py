"""Images for reports, of phantoms whose cord is known."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.resample import in_plane_grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.report.participant import ReportImage
from bids_deepseg.stages.metrics import measure_cord


def report_image(*, title="sub-01/anat/sub-01_T2w.nii.gz", **options):
    """Return a phantom with its true cord as the result; the same one is painted once."""
    return replace(_painted(**options), title=title)


@lru_cache(maxsize=16)
def _painted(*, seed=1, spoil=False, **options):
    """Return a phantom with its true cord as the result, without a title."""
    size = {"contrast": "t2", "shape": (48, 60, 40), "zooms": (1.0, 1.0, 1.0)}
    phantom = make_phantom(np.random.default_rng(seed), **(size | options))
    inside = (phantom.cord.data > 0.5).astype(np.uint8)
    if spoil:
        # Without a mask in slices 10 and 11 of the axis towards superior.
        canonical = reorient(Volume(inside, phantom.cord.grid), CANONICAL_AXCODES)
        assert phantom.cord.grid.axcodes == CANONICAL_AXCODES
        inside = canonical.data.copy()
        inside[..., 10:12] = 0
    mask = Volume(inside, phantom.cord.grid)
    canonical = reorient(mask, CANONICAL_AXCODES)
    metrics = measure_cord(canonical, reorient(phantom.cord, CANONICAL_AXCODES), mask.grid)
    present = np.flatnonzero(canonical.data.any((0, 1)))
    ijk = [[*np.argwhere(canonical.data[..., k]).mean(0), k] for k in present]
    return ReportImage(
        "",
        phantom.image,
        mask,
        phantom.cord,
        canonical.grid.voxel_to_world(ijk),
        metrics.columns(),
        "warn" if spoil else "pass",
        messages=("Look at slices 10 and 11.",) if spoil else (),
        facts={"Network": "test", "Threshold": "0.5"},
    )


def heat_of(image, aside_mm=(6.0, 4.0), zoom_mm=1.3):
    """Return heat on a grid of its own, so far to the left and in front of the centre of the mask in each slice."""
    canonical = reorient(image.mask, CANONICAL_AXCODES)
    grid = in_plane_grid(canonical.grid, zoom_mm)
    i, j = np.meshgrid(*(np.arange(n) for n in grid.shape[:2]), indexing="ij")
    heat = np.zeros(grid.shape, np.float32)
    for k in range(grid.shape[2]):
        present = np.argwhere(canonical.data[..., k])
        if len(present):
            at = canonical.grid.voxel_to_world([[*present.mean(0), k]])
            centre = grid.world_to_voxel(at)[0, :2] + np.array(aside_mm) / zoom_mm
            heat[..., k] = np.exp(-((i - centre[0]) ** 2 + (j - centre[1]) ** 2) * zoom_mm**2 / (2 * 3.0**2))
    return Volume(heat, grid)
