"""Spoil a slice as scanners and exports do: signal loss, distortion, motion ghosts, few grey levels, clipped values.

All functions take and return (H, W) float32 arrays on the grid of network pixels.
"""

import numpy as np
from scipy import ndimage

from bids_deepseg.training.synthesis.fields import Array, smooth_field

#: Share of the slices that each artefact spoils.
_SHARES = {"signal_loss": 0.04, "ghosts": 0.05, "few_levels": 0.08, "clipped": 0.06}


def spoil(rng: np.random.Generator, image: Array, *, zoom_mm: float) -> Array:
    """Apply each artefact to its share of the slices, in the order in which they arise."""
    if rng.uniform() < _SHARES["signal_loss"]:
        image = lose_signal(rng, image, zoom_mm=zoom_mm)
    if rng.uniform() < _SHARES["ghosts"]:
        image = add_ghosts(rng, image, zoom_mm=zoom_mm)
    if rng.uniform() < _SHARES["clipped"]:
        image = np.minimum(image, np.float32(np.percentile(image, rng.uniform(85, 99.5))))
    if rng.uniform() < _SHARES["few_levels"]:
        image = reduce_levels(image, int(rng.integers(20, 256)))
    return image


def lose_signal(rng: np.random.Generator, image: Array, *, zoom_mm: float) -> Array:
    """Darken a blob beside the centre with a bright rim: the field around metal dephases and displaces the signal [1]_.

    References
    ----------
    .. [1] Hargreaves BA, et al. Metal-induced artifacts in MRI. AJR 197 (2011) 547-555.
    """
    rows, columns = (np.asarray(index, np.float32) for index in np.indices(image.shape))
    angle, distance = rng.uniform(0, 2 * np.pi), float(rng.uniform(8, 22)) / zoom_mm
    middle = (np.array(image.shape) - 1) / 2 + distance * np.array([np.cos(angle), np.sin(angle)])
    width = float(rng.uniform(3, 9)) / zoom_mm
    radius = np.hypot(rows - np.float32(middle[0]), columns - np.float32(middle[1])) / np.float32(width)
    loss = np.exp(-(radius**2))
    rim = np.exp(-(((radius - 1.5) / 0.25) ** 2)) * np.float32(rng.uniform(0, 0.5))
    return np.asarray(image * (1 - np.float32(rng.uniform(0.6, 1)) * loss) * (1 + rim), np.float32)


def add_ghosts(rng: np.random.Generator, image: Array, *, zoom_mm: float) -> Array:
    """Add copies of the image at equal steps along the phase axis, as breathing, swallowing and pulsation do [1]_.

    References
    ----------
    .. [1] Wood ML, Henkelman RM. MR image artifacts from periodic motion. Med Phys 12 (1985) 143-151.
    """
    axis, step = int(rng.integers(2)), float(rng.uniform(5, 20)) / zoom_mm
    strength = float(rng.uniform(0.03, 0.15))
    ghosts = np.zeros_like(image)
    for order in (1, 2):
        for sign in (-1, 1):
            ghosts += np.float32(strength / order) * np.roll(image, round(sign * order * step), axis=axis)
    return image + ghosts


def reduce_levels(image: Array, n_levels: int) -> Array:
    """Round to ``n_levels`` equal steps between the least and the largest value, as 8-bit exports do."""
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return image
    scale = np.float32((n_levels - 1) / (high - low))
    return np.asarray(np.rint((image - np.float32(low)) * scale) / scale + np.float32(low), np.float32)


def distort(rng: np.random.Generator, image: Array, cord: Array, *, zoom_mm: float) -> tuple[Array, Array]:
    """Shift pixels along the anterior-posterior axis and pile up their signal, as echo-planar images do [1]_.

    The cord moves with the image, since outlines are drawn on the distorted image.

    References
    ----------
    .. [1] Jezzard P, Balaban RS. Correction for geometric distortion in echo planar images. MRM 34 (1995) 65-73.
    """
    shape = (image.shape[0], image.shape[1])
    field = smooth_field(rng, shape, float(rng.uniform(12, 30)) / zoom_mm) * np.float32(rng.uniform(0.3, 1.5) / zoom_mm)
    rows, columns = (np.asarray(index, np.float32) for index in np.indices(shape))
    coordinates = np.stack([rows, columns + field])
    jacobian = np.clip(1 + np.gradient(field, axis=1), 0.3, 2.5)
    moved = ndimage.map_coordinates(image, coordinates, order=1, mode="nearest") * jacobian
    return moved.astype(np.float32), ndimage.map_coordinates(cord, coordinates, order=1, mode="nearest")
