"""Render a page on which a person clicks the course of the cord and saves the points as a file.

The page shows sagittal slices, anterior on the left and superior on top. It holds everything that it needs, asks
nothing of any network, and can be used by mouse and by keyboard. The points are saved in RAS+ mm.
"""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL, CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.report.environment import page_template
from bids_deepseg.report.figures import picture_uri, window_of

#: Least distance of the slices shown, and most of them: they cover the middle of the image if it is wider than that.
STEP_MM = 1.0
MOST_SLICES = 121

#: Side of the field, around the middle of the image, whose brightness decides what is black and white.
_WINDOW_MM = 120.0


def render_viewer(
    image: Volume, title: str, *, file_name: str, version: str, points_mm: NDArray[np.float64] | None = None
) -> str:
    """Render the page of one image.

    Parameters
    ----------
    image : Volume
        float32 image in any orientation.
    title : str
        Name of the image.
    file_name : str
        Name under which the browser saves the points.
    version : str
        Version of the app.
    points_mm : (N, 3) float array, optional
        Points to begin with, RAS+ mm.

    Returns
    -------
    str
        A complete HTML document.
    """
    canonical = reorient(image, CANONICAL_AXCODES)
    _, n_j, n_k = canonical.grid.shape
    _, zoom_pa, zoom_is = canonical.grid.zooms
    slices = _slices_shown(canonical)
    window = window_of(_middle(canonical))
    # Rows run from superior to inferior, columns from anterior to posterior.
    pictures = [picture_uri(canonical.data[i, ::-1, ::-1].T, window) for i in slices]
    given = [] if points_mm is None else canonical.grid.world_to_voxel(points_mm).round(4).tolist()
    return page_template("viewer.html").render(
        title=title,
        file_name=file_name,
        version=version,
        first=pictures[len(pictures) // 2],
        aspect=f"{n_j * zoom_pa:.4g} / {n_k * zoom_is:.4g}",
        ratio=round(n_j * zoom_pa / (n_k * zoom_is), 4),
        n_slices=len(slices),
        page={
            "slices": slices,
            "pictures": pictures,
            "shape": [n_j, n_k],
            "affine": canonical.grid.affine[:3].tolist(),
            "points": given,
            "file": file_name,
        },
    )


def _slices_shown(canonical: Volume) -> list[int]:
    """Return the sagittal slices that are shown, from right to left."""
    n = canonical.grid.shape[AXIS_RL]
    step = max(1, round(STEP_MM / canonical.grid.zooms[AXIS_RL]))
    middle = n // 2
    half = min(middle // step, (n - 1 - middle) // step, MOST_SLICES // 2)
    return list(range(middle - half * step, middle + half * step + 1, step))


def _middle(canonical: Volume) -> NDArray[np.float32]:
    """Return the values around the middle of the image, where neck and back are."""
    parts = []
    for axis in (AXIS_RL, AXIS_PA, AXIS_IS):
        n, half = canonical.grid.shape[axis], _WINDOW_MM / 2 / canonical.grid.zooms[axis]
        parts.append(slice(max(0, int(n / 2 - half)), int(np.ceil(n / 2 + half))))
    return np.asarray(canonical.data[tuple(parts)])
