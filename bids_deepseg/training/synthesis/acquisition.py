"""Turn a painted or remapped slice into what a scanner would deliver, and spoil it as scanners and exports do.

What spoils it: signal loss, distortion, motion ghosts, few grey levels, clipped values. Terms: the *native pixel* is
the pixel that was measured; the *network pixel* is that of the patch. All functions take and return (H, W) float32
arrays on the grid of network pixels.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from bids_deepseg.training.synthesis.fields import Array, smooth_field

#: Share of the slices that each artefact spoils.
_SHARES = {"signal_loss": 0.04, "ghosts": 0.05, "few_levels": 0.08, "clipped": 0.06}


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the scanner does to one slice.

    Attributes
    ----------
    native_mm : (float, float)
        Native pixel along x and y.
    truncated : bool
        Low-pass by cutting k-space, which rings (Gibbs), instead of by a Gaussian.
    noise : float
        Standard deviation of the noise on the native grid, in units of brightness.
    rician : bool
        Noise of a magnitude image, which lifts the dark background.
    blur_mm : float
        Standard deviation of a blurring beyond that of the native pixel: motion, interpolation by the scanner.
    bias, ghost, gamma : float
        Strength of the coil's shading, of a shifted copy of the image, and exponent of the brightness.
    """

    native_mm: tuple[float, float]
    truncated: bool
    noise: float
    rician: bool
    blur_mm: float
    bias: float
    ghost: float
    gamma: float


def draw_acquisition(rng: np.random.Generator, *, noisy: bool, contrast: float = 1.0) -> Acquisition:
    """Draw an acquisition; native pixels are 0.3-1.5 mm, a quarter of the images is clean.

    ``noisy`` images (diffusion, faint T1w) get noise from a higher range. Noise stays below ``contrast``, the
    difference of cord and fluid, since a sample in which nothing can be seen teaches to answer nothing.
    """
    pixel = float(np.exp(rng.uniform(np.log(0.3), np.log(1.5))))
    ratio = float(np.exp(rng.normal(0, 0.2))) if rng.uniform() < 0.3 else 1.0
    strength = min(rng.uniform() ** 2 * (0.16 if noisy else 0.09), 0.8 * contrast)
    return Acquisition(
        native_mm=(float(np.clip(pixel * ratio, 0.25, 1.6)), float(np.clip(pixel / ratio, 0.25, 1.6))),
        truncated=bool(rng.uniform() < 0.35),
        noise=float(strength),
        rician=bool(rng.uniform() < 0.5),
        blur_mm=float(rng.uniform(0.2, 1.3)) if rng.uniform() < 0.4 else 0.0,
        bias=float(rng.uniform(0, 0.5)) if rng.uniform() < 0.7 else 0.0,
        ghost=float(rng.uniform(0.02, 0.15)) if rng.uniform() < 0.1 else 0.0,
        gamma=float(np.exp(rng.normal(0, 0.15))),
    )


def with_long_pixels(rng: np.random.Generator, acquisition: Acquisition) -> Acquisition:
    """Return an acquisition whose pixels are 1.6 to 5 mm long across the body, as the slices of sagittal images are."""
    return replace(acquisition, native_mm=(float(rng.uniform(1.6, 5.0)), acquisition.native_mm[1]))


def acquire(
    rng: np.random.Generator,
    image: Array,
    acquisition: Acquisition,
    *,
    zoom_mm: float,
    noise_rng: np.random.Generator | None = None,
) -> Array:
    """Apply shading, ghost, blurring, native resolution, noise and gamma, in the order in which they arise.

    ``noise_rng`` draws the noise in place of ``rng``: slices of one volume share all but their noise.
    """
    if acquisition.bias > 0:
        field = smooth_field(rng, (image.shape[0], image.shape[1]), float(rng.uniform(25, 60)) / zoom_mm)
        image = image * np.exp(np.float32(acquisition.bias) * field)
    if acquisition.ghost > 0:
        shift = int(rng.integers(8, max(9, image.shape[1] // 2)))
        image = image + np.float32(acquisition.ghost) * np.roll(image, shift, axis=1)
    if acquisition.blur_mm > 0:
        image = ndimage.gaussian_filter(image, acquisition.blur_mm / zoom_mm, mode="nearest", truncate=3)
    step = (acquisition.native_mm[0] / zoom_mm, acquisition.native_mm[1] / zoom_mm)
    low_pass = _truncate if acquisition.truncated else _resample
    image = low_pass(rng, noise_rng or rng, image, step, acquisition)
    if acquisition.gamma != 1:
        peak = max(float(np.abs(image).max()), 1e-6)
        image = np.sign(image) * np.abs(image / peak) ** np.float32(acquisition.gamma) * peak
    return np.asarray(image, np.float32)


def _noise(rng: np.random.Generator, image: Array, acquisition: Acquisition, scale: float) -> Array:
    """Add Gaussian or Rician noise; ``scale`` corrects for averaging over pixels smaller than those of the grid."""
    sigma = np.float32(acquisition.noise * scale)
    real = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    if not acquisition.rician:
        return np.asarray(real, np.float32)
    imaginary = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), np.float32)


def _resample(
    rng: np.random.Generator,
    noise_rng: np.random.Generator,
    image: Array,
    step: tuple[float, float],
    acquisition: Acquisition,
) -> Array:
    """Average over native pixels, add noise there, and interpolate linearly back as the application does."""
    coarse = np.maximum(step, 1.0)
    # Native pixels smaller than the network's are averaged by the application, which also averages the noise.
    scale = float(np.sqrt(np.prod(np.minimum(step, 1.0))))
    if coarse.max() < 1.05:
        return _noise(noise_rng, image, acquisition, scale)
    sigma = np.sqrt(coarse**2 - 1) * float(rng.uniform(0.29, 0.45))
    smooth = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3)
    phase = rng.uniform(0, 1, 2) * coarse
    size = np.floor((np.array(image.shape) - 1 - phase) / coarse).astype(int) + 1
    native = ndimage.affine_transform(
        smooth, coarse, phase, output_shape=(int(size[0]), int(size[1])), order=1, mode="nearest"
    )
    native = _noise(noise_rng, native, acquisition, scale)
    back: Array = ndimage.affine_transform(
        native, 1 / coarse, -phase / coarse, output_shape=image.shape, order=1, mode="nearest"
    )
    return back


