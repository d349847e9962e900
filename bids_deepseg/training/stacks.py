"""Make training samples of consecutive slices, for the network that sees a stack of slices.

The slices of a stack show one scene or one participant: they are painted or cut with the same random numbers, but with
the spine moved from slice to slice, and each with its own noise.
"""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.training.samples import (
    Sample,
    SampleStream,
    draw_image,
    draw_shift,
    draw_subject,
)
from bids_deepseg.training.synthesis.acquisition import Acquisition, acquire, average_along, draw_acquisition, spoil
from bids_deepseg.training.synthesis.fields import Array
from bids_deepseg.training.synthesis.remapping import cut_slice, remap
from bids_deepseg.training.synthesis.scene import paint_nothing, paint_scene

#: Distance of neighbouring slices that are painted.
_SLICE_MM = (0.5, 10.0)
#: Standard deviation of the slope of the spine against the slices, 10 degrees, and of movements between slices.
_SLOPE = 0.18
_JITTER_MM = 0.25


@dataclass(frozen=True, slots=True)
class StackStream:
    """Make stacks of ``slices.settings.n_slices`` slices; sample ``n`` depends on the seed and on ``n`` alone."""

    slices: SampleStream

    def sample(self, index: int) -> Sample:
        """Return sample number ``index``: arrays of shape (D, H, W)."""
        stream = self.slices
        rng = np.random.default_rng([stream.seed, index])
        if stream.usable_images() and rng.uniform() < stream.settings.real_fraction:
            return self._real(rng)
        return self._painted(rng)

    def _painted(self, rng: np.random.Generator) -> Sample:
        """Paint one scene several times, with the spine moved along its course, and acquire each slice."""
        stream, settings, grid = self.slices, self.slices.settings, self.slices.grid()
        subject = draw_subject(rng, settings)
        start = np.array(draw_shift(rng, settings.shift_mm / 2))
        seed = int(rng.integers(2**32))
        step_mm = float(np.exp(rng.uniform(*np.log(_SLICE_MM))))
        course = _draw_course(rng, settings.n_slices, step_mm, settings.shift_mm)
        drift = np.diff(course, axis=0, append=course[-1:]) / grid.zoom_mm
        acquisition, parts = None, []
        for shift, move in zip(course, drift, strict=True):
            centre = (float(start[0] + shift[0]), float(start[1] + shift[1]))
            scene_rng = np.random.default_rng([seed, 1])
            if subject == "nothing":
                scene = paint_nothing(scene_rng, grid)
            else:
                scene = paint_scene(scene_rng, grid, stream.bank, subject=subject, centre_mm=centre)
            image, cord = average_along(scene.image, scene.cord, (float(move[0]), float(move[1])))
            if acquisition is None:
                noisy = scene.tissues.mode in ("dwi", "t1_faint") or subject == "nothing"
                contrast = abs(scene.tissues.csf - scene.tissues.white)
                acquisition = stream.lengthen(rng, draw_acquisition(rng, noisy=noisy, contrast=contrast))
            image = acquire(np.random.default_rng([seed, 2]), image, acquisition, zoom_mm=grid.zoom_mm, noise_rng=rng)
            image = spoil(np.random.default_rng([seed, 3]), image, zoom_mm=grid.zoom_mm)
            valid = np.ones(grid.shape, bool)
            parts.append(
                stream.finish(np.random.default_rng([seed, 4]), image, cord, valid, scene.centre_mm and (0.0, 0.0))
            )
        return _stack(parts, backwards=rng.uniform() < 0.5)

    def _real(self, rng: np.random.Generator) -> Sample:
        """Cut consecutive slices from a real image, remap them together and acquire each again."""
        stream, settings, grid = self.slices, self.slices.settings, self.slices.grid()
        source = draw_image(rng, stream.usable_images(), settings.task)
        middle = int(rng.choice(source.slices))
        every = int(rng.integers(1, 4)) if source.zooms_mm[2] < 1.6 else 1
        offsets = (np.arange(settings.n_slices) - settings.n_slices // 2) * every
        # Beyond the ends of what is known the last slice is repeated, as the application does.
        levels = np.clip(middle + offsets, source.slices[0], source.slices[-1])
        point = np.array(stream.point(rng, source, middle))
        seed = int(rng.integers(2**32))
        cuts = []
        for k in levels:
            moved = point + _jitter(rng) / np.array(source.zooms_mm[:2])
            cuts.append(
                cut_slice(
                    np.random.default_rng([seed, 1]),
                    grid,
                    source,
                    k=int(k),
                    point_ij=(float(moved[0]), float(moved[1])),
                )
            )
        cord = np.concatenate([cut.cord for cut in cuts])
        known = cord if source.mask is not None and cord.max() > 0.5 else None
        images = np.split(remap(rng, np.concatenate([cut.image for cut in cuts]), known), settings.n_slices)
        again = rng.uniform() < 0.75
        acquisition = stream.lengthen(rng, draw_acquisition(rng, noisy=False))
        parts = []
        for image, cut in zip(images, cuts, strict=True):
            scanned = _acquire(rng, seed, image, acquisition, grid.zoom_mm) if again else image
            middle_mm = None if cut.centre_mm is None else (0.0, 0.0)
            parts.append(stream.finish(np.random.default_rng([seed, 4]), scanned, cut.cord, cut.valid, middle_mm))
        return _stack(parts, backwards=rng.uniform() < 0.5)


def _acquire(rng: np.random.Generator, seed: int, image: Array, acquisition: Acquisition, zoom_mm: float) -> Array:
    """Acquire and spoil a slice as the others of its stack, ``seed``, but with noise of its own."""
    image = acquire(np.random.default_rng([seed, 2]), image, acquisition, zoom_mm=zoom_mm, noise_rng=rng)
    return spoil(np.random.default_rng([seed, 3]), image, zoom_mm=zoom_mm)


def _draw_course(rng: np.random.Generator, n: int, step_mm: float, largest_mm: float) -> np.ndarray:
    """Draw the way of the spine through ``n`` slices: shifts (n, 2) in mm."""
    along_mm = (np.arange(n) - (n - 1) / 2) * step_mm
    shifts = along_mm[:, None] * rng.normal(0, _SLOPE, 2)
    if rng.uniform() < 0.3:
        shifts = shifts + rng.normal(0, _JITTER_MM, (n, 2))
    return np.clip(shifts, -largest_mm, largest_mm)


def _jitter(rng: np.random.Generator) -> np.ndarray:
    """Draw a movement between slices in mm: none in most."""
    return rng.normal(0, _JITTER_MM, 2) if rng.uniform() < 0.2 else np.zeros(2)


def _stack(parts: list[Sample], *, backwards: bool) -> Sample:
    """Join slices in their order or against it."""
    ordered = parts[::-1] if backwards else parts
    patch: Array = np.stack([part.patch for part in ordered])
    return Sample(patch, np.stack([part.target for part in ordered]), np.stack([part.valid for part in ordered]))
