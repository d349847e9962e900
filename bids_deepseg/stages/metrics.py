"""Measure the cord in each slice of the mask.

Every measure is taken in world coordinates, on the native voxels, in the plane perpendicular to the cord: the centres
of the mask's voxels are projected along the cord's tangent, so that a cord that crosses the slices at an angle is not
measured too large.

Terms: *uncorrected* area is that of the voxels in the slice; *area* is its projection, uncorrected area times the
cosine of the angle between the slice's normal and the tangent of the cord's course.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import smooth_course

#: Standard deviation, along the cord, of the smoothing of the centres of mass from which the tangent is taken.
_TANGENT_SMOOTH_MM = 5.0


@dataclass(frozen=True, slots=True)
class Column:
    """Description of one column of the table of measures."""

    description: str
    units: str


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "slice": Column("Index of the slice along the native voxel axis closest to inferior-superior, from 0", "1"),
        "x_mm": Column("Centre of mass of the mask, world coordinate towards the right", "mm"),
        "y_mm": Column("Centre of mass of the mask, world coordinate towards anterior", "mm"),
        "z_mm": Column("Centre of mass of the mask, world coordinate towards superior", "mm"),
        "area_mm2": Column("Cross-sectional area of the cord, perpendicular to its course", "mm^2"),
        "area_uncorrected_mm2": Column("Area of the mask in the slice, not corrected for the angle", "mm^2"),
        "diameter_ap_mm": Column("Anterior-posterior diameter of the ellipse with the mask's second moments", "mm"),
        "diameter_rl_mm": Column("Right-left diameter of the ellipse with the mask's second moments", "mm"),
        "eccentricity": Column("Eccentricity of that ellipse: 0 for a circle, towards 1 for a flat cord", "1"),
        "orientation_deg": Column(
            "Angle of the long axis of that ellipse with right-left, positive if its left end is anterior", "deg"
        ),
        "angle_deg": Column("Angle between the normal of the slice and the course of the cord", "deg"),
        "probability_mean": Column("Mean answer of the network (fraction of cord) in the mask's voxels", "1"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class CordMetrics:
    """Measures of the cord, one row per native slice.

    Attributes
    ----------
    values : mapping of str to (K,) array
        Columns of :data:`COLUMNS`; NaN in slices without mask, except for ``slice``.
    """

    values: Mapping[str, NDArray[np.float64]]

    def __post_init__(self) -> None:
        if list(self.values) != list(COLUMNS) or len({len(column) for column in self.values.values()}) != 1:
            raise ValueError(f"Columns {list(self.values)} of lengths {[len(c) for c in self.values.values()]}.")
        if (self.values["area_mm2"] < 0).any():
            raise ValueError("Areas cannot be negative.")

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return the columns in their order."""
        return dict(self.values)


def measure_cord(mask: Volume, probability: Volume, native: Grid) -> CordMetrics:
    """Measure each slice of the mask.

    Parameters
    ----------
    mask : Volume
        uint8 mask on canonical axes.
    probability : Volume
        float32 probability on the same grid.
    native : Grid
        Native grid, whose numbers of slices are reported.

    Returns
    -------
    CordMetrics
        Rows ordered by the native slice number.
    """
    slices = _native_slice_numbers(mask.grid, native)
    rows = {name: np.full(mask.grid.shape[AXIS_IS], np.nan) for name in COLUMNS}
    rows["slice"] = slices.astype(float)
    present = np.flatnonzero(mask.data.any((0, 1)))
    voxels = [_world_positions(mask, int(k)) for k in present]
    centres = np.array([xyz.mean(0) for xyz in voxels])
    tangents = _tangents(centres, present, mask.grid)
    for k, xyz, centre, tangent in zip(present, voxels, centres, tangents, strict=True):
        measures = _measure_slice(xyz - centre, tangent, mask.grid)
        measures["probability_mean"] = float(probability.data[..., k][mask.data[..., k] > 0].mean())
        measures["x_mm"], measures["y_mm"], measures["z_mm"] = centre
        for name, value in measures.items():
            rows[name][k] = value
    order = np.argsort(slices)
    return CordMetrics(MappingProxyType({name: column[order] for name, column in rows.items()}))


