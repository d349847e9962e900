"""Refuse a tube that is no cord, and say what speaks against one that may be."""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.ellipses import EllipseFit
from bids_deepseg.methods.propseg.outline import centroids
from bids_deepseg.methods.propseg.parameters import MIN_LENGTH_MM, PropsegParameters
from bids_deepseg.methods.propseg.stack import Tube
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding, Severity
from bids_deepseg.stages.heatmap import detect_cord

Array = NDArray[np.float64]

#: Distance from the centerline at which a ring is not on the same cord (spec of the reference method, 5.1).
APART_MM = 3.0
#: Share of such rings from which a tube is to be looked at, and not to be used.
_APART_WARN, _APART_FAIL = 0.1, 0.5
#: Slices in which the detection network is asked, and the distance from the tube's centre that counts.
_N_ASKED, _NEAR_MM = 8, 4.0
#: Distance from which something else is a rival, and how hot it may be relative to the tube (as for the judge).
_RIVAL_MM, _RIVAL = 15.0, 0.9
#: Its median heat below which a tube is to be looked at, and not to be used: along cords of the training data it is
#: 0.81 to 0.90, along vessels and nerves of phantoms of a thigh 0.25 at most.
_HEAT_WARN, _HEAT_FAIL = 0.6, 0.35
#: Difference of worth below which the image shows bright and dark rims alike.
_ALIKE = 0.05


def check_tube(
    tube: Tube, scores: Array | None, *, n_slices: int, slice_mm: float, parameters: PropsegParameters
) -> None:
    """Refuse a tube that is too short, hardly has a border, or at which the detector sees no cord.

    Parameters
    ----------
    tube : Tube
        The part that is kept.
    scores : (K,) array or None
        Scores of a detector along it.
    n_slices : int
        Slices of the course.
    slice_mm : float
        Their distance.
    parameters : PropsegParameters
        Limits.

    Raises
    ------
    CordNotFoundError
        If something speaks against it.
    """
    needed = min(MIN_LENGTH_MM, n_slices * slice_mm)
    advice = "Check that the image shows the cord, or give a centerline."
    length = len(tube.slices) * slice_mm
    if length < needed - 1e-6:
        raise CordNotFoundError(
            f"PropSeg found no cord: the longest tube has {length:.0f} mm, at least {needed:.0f} mm are expected. "
            f"{advice}"
        )
    measured = {
        "the mean edge across its border": (float(tube.edge.mean()), parameters.min_mean_edge),
        "the share of its rays with an edge of the right sign": (
            float(tube.agreement.mean()),
            parameters.min_mean_agreement,
        ),
    }
    if scores is not None:
        measured["the detector's mean score"] = (float(np.mean(scores)), parameters.min_mean_score)
    for what, (value, least) in measured.items():
        if value < least:
            raise CordNotFoundError(
                f"PropSeg found no cord: of the best tube, {what} is {value:.2f}, at least {least:.2f} is expected. "
                f"{advice}"
            )


def doubts_about(
    tube: Tube, given_mm: Array, fit: EllipseFit, other: EllipseFit, *, is_scored: bool
) -> tuple[Finding, ...]:
    """Return what speaks against a tube that is kept.

    Parameters
    ----------
    tube : Tube
        The tube.
    given_mm : (K, 2) array
        Points of the centerline in its slices.
    fit, other : EllipseFit
        What the image is worth with the sign of the fluid that was chosen, and with the other one.
    is_scored : bool
        Whether the centerline is that of a detector, which is known to be less exact.
    """
    found = []
    apart = np.linalg.norm(tube.centres_mm + centroids(tube.radii) - given_mm, axis=1) >= APART_MM
    share = float(apart.mean())
    if share > _APART_WARN:
        severity: Severity = "fail" if share > _APART_FAIL and not is_scored else "warn"
        found.append(
            Finding(
                "propseg-apart",
                severity,
                f"In {share:.0%} of the slices the tube's centre lies {APART_MM:g} mm or more from the centerline. "
                "Look whether it follows the cord.",
                round(share, 4),
                _APART_WARN,
            )
        )
    lead = float(np.median(fit.worth) - np.median(other.worth))
    if lead < _ALIKE:
        found.append(
            Finding(
                "propseg-fluid",
                "warn",
                "The image shows as much of a dark rim around the cord as of a bright one. Look whether the mask "
                "is the cord or the whole canal.",
                round(lead, 4),
                _ALIKE,
            )
        )
    return tuple(found)


def doubts_of_detector(canonical: Volume, centerline: Centerline, detector: Predictor) -> tuple[Finding, ...]:
    """Ask the detection network in some slices whether there is a cord at the tube.

    A tube is sure of itself, and the segmentation network was made for patches with a cord: it outlines a vessel, too.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    centerline : Centerline
        Centre of the tube.
    detector : Predictor
        Detection network.

    Returns
    -------
    tuple of Finding
        None if all is well.
    """
    near, rival = _heat_at(canonical, centerline, detector)
    found = []
    if near < _HEAT_WARN:
        severity: Severity = "fail" if near < _HEAT_FAIL else "warn"
        message = (
            f"The detection network sees little of a cord at the tube (heat {near:.2f}, usual: {_HEAT_WARN:g} or "
            "more). Look whether it is the cord, or a vessel."
        )
        found.append(Finding("propseg-denied", severity, message, round(near, 4), _HEAT_WARN))
    if rival > _RIVAL * near:
        message = (
            f"The detection network sees something else like a cord, {rival / max(near, 0.01):.0%} as hot as the tube. "
            "Check that the right structure was outlined."
        )
        found.append(Finding("propseg-rival", "warn", message, round(rival, 4), _RIVAL))
    return tuple(found)


def _heat_at(canonical: Volume, centerline: Centerline, detector: Predictor) -> tuple[float, float]:
    """Return the median heat at the tube, and the median of the largest heat far from it, in some whole slices."""
    index = np.unique(np.linspace(0, len(centerline.k) - 1, _N_ASKED).astype(int))
    chosen = Volume(
        np.ascontiguousarray(canonical.data[..., centerline.k[index]]),
        Grid((*canonical.grid.shape[:2], len(index)), canonical.grid.affine),
    )
    try:
        heat = detect_cord(chosen, detector).volume
    except CordNotFoundError:
        return 0.0, 0.0
    middles = np.column_stack([centerline.ij[index], np.arange(len(index))])
    middles = heat.grid.world_to_voxel(chosen.grid.voxel_to_world(middles))
    pixel = np.array(heat.grid.zooms[:2])
    i, j = (np.arange(n) for n in heat.data.shape[:2])
    near, far = [], []
    for m, middle in enumerate(middles):
        distance = np.hypot(pixel[0] * (i - middle[0])[:, None], pixel[1] * (j - middle[1])[None])
        near.append(_largest(heat.data[..., m], distance <= _NEAR_MM))
        far.append(_largest(heat.data[..., m], distance > _RIVAL_MM))
    return float(np.median(near)), float(np.median(far))


def _largest(values: NDArray[np.float32], chosen: NDArray[np.bool_]) -> float:
    """Return the largest of the chosen values, 0 of none."""
    return float(values[chosen].max()) if chosen.any() else 0.0
