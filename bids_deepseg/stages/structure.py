"""Turn the probability of a structure inside the cord into its mask, and measure it in each slice.

Terms: a *structure* is grey matter or lesions. Its mask never leaves the mask of the cord.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding, Verdict, verdict_of
from bids_deepseg.stages.metrics import Column, CordMetrics

COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "slice": Column("Index of the slice along the native voxel axis closest to inferior-superior, from 0", "1"),
        "area_mm2": Column("Area of the structure, perpendicular to the course of the cord", "mm^2"),
        "area_uncorrected_mm2": Column("Area of the mask in the slice, not corrected for the angle", "mm^2"),
        "cord_fraction": Column("Area of the structure over that of the cord in the same slice", "1"),
        "probability_mean": Column("Mean probability of the mask's voxels", "1"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The result for one structure, on the native grid.

    Attributes
    ----------
    task : str
        Key of :data:`bids_deepseg.structures.tasks.TASKS`.
    probability : Volume
        float32 probability in [0, 1], 0 outside the cord.
    mask : Volume
        uint8, 1 in the structure.
    measures : mapping of str to (K,) array
        Columns of :data:`COLUMNS`, one row per native slice; NaN in slices without cord, except for ``slice``.
    findings : tuple of Finding
        What speaks against the result.
    threshold : float
        Probability from which a voxel of the cord is the structure.
    n_objects : int
        Objects of the mask that touch at no face, edge or corner.
    """

    task: str
    probability: Volume
    mask: Volume
    measures: Mapping[str, NDArray[np.float64]]
    findings: tuple[Finding, ...]
    threshold: float
    n_objects: int

    @property
    def verdict(self) -> Verdict:
        """Worst severity of the findings."""
        return verdict_of(self.findings)


def confine(probability: Volume, cord: Volume, *, threshold: float) -> tuple[Volume, Volume]:
    """Keep the probability inside the cord and threshold it.

    Parameters
    ----------
    probability : Volume
        float32 probability.
    cord : Volume
        Mask of the cord on the same grid.
    threshold : float
        Voxels of the cord with at least this probability are the structure.

    Returns
    -------
    probability, mask : Volume
        float32, 0 outside the cord, and uint8.
    """
    inside = cord.data > 0
    confined = np.where(inside, probability.data, np.float32(0))
    mask = ((confined >= threshold) & inside).astype(np.uint8)
    return Volume(confined, cord.grid), Volume(mask, cord.grid)


def middle_of_cord(cord: Volume) -> Centerline:
    """Return the centre of mass of the cord's mask in each slice, interpolated in gaps.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    present = np.flatnonzero(cord.data.any((0, 1)))
    if not len(present):
        raise ValueError("The mask of the cord is empty.")
    centres = np.array([np.argwhere(cord.data[..., k]).mean(0) for k in present])
    every = np.arange(present[0], present[-1] + 1)
    ij = np.column_stack([np.interp(every, present, column) for column in centres.T])
    return Centerline(ij, every, cord.grid, np.ones(len(every)), 0.0)


def measure_structure(
    mask: Volume, probability: Volume, cord: CordMetrics, native: Grid
) -> Mapping[str, NDArray[np.float64]]:
    """Measure each slice of a structure.

    Parameters
    ----------
    mask, probability : Volume
        On the native grid.
    cord : CordMetrics
        Measures of the cord, whose angle and area are used.
    native : Grid
        Native grid.

    Returns
    -------
    mapping of str to (K,) array
        Columns of :data:`COLUMNS`; a slice with cord but without the structure has the area 0.
    """
    columns = cord.columns()
    across = native.in_plane_axes
    pixel_mm2 = float(np.linalg.norm(np.cross(native.affine[:3, across[0]], native.affine[:3, across[1]])))
    order = columns["slice"].astype(int)
    inside = mask.data > 0
    n_voxels = inside.sum(across)[order].astype(float)
    total = np.where(inside, probability.data, 0).sum(across, dtype=np.float64)[order]
    has_cord = np.isfinite(columns["area_mm2"])
    uncorrected = np.where(has_cord, n_voxels * pixel_mm2, np.nan)
    area = uncorrected * np.cos(np.radians(columns["angle_deg"]))
    mean = np.divide(total, n_voxels, out=np.full(len(order), np.nan), where=n_voxels > 0)
    values = (columns["slice"], area, uncorrected, area / columns["area_mm2"], mean)
    return MappingProxyType(dict(zip(COLUMNS, values, strict=True)))
