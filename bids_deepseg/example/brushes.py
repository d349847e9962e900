"""Draw soft shapes at scattered points: signed distances, alphas, noise, and the brightness of tissues.

Terms: a *signed distance* is in mm and negative inside a shape; an *alpha* is the fraction of a point's small
surroundings that a layer covers. All arrays are (N,) float32, one value per point.

The brightness of a tissue is relative to cerebrospinal fluid in T2w. The values follow healthy volunteers at 3 T: 3D
fast spin echo (t2), 3D gradient echo with inversion (t1), axial multi-echo gradient echo (t2s), diffusion-weighted
echo-planar mean (dwi).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import UsageError

Array = NDArray[np.float32]
#: What the brushes take; arithmetic with Python numbers keeps single precision, though its type is wider.
Values = NDArray[np.floating[Any]]

#: Widths of the details of the four rows of noise, and the names of these rows.
TEXTURE_SCALES_MM = (14.0, 8.0, 3.5, 1.6)
BROAD, MIDDLE, FINE, GRAIN = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Positions at which a neck is painted, relative to the course of the cord.

    Attributes
    ----------
    u, v : (N,) float32 array
        Distance from the middle of the spinal canal towards the left and towards anterior, in mm.
    along : (N,) float32 array
        Position along the cord, in mm; larger is more superior.
    texture : (4, N) float32 array
        Noise fixed to the body, of mean 0 and standard deviation about 1, one row for each of
        :data:`TEXTURE_SCALES_MM`.
    edge_mm : float
        Width of soft edges: the distance between neighbouring points.
    """

    u: Array
    v: Array
    along: Array
    texture: Array
    edge_mm: float

    def alpha(self, distance: Values, blur_mm: float = 0.0) -> Array:
        """Return the alpha of a shape, its edge widened by ``blur_mm``."""
        covered: Array = np.clip(np.float32(0.5) - distance / np.float32(self.edge_mm + blur_mm), 0, 1)
        return covered


def paint(image: Array, alpha: Values, value: Values | float) -> None:
    """Paint ``value`` over ``image``, in place, where ``alpha`` covers it."""
    image += alpha * (np.asarray(value, np.float32) - image)


def ellipse(u: Values, v: Values, half_u: Values | float, half_v: Values | float) -> Array:
    """Return the signed distance, to first order, to an ellipse around the origin with the given half axes in mm."""
    a, b = np.asarray(half_u, np.float32), np.asarray(half_v, np.float32)
    p, q = u / a, v / b
    norm = np.sqrt(p * p + q * q) + np.float32(1e-4)
    slope = np.sqrt((p / a) ** 2 + (q / b) ** 2) + np.float32(1e-5)
    distance: Array = norm * (norm - 1) / slope
    return distance


def meet(first: Values, second: Values, round_mm: float) -> Array:
    """Return the signed distance to what two shapes share, its edges rounded."""
    a, b = first + np.float32(round_mm), second + np.float32(round_mm)
    outside = np.hypot(np.maximum(a, 0), np.maximum(b, 0))
    distance: Array = np.minimum(np.maximum(a, b), 0) + outside - np.float32(round_mm)
    return distance


def capsule(u: Values, v: Values, start: tuple[float, float], end: tuple[float, float], radius_mm: float) -> Array:
    """Return the signed distance to a thick line."""
    du, dv = end[0] - start[0], end[1] - start[1]
    t = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / np.float32(du * du + dv * dv), 0, 1)
    distance: Array = np.hypot(u - start[0] - t * du, v - start[1] - t * dv) - np.float32(radius_mm)
    return distance


def draw_noise(rng: np.random.Generator) -> Array:
    """Draw the knots (24, 24, 24) of a noise that repeats after 24 knots."""
    return rng.standard_normal((24, 24, 24), dtype=np.float32)


def noise_at(knots: Array, xyz: Array, scale_mm: float) -> Array:
    """Return the noise at positions (3, ...) in mm; its details are about ``scale_mm`` wide."""
    values: Array = ndimage.map_coordinates(
        knots, xyz / np.float32(scale_mm), order=1, mode="grid-wrap", output=np.float32
    )
    # Linear interpolation lowers the variance to (2/3)³ on average over positions.
    return values * np.float32(1.84)


@dataclass(frozen=True, slots=True)
class Tissues:
    """Brightness of the tissues in one contrast, from the cord outwards, and its noise.

    Attributes
    ----------
    noise : float
        Standard deviation of the noise in both channels.
    bias : float
        Strength of the slow change of brightness across the image, as a standard deviation of its logarithm.
    """

    white: float
    grey: float
    csf: float
    ligament: float
    cortical: float
    marrow: float
    disc: float
    artery: float
    vein: float
    muscle: float
    fat: float
    air: float
    noise: float
    bias: float


def tissues_of(contrast: str) -> Tissues:
    """Return the brightness of the tissues in ``contrast``: t1, t2, t2s or dwi."""
    table = {
        "t2": Tissues(
            air=0.0, fat=0.34, muscle=0.085, marrow=0.19, cortical=0.02, disc=0.2, ligament=0.03, csf=1.0,
            white=0.28, grey=0.34, artery=0.02, vein=0.3, noise=0.018, bias=0.28,
        ),
        "t1": Tissues(
            air=0.0, fat=1.15, muscle=0.58, marrow=0.72, cortical=0.08, disc=0.46, ligament=0.14, csf=0.27,
            white=0.8, grey=0.71, artery=0.18, vein=0.4, noise=0.032, bias=0.16,
        ),
        "t2s": Tissues(
            air=0.0, fat=0.66, muscle=0.46, marrow=0.13, cortical=0.04, disc=0.42, ligament=0.12, csf=0.98,
            white=0.58, grey=0.74, artery=1.15, vein=0.8, noise=0.025, bias=0.14,
        ),
        "dwi": Tissues(
            air=0.0, fat=0.05, muscle=0.1, marrow=0.06, cortical=0.02, disc=0.08, ligament=0.03, csf=0.12,
            white=0.9, grey=0.82, artery=0.03, vein=0.05, noise=0.03, bias=0.12,
        ),
    }  # fmt: skip
    if contrast not in table:
        raise UsageError(f"The contrast {contrast!r} is unknown. One of {', '.join(sorted(table))} is expected.")
    return table[contrast]
