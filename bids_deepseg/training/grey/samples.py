"""Make training samples of the grey matter network: a patch around the cord, and its fraction of grey matter.

The images have masks of cord and grey matter. Painted slices come from :mod:`bids_deepseg.training.synthesis.scene`
with white matter only; grey matter is laid over the cord here, so that its contrast is under control: in a slice in
which it cannot be seen there is nothing to learn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bids_deepseg.stages.intensity import standardise_patches
from bids_deepseg.training.samples import Sample, SampleSettings
from bids_deepseg.training.sources import RealImage, find_labelled, load_labelled, load_shapes, read_canonical
from bids_deepseg.training.synthesis.acquisition import Acquisition, acquire, average_along, draw_acquisition
from bids_deepseg.training.synthesis.acquisition import draw_valid as draw_field_of_view
from bids_deepseg.training.synthesis.fields import Array, PixelGrid, smooth_field
from bids_deepseg.training.synthesis.remapping import cut_slice, remap
from bids_deepseg.training.synthesis.scene import Scene, paint_scene
from bids_deepseg.training.synthesis.shapes import CordShape, ShapeBank
from bids_deepseg.training.synthesis.tissues import Tissues, draw_tissues


@dataclass(frozen=True, slots=True, eq=False)
class GreyImage:
    """An image with two masks.

    Attributes
    ----------
    cord, grey : RealImage
        The same image, slices and centres, with the mask of the cord and with that of grey matter.
    """

    cord: RealImage
    grey: RealImage


def find_grey(data_dir: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Yield each training image that has manual masks of the cord and of grey matter, with both."""
    for image, cord in find_labelled(data_dir):
        grey = cord.with_name(cord.name.replace("_label-SC_", "_label-GM_"))
        if grey.is_file():
            yield image, cord, grey


def load_grey_images(data_dir: Path, held_out: tuple[str, ...]) -> tuple[GreyImage, ...]:
    """Load the images with grey matter, but those of the held-out participants."""
    images = []
    for image, cord_path, grey_path in find_grey(data_dir):
        if any(f"sub-{participant}" in image.parts for participant in held_out):
            continue
        cord = load_labelled(image, cord_path)
        mask = (read_canonical(grey_path)[0] > 0).astype(np.float32)
        slices = np.intersect1d(cord.slices, np.flatnonzero(mask.any(axis=(0, 1))))
        cord = replace(cord, slices=slices)
        images.append(GreyImage(cord, replace(cord, mask=mask)))
    return tuple(images)


def load_grey_shapes(data_dir: Path, held_out: tuple[str, ...]) -> ShapeBank:
    """Load the cord shapes but those of the held-out participants, those with hand-drawn grey matter several times.

    Only the template has both grey matter and a canal.
    """
    shapes: list[CordShape] = []
    for shape in load_shapes(data_dir, held_out).shapes:
        if shape.grey is None:
            shapes.append(shape)
        elif shape.canal_mm is None:
            shapes += _DRAWN_WEIGHT * [shape]
        else:
            raised = np.where(shape.grey > 0.02, shape.grey + np.float32(0.5 - _TEMPLATE_LEVEL), 0)
            shapes.append(replace(shape, grey=raised.astype(np.float32)))
    return ShapeBank(tuple(shapes))


#: Weight of a cord with hand-drawn grey matter against one of the template, whose 126 slices are much alike.
_DRAWN_WEIGHT = 4
#: Value of the probabilistic template at the border of grey matter. At 0.5 its horns and commissure, which are thin,
#: would be lost where participants differ.
_TEMPLATE_LEVEL = 0.42

