"""Make the slices from which the linear detectors learn: real, cut and painted ones of one contrast.

Terms: a *detector slice* has pixels of 1 mm and the integers from 0 to 255, as the detector sees it in the application
(:mod:`bids_deepseg.methods.optic.centerline`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.methods.optic.centerline import to_detector_pixels, to_eight_bit
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.synthesis.acquisition import acquire, average_along, draw_acquisition
from bids_deepseg.training.synthesis.fields import Array, PixelGrid
from bids_deepseg.training.synthesis.remapping import apply_curve, cut_slice, draw_curve
from bids_deepseg.training.synthesis.scene import paint_scene
from bids_deepseg.training.synthesis.shapes import ShapeBank
from bids_deepseg.training.synthesis.tissues import draw_tissues

#: Pixels of a cut or painted slice, and those painted around it that are cut off, so that filters see no border.
_SIZE_PX, _MARGIN_PX = 84, 6
#: What painted slices show.
_SUBJECTS = ("cord", "cord", "cord", "cord", "cord", "cord", "cord", "cauda", "tissue", "brain")
#: Every n-th slice of volumes with thin slices is enough: neighbours are alike.
_THIN_MM, _EVERY_THIN = 2.0, 5


@dataclass(frozen=True, slots=True)
class ContrastSources:
    """What shows a contrast.

    Attributes
    ----------
    modes : tuple of str
        Modes of painted tissues.
    suffix : str
        BIDS suffix of its real images, empty if there are none.
    inverted : bool
        Whether real images with dark cords serve as well, after a tone curve that makes the cord brighter than the
        fluid.
    """

    modes: tuple[str, ...]
    suffix: str
    inverted: bool


SOURCES: Mapping[str, ContrastSources] = MappingProxyType(
    {
        "t1": ContrastSources(("t1", "t1_faint"), "_T1w", inverted=True),
        "t2": ContrastSources(("t2",), "_T2w", inverted=False),
        "t2s": ContrastSources(("t2s", "mt"), "_T2starw", inverted=False),
        "dwi": ContrastSources(("dwi",), "", inverted=True),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class DetectorSlice:
    """A detector slice (I, J) and the centre of its cord in pixels (2,), NaN where there is none."""

    image: Array
    centre_ij: NDArray[np.float64]


def whole_slices(image: RealImage) -> list[DetectorSlice]:
    """Return slices of a real image just as the application makes them."""
    eight_bit = to_eight_bit(image.data)
    slices = image.slices[:: _EVERY_THIN if image.zooms_mm[2] < _THIN_MM else 1]
    result = []
    for k in slices:
        pixels = to_detector_pixels(eight_bit[..., k], image.zooms_mm[:2])
        scale = np.array(pixels.shape) / np.array(image.data.shape[:2])
        result.append(DetectorSlice(pixels, image.centre_ij[k] * scale))
    return result


def cut_slices(
    rng: np.random.Generator, images: tuple[RealImage, ...], n: int, *, inverted: bool
) -> list[DetectorSlice]:
    """Cut ``n`` turned, scaled and newly acquired slices out of real images.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    images : tuple of RealImage
        Images to cut; each counts alike.
    n : int
        Number of slices.
    inverted : bool
        Give them a tone curve that makes the cord brighter than what surrounds it; needs masks.
    """
    grid = PixelGrid((_SIZE_PX, _SIZE_PX), 1.0)
    result: list[DetectorSlice] = []
    while images and len(result) < n:
        source = images[rng.integers(len(images))]
        k = int(rng.choice(source.slices))
        middle = np.array(source.data.shape[:2]) * rng.uniform(0.3, 0.7, 2)
        centre = np.where(np.isnan(source.centre_ij[k]), middle, source.centre_ij[k])
        point = centre + rng.uniform(-20, 20, 2) / np.array(source.zooms_mm[:2])
        cut = cut_slice(rng, grid, source, k=k, point_ij=(float(point[0]), float(point[1])))
        image: Array | None = cut.image
        if inverted:
            image = _inverted(rng, cut.image, cut.cord)
        if image is None:
            continue
        image = acquire(rng, image, draw_acquisition(rng, noisy=False), zoom_mm=grid.zoom_mm)
        result.append(_finish(rng, np.where(cut.valid, image, 0), cut.centre_mm))
    return result


def painted_slices(rng: np.random.Generator, bank: ShapeBank, n: int, *, modes: tuple[str, ...]) -> list[DetectorSlice]:
    """Paint ``n`` slices whose tissues have one of the modes."""
    size = _SIZE_PX + 2 * _MARGIN_PX
    grid = PixelGrid((size, size), 1.0)
    inner = slice(_MARGIN_PX, -_MARGIN_PX)
    result: list[DetectorSlice] = []
    while len(result) < n:
        seed = int(rng.integers(2**62))
        # The scene draws its tissues first: this saves painting those of other modes.
        if draw_tissues(np.random.default_rng(seed)).mode not in modes:
            continue
        scene_rng = np.random.default_rng(seed)
        shift = rng.uniform(-25, 25, 2)
        subject = str(rng.choice(_SUBJECTS))
        scene = paint_scene(scene_rng, grid, bank, subject=subject, centre_mm=(float(shift[0]), float(shift[1])))
        if scene.tissues.mode not in modes:
            continue
        step = rng.normal(0, 0.8, 2)
        image, _ = average_along(scene.image, scene.cord, (float(step[0]), float(step[1])))
        noisy = scene.tissues.mode in ("dwi", "t1_faint")
        contrast = abs(scene.tissues.csf - scene.tissues.white)
        image = acquire(rng, image, draw_acquisition(rng, noisy=noisy, contrast=contrast), zoom_mm=grid.zoom_mm)
        result.append(_finish(rng, image[inner, inner], scene.centre_mm))
    return result


def inverting_curve(
    rng: np.random.Generator, image: NDArray[np.floating], cord: NDArray[np.floating]
) -> tuple[Array, Array] | None:
    """Draw a tone curve that makes the cord clearly brighter than its surroundings; None if none was found.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    image, cord : float32 arrays of one shape
        Brightness, and fraction of cord.
    """
    inside = cord > 0.7
    near = ndimage.binary_dilation(cord > 0.3, iterations=2) & (cord < 0.05)
    if inside.sum() < 8 or near.sum() < 8:
        return None
    peak = max(float(np.percentile(image, 99.8)), 1e-3)
    for _ in range(8):
        curve = draw_curve(rng, peak=peak)
        mapped = apply_curve(np.asarray(image, np.float32), curve)
        difference = float(mapped[inside].mean() - mapped[near].mean())
        if difference > 0.3 * float(mapped.std()) and difference > 0.5 * float(mapped[inside].std()):
            return curve
    return None


def _inverted(rng: np.random.Generator, image: Array, cord: Array) -> Array | None:
    """Apply a curve that makes the cord bright."""
    curve = inverting_curve(rng, image, cord)
    return None if curve is None else apply_curve(image, curve)


def _finish(rng: np.random.Generator, image: Array, centre_mm: tuple[float, float] | None) -> DetectorSlice:
    """Turn brightness into 8 bits that need not reach 255, since the brightest voxel may be in another slice."""
    low, high = float(image.min()), float(image.max())
    top = 255 * rng.uniform(0.35, 1)
    pixels = np.floor((image - low) * (top / max(high - low, 1e-6))).astype(np.float32)
    centre = np.full(2, np.nan) if centre_mm is None else np.array(centre_mm) + (np.array(image.shape) - 1) / 2
    inside = np.isfinite(centre).all() and (centre > -0.5).all() and (centre < np.array(image.shape) - 0.5).all()
    return DetectorSlice(pixels, centre if inside else np.full(2, np.nan))
