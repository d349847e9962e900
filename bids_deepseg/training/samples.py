"""Make training samples: a standardised patch and what the network is to answer.

Terms: a *sample* is one patch; a *stream* is an endless, reproducible sequence of samples: sample ``n`` of a stream
depends on the seed and on ``n`` alone.
"""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.stages.intensity import standardise_patches
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.synthesis.acquisition import (
    Acquisition,
    acquire,
    average_along,
    distort,
    draw_acquisition,
    draw_valid,
    fade_to_front,
    spoil,
    with_long_pixels,
)
from bids_deepseg.training.synthesis.fields import Array, PixelGrid
from bids_deepseg.training.synthesis.remapping import cut_slice, remap
from bids_deepseg.training.synthesis.scene import LUMBAR_SUBJECTS, Scene, paint_nothing, paint_scene
from bids_deepseg.training.synthesis.shapes import ShapeBank

#: Pixels painted around a patch and cut off at the end, so that filters see no border.
MARGIN_PX = 6
#: What the slices without cord show; the end of the cord is what is hardest to tell.
SUBJECTS_WITHOUT_CORD = (
    "cauda", "cauda", "cauda", "tissue", "tissue", "limb", "limb", "brain", "brainstem", "brainstem", "nothing",
)  # fmt: skip
#: Standard deviation of the detection target.
DETECTION_SIGMA_MM = 2.5


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What the stream of one network shows.

    Attributes
    ----------
    task : str
        "segmentation" (target: fraction of cord) or "detection" (target: Gaussian at the cord's centre).
    patch_shape : (int, int)
        Pixels of a patch.
    zoom_mm : float
        Pixel size.
    real_fraction : float
        Share of samples cut from real images.
    without_cord : float
        Share of the painted samples that show no cord.
    shift_mm : float
        Largest distance of the cord from the centre of the patch, along each axis.
    n_slices : int, optional
        Consecutive slices of a sample; 1 for a network that sees one slice at a time.
    lumbar : float, optional
        Share of the painted samples that show the conus, or the roots below it, as often as each other.
    long_pixels : float, optional
        Share of all samples with the long pixels across the body that sagittal images have.
    """

    task: str
    patch_shape: tuple[int, int]
    zoom_mm: float
    real_fraction: float
    without_cord: float
    shift_mm: float
    n_slices: int = 1
    lumbar: float = 0.0
    long_pixels: float = 0.0

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the array of one sample: (H, W), or (D, H, W) for several slices."""
        return self.patch_shape if self.n_slices == 1 else (self.n_slices, *self.patch_shape)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A standardised patch, its target in [0, 1] and its valid pixels, each (H, W), or (D, H, W) of several slices."""

    patch: Array
    target: Array
    valid: np.ndarray


@dataclass(frozen=True, slots=True)
class SampleStream:
    """Make the samples of one network from label shapes and real images."""

    settings: SampleSettings
    bank: ShapeBank
    images: tuple[RealImage, ...]
    seed: int

    def sample(self, index: int) -> Sample:
        """Return sample number ``index``."""
        rng = np.random.default_rng([self.seed, index])
        if self.usable_images() and rng.uniform() < self.settings.real_fraction:
            return self._real(rng)
        return self._painted(rng)

    def usable_images(self) -> tuple[RealImage, ...]:
        """Return the images that can teach this task: marked centres are no outlines."""
        if self.settings.task == "detection":
            return self.images
        return tuple(image for image in self.images if image.mask is not None or np.isnan(image.centre_ij).all())

    def grid(self) -> PixelGrid:
        """Return the pixels that are painted or cut: a patch and its margin."""
        height, width = self.settings.patch_shape
        return PixelGrid((height + 2 * MARGIN_PX, width + 2 * MARGIN_PX), self.settings.zoom_mm)

    def _painted(self, rng: np.random.Generator) -> Sample:
        """Paint a slice and acquire it."""
        settings, grid = self.settings, self.grid()
        subject = draw_subject(rng, settings)
        centre = draw_shift(rng, settings.shift_mm)
        if subject == "nothing":
            scene = paint_nothing(rng, grid)
        else:
            scene = paint_scene(rng, grid, self.bank, subject=subject, centre_mm=centre)
        drift = rng.normal(0, 0.8, 2) if rng.uniform() < 0.5 else np.zeros(2)
        step = (float(drift[0] / grid.zoom_mm), float(drift[1] / grid.zoom_mm))
        image, cord = average_along(scene.image, scene.cord, step)
        if scene.tissues.mode == "dwi" and scene.centre_mm is not None and rng.uniform() < 0.5:
            image, cord = distort(rng, image, cord, zoom_mm=grid.zoom_mm)
        contrast = abs(scene.tissues.csf - scene.tissues.white)
        if subject in LUMBAR_SUBJECTS and rng.uniform() < 0.5:
            image = fade_to_front(rng, image, zoom_mm=grid.zoom_mm)
        noisy = scene.tissues.mode in ("dwi", "t1_faint") or subject == "nothing"
        image = self._acquire(rng, image, draw_acquisition(rng, noisy=noisy, contrast=contrast))
        scene = Scene(image, cord, scene.centre_mm, scene.tissues)
        valid = np.ones(grid.shape, bool)
        return self.finish(rng, scene.image, scene.cord, valid, scene.centre_mm)

    def _real(self, rng: np.random.Generator) -> Sample:
        """Cut a slice from a real image, remap it and acquire it again."""
        images = self.usable_images()
        source = draw_image(rng, images, self.settings.task)
        k = int(rng.choice(source.slices))
        grid = self.grid()
        cut = cut_slice(rng, grid, source, k=k, point_ij=self.point(rng, source, k))
        known = cut.cord if source.mask is not None and cut.cord.max() > 0.5 else None
        image = remap(rng, cut.image, known)
        if rng.uniform() < 0.75:
            image = self._acquire(rng, image, draw_acquisition(rng, noisy=False))
        return self.finish(rng, image, cut.cord, cut.valid, cut.centre_mm)

    def _acquire(self, rng: np.random.Generator, image: Array, acquisition: Acquisition) -> Array:
        """Acquire a slice, some with long pixels across the body, and spoil some."""
        image = acquire(rng, image, self.lengthen(rng, acquisition), zoom_mm=self.grid().zoom_mm)
        return spoil(rng, image, zoom_mm=self.grid().zoom_mm)

    def lengthen(self, rng: np.random.Generator, acquisition: Acquisition) -> Acquisition:
        """Give the share of the acquisitions that the settings name long pixels across the body."""
        if self.settings.long_pixels and rng.uniform() < self.settings.long_pixels:
            return with_long_pixels(rng, acquisition)
        return acquisition

    def point(self, rng: np.random.Generator, source: RealImage, k: int) -> tuple[float, float]:
        """Draw the point of the image that becomes the centre of the patch."""
        centre = source.centre_ij[k]
        anywhere = 0.06 if self.settings.task == "segmentation" else 0.35
        if np.isnan(centre).any() or rng.uniform() < anywhere:
            bright = np.argwhere(source.data[::4, ::4, k] > 0.08) * 4.0
            if len(bright):
                centre = bright[rng.integers(len(bright))]
            else:
                centre = np.array(source.data.shape[:2]) * rng.uniform(0.2, 0.8, 2)
        shift = np.array(draw_shift(rng, self.settings.shift_mm)) / np.array(source.zooms_mm[:2])
        return float(centre[0] + shift[0]), float(centre[1] + shift[1])

    def finish(
        self,
        rng: np.random.Generator,
        image: Array,
        cord: Array,
        valid: np.ndarray,
        centre_mm: tuple[float, float] | None,
    ) -> Sample:
        """Cut the margin off, draw the field of view, standardise, and make the target."""
        inner = slice(MARGIN_PX, -MARGIN_PX)
        image, cord, valid = image[inner, inner], cord[inner, inner], valid[inner, inner]
        valid = valid & draw_valid(rng, self.settings.patch_shape, self.settings.zoom_mm, centre_mm)
        image = _blank_border(rng, image)
        patch = standardise_patches(image[None], valid[None])[0]
        is_detection = self.settings.task == "detection"
        target = gaussian_target(self.settings, centre_mm) if is_detection else np.clip(cord, 0, 1)
        if not patch.any():
            # An image without contrast shows nothing.
            target = np.zeros_like(target)
        return Sample(patch, (target * valid).astype(np.float32), valid)


def draw_subject(rng: np.random.Generator, settings: SampleSettings) -> str:
    """Draw what a painted slice shows."""
    if settings.lumbar and rng.uniform() < settings.lumbar:
        return str(rng.choice(LUMBAR_SUBJECTS))
    if rng.uniform() < settings.without_cord:
        return str(rng.choice(SUBJECTS_WITHOUT_CORD))
    return "cord"


def gaussian_target(settings: SampleSettings, centre_mm: tuple[float, float] | None) -> Array:
    """Return the detection target: 1 at the cord's centre, falling off with 2.5 mm; 0 everywhere without cord."""
    if centre_mm is None:
        return np.zeros(settings.patch_shape, np.float32)
    x, y = PixelGrid(settings.patch_shape, settings.zoom_mm).positions_mm()
    squared = (x - np.float32(centre_mm[0])) ** 2 + (y - np.float32(centre_mm[1])) ** 2
    target: Array = np.exp(-squared / np.float32(2 * DETECTION_SIGMA_MM**2))
    return target


def draw_shift(rng: np.random.Generator, largest_mm: float) -> tuple[float, float]:
    """Draw a shift within a square, denser in the middle."""
    shift = rng.uniform(-1, 1, 2) * largest_mm * rng.uniform(0.2, 1)
    return float(shift[0]), float(shift[1])


def draw_image(rng: np.random.Generator, images: tuple[RealImage, ...], task: str) -> RealImage:
    """Draw a real image with the weights of its kind."""
    weights = np.array([_weight(image, task) for image in images])
    return images[rng.choice(len(images), p=weights / weights.sum())]


def _weight(image: RealImage, task: str) -> float:
    """Weigh an image: each labelled image counts alike.

    Images without outlines are few, and the decision that there is no cord rests on them: they count more in detection.
    """
    if image.mask is not None:
        return 1.0
    return 0.1 if task == "segmentation" else 1.1 * image.weight


def _blank_border(rng: np.random.Generator, image: Array) -> Array:
    """Blank the image outside a random rectangle in some samples, as cropped or saturated images are."""
    if rng.uniform() > 0.06:
        return image
    image = image.copy()
    axis, n = int(rng.integers(2)), image.shape[0]
    width = int(rng.integers(2, max(3, n // 3)))
    border: list[slice] = [slice(None), slice(None)]
    border[axis] = slice(0, width) if rng.uniform() < 0.5 else slice(n - width, n)
    image[tuple(border)] = 0
    return image
