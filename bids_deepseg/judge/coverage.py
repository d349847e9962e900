"""Say what is not known about the ends of the cord if the centerline was traced through all slices of the image."""

from dataclasses import replace

import numpy as np

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.judge.slices import MISSING_LENGTH_MM
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.mask import CordMask


def judge_uncertain_ends(centerline: Centerline, mask: CordMask) -> tuple[Centerline, tuple[Finding, ...]]:
    """Cut a centerline, which runs through slices with and without cord, to the slices between which there is mask.

    Parameters
    ----------
    centerline : Centerline
        Course through all slices.
    mask : CordMask
        A mask that is not empty.

    Returns
    -------
    centerline : Centerline
        Its part between the first and the last slice with mask.
    findings : tuple of Finding
        ``ends-unknown`` if enough slices were cut: whether they show a cord, the tracing cannot tell.
    """
    present = np.flatnonzero(mask.volume.data.any((0, 1)))
    keep = (centerline.k >= present[0]) & (centerline.k <= present[-1])
    n_cut = int((~keep).sum())
    cut = replace(centerline, ij=centerline.ij[keep], k=centerline.k[keep], heat=centerline.heat[keep])
    if n_cut * mask.volume.grid.zooms[AXIS_IS] < MISSING_LENGTH_MM:
        return cut, ()
    message = (
        f"{n_cut} of {len(keep)} slices at the ends have no mask, and a centerline without detection network cannot "
        "tell whether they show a cord. Look at where the mask begins and ends."
    )
    return cut, (Finding("ends-unknown", "warn", message),)
