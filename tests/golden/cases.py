"""The phantoms whose results are kept, and how a result is summed up."""

import numpy as np

from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.pipeline import segment

#: Contrast, shape and zooms of each case; the seed is the position in the table.
CASES = {
    "t1_1mm": ("t1", (64, 72, 30), (1.0, 1.0, 1.0)),
    "t2_1mm": ("t2", (64, 72, 30), (1.0, 1.0, 1.0)),
    "t2s_axial": ("t2s", (112, 112, 6), (0.5, 0.5, 5.0)),
    "dwi_axial": ("dwi", (48, 48, 4), (0.9, 0.9, 5.0)),
}


def run_case(name, models):
    """Return the phantom and its segmentation."""
    contrast, shape, zooms = CASES[name]
    rng = np.random.default_rng([20_261_122, list(CASES).index(name)])
    phantom = make_phantom(rng, contrast=contrast, shape=shape, zooms=zooms)
    return phantom, segment(phantom.image, models)


def summary_of(result):
    """Return the numbers that are kept: slices with cord, areas, and the centerline's course."""
    area = result.metrics.columns()["area_mm2"]
    return {
        "slices": np.flatnonzero(np.isfinite(area)).tolist(),
        "area_mm2": np.round(area[np.isfinite(area)], 3).tolist(),
        "centerline_mm": np.round(result.centerline.xyz[[0, -1]], 3).tolist(),
        "voxels": int(result.mask.data.sum()),
    }