def _truncate(
    _rng: np.random.Generator,
    noise_rng: np.random.Generator,
    image: Array,
    step: tuple[float, float],
    acquisition: Acquisition,
) -> Array:
    """Cut k-space at the native resolution: ringing at edges, and noise of the same bandwidth."""
    spectrum = np.fft.rfft2(_noise(noise_rng, image, acquisition, float(np.sqrt(np.prod(np.maximum(step, 1.0))))))
    keep_x = np.abs(np.fft.fftfreq(image.shape[0])) <= 0.5 / max(step[0], 1.0)
    keep_y = np.fft.rfftfreq(image.shape[1]) <= 0.5 / max(step[1], 1.0)
    spectrum *= keep_x[:, None] & keep_y[None, :]
    filtered = np.fft.irfft2(spectrum, image.shape)
    return np.abs(filtered).astype(np.float32) if acquisition.rician else filtered.astype(np.float32)


def average_along(
    image: Array, target: Array, shift_px: tuple[float, float], *, n_steps: int = 3
) -> tuple[Array, Array]:
    """Average image and target over a thick slice that the cord crosses obliquely.

    Parameters
    ----------
    image, target : (H, W) float32 arrays
        Slice and what is to be found in it.
    shift_px : (float, float)
        In-plane way of the anatomy from one face of the slice to the other.
    n_steps : int, optional
        Number of positions averaged.
    """
    if max(abs(shift_px[0]), abs(shift_px[1])) < 0.3:
        return image, target
    shifts = [(t * shift_px[0], t * shift_px[1]) for t in np.linspace(-0.5, 0.5, n_steps)]
    mean_image, mean_target = (
        np.mean([ndimage.shift(array, shift, order=1, mode="nearest") for shift in shifts], axis=0)
        for array in (image, target)
    )
    return mean_image, mean_target


def draw_valid(
    rng: np.random.Generator,
    shape: tuple[int, int],
    zoom_mm: float,
    centre_mm: tuple[float, float] | None,
) -> np.ndarray:
    """Draw the field of view: mostly whole, else cut at some borders, rarely as small as 24 mm around the cord."""
    valid = np.ones(shape, bool)
    choice = rng.uniform()
    if choice < 0.68:
        return valid
    size_mm = np.array(shape) * zoom_mm
    if choice < 0.9:
        low = np.where(rng.uniform(size=2) < 0.4, rng.uniform(0, 0.35, 2), 0) * size_mm
        high = size_mm - np.where(rng.uniform(size=2) < 0.4, rng.uniform(0, 0.35, 2), 0) * size_mm
    else:
        width = rng.uniform(22, 45, 2)
        middle = np.zeros(2) if centre_mm is None else np.array(centre_mm)
        low = (size_mm - width) / 2 + middle + rng.uniform(-6, 6, 2)
        high = low + width
    valid[...] = False
    rows, columns = (
        slice(max(0, round(a / zoom_mm)), max(0, round(b / zoom_mm))) for a, b in zip(low, high, strict=True)
    )
    valid[rows, columns] = True
    return valid if valid.sum() > 100 else np.ones(shape, bool)


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


def fade_to_front(rng: np.random.Generator, image: Array, *, zoom_mm: float) -> Array:
    """Let the brightness fall off to the front (the end of the second axis), as with a coil under the back.

    In the middle of the image it stays as it is, so that the noise does not drown the spine.
    """
    away_mm = (np.arange(image.shape[1], dtype=np.float32) - np.float32(image.shape[1] / 2)) * np.float32(zoom_mm)
    return np.asarray(image * np.minimum(np.exp(-away_mm / np.float32(rng.uniform(25, 120))), 4), np.float32)


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