#: Pixels painted around a patch and cut off at the end, so that filters see no border.
_MARGIN_PX = 6
#: How often a contrast that was drawn for cords is kept: T2*w and MT show grey matter best.
_KEPT_MODES = {"t2s": 1.0, "mt": 1.0, "t2": 0.5, "t1": 0.25, "t1_faint": 0.15, "dwi": 0.15, "random": 0.35}
#: Weightings in which grey matter is darker than white matter.
_DARK_MODES = ("t1", "t1_faint", "dwi")
#: Grey over white matter, bright and dark; in the T2*w images of the training data the ratio is 1.08-1.27.
_BRIGHT = (1.05, 1.4)
_DARK = (0.7, 0.95)
#: Range of the native pixel in mm.
_NATIVE_MM = (0.25, 0.95)
#: A remapped slice keeps at least this part of the contrast of grey and white matter over the spread of the latter.
_KEPT_CONTRAST = 0.7


@dataclass(frozen=True, slots=True)
class GreyStream:
    """Make the samples of the grey matter network; sample ``n`` depends on the seed and on ``n`` alone."""

    settings: SampleSettings
    bank: ShapeBank
    images: tuple[GreyImage, ...]
    seed: int

    def sample(self, index: int) -> Sample:
        """Return sample number ``index``."""
        rng = np.random.default_rng([self.seed, index])
        if self.images and rng.uniform() < self.settings.real_fraction:
            return self._real(rng)
        return self._painted(rng)

    def _grid(self) -> PixelGrid:
        height, width = self.settings.patch_shape
        return PixelGrid((height + 2 * _MARGIN_PX, width + 2 * _MARGIN_PX), self.settings.zoom_mm)

    def _shift_mm(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw the place of the cord in the patch, denser in the middle."""
        x, y = rng.uniform(-1, 1, 2) * self.settings.shift_mm * rng.uniform(0, 1)
        return float(x), float(y)

    def _painted(self, rng: np.random.Generator) -> Sample:
        """Paint a slice and acquire it."""
        grid, tissues, centre_mm = self._grid(), _draw_tissues(rng), self._shift_mm(rng)
        if rng.uniform() < self.settings.without_cord:
            scene = paint_scene(rng, grid, self.bank, subject="cauda", centre_mm=centre_mm, tissues=tissues)
            return self._finish(rng, scene.image, np.zeros(grid.shape, np.float32), np.ones(grid.shape, bool))
        scene = self._paint_with_grey(rng, grid, tissues, centre_mm)
        grey = _sharpen(rng, scene.grey) if scene.grey is not None else np.zeros(grid.shape, np.float32)
        contrast = tissues.white * (_draw_ratio(rng, tissues.mode) - 1)
        shading = 1 + np.float32(rng.uniform(0, 0.25)) * smooth_field(rng, grid.shape, 3 / grid.zoom_mm)
        image = (scene.image + grey * np.float32(contrast) * shading).astype(np.float32)
        drift = rng.normal(0, 0.5, 2) if rng.uniform() < 0.5 else np.zeros(2)
        step = (float(drift[0] / grid.zoom_mm), float(drift[1] / grid.zoom_mm))
        image, grey = average_along(image, grey, step)
        image = acquire(rng, image, _draw_acquisition(rng, abs(contrast)), zoom_mm=grid.zoom_mm)
        return self._finish(rng, image, grey, np.ones(grid.shape, bool))

    def _paint_with_grey(
        self, rng: np.random.Generator, grid: PixelGrid, tissues: Tissues, centre_mm: tuple[float, float]
    ) -> Scene:
        """Paint until the cord has grey matter: the painter leaves it out now and then."""
        for _ in range(12):
            scene = paint_scene(rng, grid, self.bank, subject="cord", centre_mm=centre_mm, tissues=tissues)
            if scene.grey is not None:
                break
        return scene

    def _real(self, rng: np.random.Generator) -> Sample:
        """Cut a slice from a real image, remap it and acquire it again."""
        source = self.images[rng.integers(len(self.images))]
        k = int(rng.choice(source.cord.slices))
        grid = self._grid()
        shift = np.array(self._shift_mm(rng)) / np.array(source.cord.zooms_mm[:2])
        point = (float(source.cord.centre_ij[k, 0] + shift[0]), float(source.cord.centre_ij[k, 1] + shift[1]))
        # The same draws give the same cut, once with the cord and once with the grey matter as the mask.
        seed = int(rng.integers(2**62))
        cut = cut_slice(np.random.default_rng(seed), grid, source.cord, k=k, point_ij=point)
        grey = cut_slice(np.random.default_rng(seed), grid, source.grey, k=k, point_ij=point).cord
        grey = np.minimum(grey, cut.cord)
        image = remap(rng, cut.image, cut.cord, unchanged=0.45)
        before, after = _contrast(cut.image, cut.cord, grey), _contrast(image, cut.cord, grey)
        if abs(after[1]) < _KEPT_CONTRAST * abs(before[1]):
            image, after = cut.image, before
        if rng.uniform() < 0.6:
            image = acquire(rng, image, _draw_acquisition(rng, abs(after[0])), zoom_mm=grid.zoom_mm)
        return self._finish(rng, image, grey, cut.valid)

    def _finish(self, rng: np.random.Generator, image: Array, grey: Array, valid: np.ndarray) -> Sample:
        """Cut the margin off, draw the field of view and standardise."""
        inner = slice(_MARGIN_PX, -_MARGIN_PX)
        image, grey, valid = image[inner, inner], grey[inner, inner], valid[inner, inner]
        if rng.uniform() < 0.15:
            valid = valid & draw_field_of_view(rng, self.settings.patch_shape, self.settings.zoom_mm, (0.0, 0.0))
        patch = standardise_patches(image[None], valid[None])[0]
        target = np.clip(grey, 0, 1) if patch.any() else np.zeros_like(grey)
        return Sample(patch, (target * valid).astype(np.float32), valid)


def _draw_tissues(rng: np.random.Generator) -> Tissues:
    """Draw the tissues of a slice with grey matter as bright as white matter; the former is painted later."""
    for _ in range(64):
        tissues = draw_tissues(rng)
        if rng.uniform() < _KEPT_MODES.get(tissues.mode, 0.3):
            break
    return replace(tissues, grey=tissues.white)


def _draw_ratio(rng: np.random.Generator, mode: str) -> float:
    """Draw the brightness of grey over white matter."""
    dark = mode in _DARK_MODES or (mode == "random" and rng.uniform() < 0.3)
    return float(np.exp(rng.uniform(*np.log(_DARK if dark else _BRIGHT))))


def _draw_acquisition(rng: np.random.Generator, contrast: float) -> Acquisition:
    """Draw an acquisition with small pixels, whose noise is at most as strong as the contrast of grey matter."""
    drawn = draw_acquisition(rng, noisy=False, contrast=1.25 * contrast)
    pixel = float(np.exp(rng.uniform(*np.log(_NATIVE_MM))))
    ratio = float(np.exp(rng.normal(0, 0.1))) if rng.uniform() < 0.2 else 1.0
    return replace(drawn, native_mm=(pixel * ratio, pixel / ratio))


def _sharpen(rng: np.random.Generator, grey: Array) -> Array:
    """Make the soft border of grey matter (a probabilistic template has a wide one) steeper, thicker or thinner."""
    level, slope = np.float32(rng.uniform(0.38, 0.62)), np.float32(rng.uniform(1.0, 2.5))
    # What is outside stays outside: the ramp starts where there is some grey matter.
    ramp = np.clip((grey - level) * slope + np.float32(0.5), 0, 1)
    return np.asarray(np.where(grey > 0.02, ramp, 0), np.float32)


def _contrast(image: Array, cord: Array, grey: Array) -> tuple[float, float]:
    """Return mean grey minus mean white matter, in units of brightness and of the spread of white matter."""
    inside, white = grey > 0.6, (cord > 0.95) & (grey < 0.1)
    if inside.sum() < 8 or white.sum() < 8:
        return 0.0, 0.0
    difference = float(image[inside].mean() - image[white].mean())
    return difference, difference / max(float(image[white].std()), 1e-6)