def _native_slice_numbers(canonical: Grid, native: Grid) -> NDArray[np.intp]:
    """Return the native index of each canonical slice along the native axis of the slices."""
    ends = np.array([[0, 0, 0], [0, 0, 1]])
    start, step = np.rint(native.world_to_voxel(canonical.voxel_to_world(ends))).astype(int)
    axis = int(np.argmax(np.abs(step - start)))
    return np.asarray(start[axis] + (step - start)[axis] * np.arange(canonical.shape[AXIS_IS]))


def _world_positions(mask: Volume, k: int) -> NDArray[np.float64]:
    """Return the centres (N, 3) of the mask's voxels in a slice, in mm."""
    i, j = np.nonzero(mask.data[..., k])
    return mask.grid.voxel_to_world(np.column_stack([i, j, np.full(len(i), k)]))


def _tangents(centres: NDArray[np.float64], k: NDArray[np.intp], grid: Grid) -> NDArray[np.float64]:
    """Return unit tangents (N, 3) of the smoothed course; the slice's normal where there is a single slice."""
    if len(k) < 2:
        return np.tile(_normal(grid), (len(k), 1))
    every = np.arange(k[0], k[-1] + 1)
    course = np.column_stack([np.interp(every, k, column) for column in centres.T])
    smooth = smooth_course(course, _TANGENT_SMOOTH_MM / grid.zooms[AXIS_IS])
    gradient = np.gradient(smooth, axis=0)[k - k[0]]
    return np.asarray(gradient / np.linalg.norm(gradient, axis=1, keepdims=True))


def _normal(grid: Grid) -> NDArray[np.float64]:
    """Return the unit normal of the slices, towards superior."""
    normal = np.cross(grid.affine[:3, AXIS_RL], grid.affine[:3, AXIS_PA])
    normal *= np.sign(normal @ grid.affine[:3, AXIS_IS])
    return np.asarray(normal / np.linalg.norm(normal))


def _measure_slice(offsets: NDArray[np.float64], tangent: NDArray[np.float64], grid: Grid) -> dict[str, float]:
    """Measure the voxels at ``offsets`` (N, 3) from their centre in the plane perpendicular to ``tangent``."""
    to_left, to_anterior = grid.affine[:3, AXIS_RL], grid.affine[:3, AXIS_PA]
    pixel_mm2 = float(np.linalg.norm(np.cross(to_left, to_anterior)))
    cosine = min(1.0, abs(float(_normal(grid) @ tangent)))
    right_left = to_left - (to_left @ tangent) * tangent
    right_left /= np.linalg.norm(right_left)
    anterior = np.cross(right_left, tangent)
    plane = np.stack([right_left, anterior])
    # Pixels are not points: each adds the second moments of its own area, size²/12 along each side.
    sides = plane @ np.stack([to_left, to_anterior], 1)
    points = offsets @ plane.T
    moments = points.T @ points / len(points) + sides @ sides.T / 12
    small, large = np.linalg.eigvalsh(moments)
    direction = np.linalg.eigh(moments)[1][:, 1]
    direction = direction if direction[0] >= 0 else -direction
    uncorrected = len(offsets) * pixel_mm2
    return {
        "area_mm2": uncorrected * cosine,
        "area_uncorrected_mm2": uncorrected,
        "diameter_rl_mm": 4 * float(np.sqrt(moments[0, 0])),
        "diameter_ap_mm": 4 * float(np.sqrt(moments[1, 1])),
        "eccentricity": float(np.sqrt(max(0.0, 1 - small / large))),
        "orientation_deg": float(np.degrees(np.arctan2(direction[1], direction[0]))),
        "angle_deg": float(np.degrees(np.arccos(cosine))),
    }
