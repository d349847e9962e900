"""Paint one whole synthetic slice: the label is known because it is painted.

Soft layers from the back to the front: background, organs and vessels, vertebra, epidural space, dura, fluid, roots,
cord. The cord and its canal and the bone each have their own affine and share one mild elastic field.
"""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.stages.border import INSET_MM
from bids_deepseg.training.synthesis import anatomy, spine
from bids_deepseg.training.synthesis.fields import Array, PixelGrid, ellipse, rotate, smooth_field, soft, warp_positions
from bids_deepseg.training.synthesis.shapes import CordShape, ShapeBank, place
from bids_deepseg.training.synthesis.tissues import Tissues, draw_tissues

#: What a slice shows: a cord; a canal with roots only; tissue without a spine; an arm or a leg; a head; a brain stem;
#: the tapering end of the cord among roots, and the crowded roots below it, both in a lumbar vertebra.
SUBJECTS = ("cord", "cauda", "tissue", "limb", "brain", "brainstem", "conus", "roots")
LUMBAR_SUBJECTS = ("conus", "roots")
#: Those with a cord.
WITH_CORD = ("cord", "conus")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A painted slice.

    Attributes
    ----------
    image : (H, W) float32 array
        Brightness, before acquisition.
    cord : (H, W) float32 array
        Fraction of each pixel that is cord by its definition: ``INSET_MM`` inside the border that is painted,
        whatever the contrast.
    centre_mm : (float, float) or None
        Centre of the cord from the centre of the grid; None without cord.
    tissues : Tissues
        Brightness of the tissues.
    grey : (H, W) float32 array or None
        Fraction of each pixel that is grey matter; None where none was painted.
    """

    image: Array
    cord: Array
    centre_mm: tuple[float, float] | None
    tissues: Tissues
    grey: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _PlacedCord:
    """A cord and its canal on the grid; distances in mm, positions relative to the canal's centre.

    ``middle_mm`` is where the middle of the cord lies, to half a millimetre.
    """

    cord_mm: Array
    canal_mm: Array
    grey: Array | None
    size: spine.CanalSize
    middle_mm: tuple[float, float] = (0.0, 0.0)


#: Half widths of the conus along x in mm where it is still a cord, and that of y relative to it.
_CONUS_HALF_X_MM = (2.2, 5.0)
_CONUS_RATIO = (0.75, 1.05)
#: Least area of a cord before it is compressed.
_LEAST_AREA_MM2 = 22.0
_PAINTERS_WITHOUT_SPINE = {
    "brain": anatomy.paint_brain,
    "brainstem": anatomy.paint_brainstem,
    "limb": anatomy.paint_limb,
}


def paint_scene(
    rng: np.random.Generator,
    grid: PixelGrid,
    bank: ShapeBank,
    *,
    subject: str,
    centre_mm: tuple[float, float],
    tissues: Tissues | None = None,
) -> Scene:
    """Paint a slice whose spine, if there is one, is centred at ``centre_mm`` from the centre of the grid."""
    tissues = tissues or draw_tissues(rng)
    x, y = warp_positions(rng, grid, amplitude_mm=float(rng.uniform(0, 0.55)), scale_mm=float(rng.uniform(7, 16)))
    x, y = rotate(x - np.float32(centre_mm[0]), y - np.float32(centre_mm[1]), float(rng.normal(0, 10)))
    image = anatomy.paint_background(rng, x, tissues, grid.zoom_mm)
    no_cord = np.zeros(grid.shape, np.float32)
    if subject in _PAINTERS_WITHOUT_SPINE:
        _PAINTERS_WITHOUT_SPINE[subject](rng, image, x, y, tissues, zoom_mm=grid.zoom_mm)
        return Scene(image, no_cord, None, tissues)
    anatomy.paint_organs(rng, image, x, y, tissues)
    anatomy.paint_blobs(rng, image, x, y, tissues, radius_mm=0 if subject == "tissue" else 14)
    if subject == "tissue":
        anatomy.paint_outline(rng, image, x, y, tissues)
        return Scene(image, no_cord, None, tissues)
    is_lumbar = subject in LUMBAR_SUBJECTS
    if is_lumbar:
        # The lower the vertebra, the more a slice across the body cuts its sac obliquely.
        y = y * np.float32(rng.uniform(0.75, 1))
    placed = _place_conus(rng, x, y, bank) if is_lumbar else _place_cord(rng, x, y, bank)
    u, v = x + np.float32(rng.normal(0, 0.4)), y + np.float32(rng.normal(0, 0.6))
    body_mm = spine.LUMBAR_BODY_MM if is_lumbar else spine.BODY_MM
    spine.paint_vertebra(rng, image, u, v, tissues, placed.size, body_mm=body_mm)
    anatomy.paint_outline(rng, image, x, y, tissues)
    spine.paint_canal(rng, image, x, y, tissues, placed.canal_mm, placed.size)
    root = tissues.white * float(rng.uniform(0.7, 1.1))
    if is_lumbar:
        spine.paint_bundles(rng, image, x, y, placed.canal_mm, root, placed.middle_mm)
    else:
        spine.paint_roots(rng, image, x, y, placed.canal_mm, root, cauda=subject == "cauda")
    if subject not in WITH_CORD:
        return Scene(image, no_cord, None, tissues)
    alpha = soft(placed.cord_mm, grid.zoom_mm)
    spine.paint_cord(rng, image, alpha, placed.grey, tissues, grid.zoom_mm)
    grey = None if placed.grey is None else alpha * placed.grey
    target = soft(placed.cord_mm + np.float32(INSET_MM), grid.zoom_mm)
    return Scene(image, target, _centre_mm(target, grid, centre_mm), tissues, grey)


def _centre_mm(alpha: Array, grid: PixelGrid, fallback_mm: tuple[float, float]) -> tuple[float, float]:
    """Return the centre of mass of the cord, or of its canal where the cord lies outside the grid."""
    total = float(alpha.sum())
    if total * grid.zoom_mm**2 < 8:
        return fallback_mm
    x, y = grid.positions_mm()
    return float((alpha * x).sum() / total), float((alpha * y).sum() / total)


def _place_cord(rng: np.random.Generator, x: Array, y: Array, bank: ShapeBank) -> _PlacedCord:
    """Scale, flatten, turn and shift a shape within its canal; invent the canal where it is not known."""
    shape = bank.draw(rng)
    flatten = float(rng.uniform(0.62, 1.0)) if rng.uniform() < 0.35 else float(rng.uniform(0.92, 1.05))
    smallest = float(np.sqrt(_LEAST_AREA_MM2 / (np.pi * shape.half_mm[0] * shape.half_mm[1] * flatten)))
    scale = max(float(rng.uniform(0.7, 1.2)), smallest)
    flip = 1.0 if rng.uniform() < 0.5 else -1.0
    u, v = rotate(x * np.float32(flip / scale), y / np.float32(scale * flatten), float(rng.normal(0, 3)))
    mean_scale = np.float32(scale * np.sqrt(flatten))
    half_x, half_y = shape.half_mm[0] * scale, shape.half_mm[1] * scale * flatten
    if shape.canal_mm is not None and rng.uniform() < 0.75:
        wider = float(rng.uniform(0.9, 1.15))
        canal = place(shape.canal_mm, u / np.float32(wider), v / np.float32(wider)) * mean_scale * np.float32(wider)
        shift = (float(rng.normal(0, 0.3)), float(rng.normal(0, 0.4)))
        size = spine.CanalSize(half_x + 3.0, half_y + 2.5)
    else:
        size = spine.CanalSize(half_x + float(rng.uniform(0.8, 5.5)), half_y + float(rng.uniform(0.4, 4.5)))
        canal = ellipse(x, y, size.half_x_mm, size.half_y_mm)
        slack_y = size.half_y_mm - half_y
        shift = (float(rng.normal(0, 0.5)), float(rng.uniform(-1, 1)) * slack_y)
    u, v = u - np.float32(shift[0] / scale), v - np.float32(shift[1] / (scale * flatten))
    cord = place(shape.cord_mm, u, v) * mean_scale
    if rng.uniform() < 0.12:
        cord = _compress(rng, cord, u * np.float32(scale), v * np.float32(scale * flatten), half_y)
    # The dura encloses the cord: where both overlap, it lies on the cord with a film of fluid or none.
    canal = np.minimum(canal, cord - np.float32(rng.uniform(0.0, 0.6)))
    return _PlacedCord(cord, canal, _place_grey(rng, bank, shape, u, v), size)


def _place_conus(rng: np.random.Generator, x: Array, y: Array, bank: ShapeBank) -> _PlacedCord:
    """Shrink a shape to the size of the conus, in a lumbar sac, mostly in its middle or at its back."""
    shape = bank.draw(rng)
    half_x = float(rng.uniform(*_CONUS_HALF_X_MM))
    half_y = half_x * float(rng.uniform(*_CONUS_RATIO))
    size = spine.CanalSize(float(rng.uniform(6.5, 11.5)), max(float(rng.uniform(4.5, 9)), half_y + 0.5))
    slack = size.half_y_mm - half_y
    middle = (float(rng.normal(0, 0.7)), float(rng.uniform(-1, 0.4)) * slack)
    scales = half_x / shape.half_mm[0], half_y / shape.half_mm[1]
    u, v = (x - np.float32(middle[0])) / np.float32(scales[0]), (y - np.float32(middle[1])) / np.float32(scales[1])
    cord = place(shape.cord_mm, u, v) * np.float32(np.sqrt(scales[0] * scales[1]))
    canal = ellipse(x, y, size.half_x_mm, size.half_y_mm)
    canal = np.minimum(canal, cord - np.float32(rng.uniform(0.0, 0.6)))
    return _PlacedCord(cord, canal, _place_grey(rng, bank, shape, u, v), size, middle)


def _compress(rng: np.random.Generator, cord: Array, x: Array, y: Array, half_y: float) -> Array:
    """Dent the cord from the front or, more rarely, the back, as discs, spurs and thick ligaments do."""
    side = 1.0 if rng.uniform() < 0.75 else -1.0
    reach, width = float(rng.uniform(0.1, 0.7)) * half_y, float(rng.uniform(1.5, 8))
    middle = float(rng.normal(0, 1.5))
    bulge = half_y - np.float32(reach) * np.exp(-(((x - np.float32(middle)) / np.float32(width)) ** 2))
    return np.asarray(np.maximum(cord, np.float32(side) * y - bulge), np.float32)


def _place_grey(rng: np.random.Generator, bank: ShapeBank, shape: CordShape, u: Array, v: Array) -> Array | None:
    """Sample grey matter: the shape's own, or another's stretched to this cord; None in a fifth of the images."""
    if rng.uniform() < 0.2:
        return None
    donor = shape if shape.grey is not None else bank.draw_grey(rng)
    if donor is None or donor.grey is None:
        return _invent_grey(u / np.float32(shape.half_mm[0]), v / np.float32(shape.half_mm[1]))
    ratio_x, ratio_y = donor.half_mm[0] / shape.half_mm[0], donor.half_mm[1] / shape.half_mm[1]
    return place(donor.grey, u * np.float32(ratio_x), v * np.float32(ratio_y))


def _invent_grey(u: Array, v: Array) -> Array:
    """Return a rough butterfly in positions relative to the cord's half widths."""
    wing = ellipse(np.abs(u) - np.float32(0.3), v, 0.16, 0.6)
    bar = ellipse(u, v, 0.35, 0.1)
    return soft(np.minimum(wing, bar), 0.1)


def paint_nothing(rng: np.random.Generator, grid: PixelGrid) -> Scene:
    """Return a slice without anatomy: zero, a constant, a gradient, a phantom's disc, or what noise leaves."""
    image = np.zeros(grid.shape, np.float32)
    x, y = grid.positions_mm()
    choice = rng.integers(5)
    if choice == 1:
        image += np.float32(rng.uniform(0, 1))
    elif choice == 2:
        image += smooth_field(rng, grid.shape, float(rng.uniform(5, 60)) / grid.zoom_mm)
        image -= image.min()
    elif choice >= 3:
        # A bottle of water or oil, as scanned in quality control, with rods or air bubbles in it.
        n = 1 if choice == 3 else int(rng.integers(2, 6))
        for index in range(n):
            half = rng.uniform(10, 60) if index == 0 else rng.uniform(1, 12)
            disc = ellipse(
                x - np.float32(rng.uniform(-40, 40)),
                y - np.float32(rng.uniform(-40, 40)),
                half,
                half * rng.uniform(0.7, 1.3),
            )
            image += soft(disc, 0.6) * (np.float32(rng.uniform(0, 1)) - image)
    return Scene(image, np.zeros(grid.shape, np.float32), None, draw_tissues(rng))
