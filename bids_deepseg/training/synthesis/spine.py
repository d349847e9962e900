"""Paint the spine: vertebra or disc, epidural space, dura, fluid, roots and cord.

Every function paints over an image (H, W) float32 in place; positions x and y are (H, W) arrays in mm around the
centre of the spinal canal, y towards the front.
"""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.training.synthesis.fields import Array, capsule, ellipse, over, smooth_field, soft
from bids_deepseg.training.synthesis.tissues import Tissues


@dataclass(frozen=True, slots=True)
class CanalSize:
    """Half widths of the dural sac along x and y in mm."""

    half_x_mm: float
    half_y_mm: float


#: Half widths of the body of a vertebra along x and y in mm: the least and the largest.
BODY_MM = ((8.0, 20.0), (6.0, 15.0))
LUMBAR_BODY_MM = ((16.0, 27.0), (12.0, 19.0))


def paint_vertebra(
    rng: np.random.Generator,
    image: Array,
    x: Array,
    y: Array,
    tissues: Tissues,
    size: CanalSize,
    *,
    body_mm: tuple[tuple[float, float], tuple[float, float]] = BODY_MM,
) -> None:
    """Paint a vertebra around the canal; its parts come and go as they do from slice to slice."""
    margin = float(rng.uniform(0.3, 3.0))
    inner_x, inner_y = size.half_x_mm + margin, size.half_y_mm + margin
    hole = ellipse(x, y, inner_x, inner_y)
    body_x, body_y = float(rng.uniform(*body_mm[0])), float(rng.uniform(*body_mm[1]))
    body = ellipse(x, y - np.float32(inner_y + body_y), body_x, body_y)
    body = np.minimum(body, ellipse(x, y - np.float32(inner_y + body_y), body_x * 0.95, body_y * 0.75))
    rim = float(rng.uniform(0.3, 1.6))
    if rng.uniform() < 0.3:
        _paint_disc_level(rng, image, x, y, tissues, body)
        bones = _lamina(rng, x, y, hole, inner_y) if rng.uniform() < 0.6 else None
    else:
        bones = body
        if rng.uniform() < 0.85:
            bones = np.minimum(bones, _lamina(rng, x, y, hole, inner_y))
        if rng.uniform() < 0.7:
            bones = np.minimum(bones, _processes(rng, x, y, inner_x, inner_y))
    if bones is not None:
        over(image, soft(bones, 0.6), tissues.cortical)
        texture = 1 + np.float32(rng.uniform(0, 0.15)) * smooth_field(rng, (x.shape[0], x.shape[1]), 3)
        over(image, soft(bones + np.float32(rim), 0.6), (tissues.marrow * texture).astype(np.float32))
    # The space around the dura: fat and veins inside the bony canal.
    value = rng.choice([tissues.epidural, tissues.fat, tissues.ligament, tissues.muscle])
    over(image, soft(hole, 0.6), float(value))
    if rng.uniform() < 0.5:
        wedge = ellipse(x, y + np.float32(inner_y), float(rng.uniform(2, 5)), float(rng.uniform(1.5, 4)))
        over(image, soft(wedge, 0.6), tissues.fat)


def _paint_disc_level(
    rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues, body: Array
) -> None:
    """Paint a disc and the fat of the foramina beside the canal."""
    over(image, soft(body, 0.8), tissues.ligament)
    over(image, soft(body + np.float32(rng.uniform(0.5, 3)), 1.2), tissues.disc)
    for side in (-1.0, 1.0):
        far = float(rng.uniform(10, 20)) * side
        foramen = capsule(x, y, (0, 0), (far, float(rng.uniform(-2, 6))), float(rng.uniform(2, 4)))
        over(image, soft(foramen, 0.8), tissues.fat if rng.uniform() < 0.7 else tissues.epidural)


def _lamina(rng: np.random.Generator, x: Array, y: Array, hole: Array, inner_y: float) -> Array:
    """Return the signed distance to the bony arch behind the canal with its spinous process."""
    arch = np.maximum(hole - np.float32(rng.uniform(2.5, 6)), y - np.float32(rng.uniform(-1, inner_y)))
    if rng.uniform() < 0.7:
        tip = -inner_y - float(rng.uniform(8, 32))
        spinous = capsule(x, y, (0, -inner_y - 2), (float(rng.normal(0, 1.5)), tip), float(rng.uniform(1.5, 4)))
        arch = np.minimum(arch, spinous)
    return np.asarray(arch, np.float32)


def _processes(rng: np.random.Generator, x: Array, y: Array, inner_x: float, inner_y: float) -> Array:
    """Return the signed distance to both transverse processes and facets."""
    parts = []
    reach, drop = float(rng.uniform(6, 22)), float(rng.uniform(-8, 5))
    thickness = float(rng.uniform(2, 5))
    for side in (-1.0, 1.0):
        start = (side * inner_x, float(rng.uniform(-0.5, 0.5)) * inner_y)
        parts.append(capsule(x, y, start, (side * (inner_x + reach), drop), thickness))
    return np.minimum(*parts)


def paint_canal(
    rng: np.random.Generator,
    image: Array,
    x: Array,
    y: Array,
    tissues: Tissues,
    canal: Array,
    size: CanalSize,
) -> None:
    """Paint root sleeves, dura and fluid.

    Flowing fluid loses signal in spin-echo images, so dark patches (flow voids) lie in it, mostly behind the cord.
    """
    half_x = size.half_x_mm
    if rng.uniform() < 0.3:
        for side in (-1.0, 1.0):
            sleeve = capsule(
                x, y, (side * half_x * 0.6, 0.0), (side * (half_x + rng.uniform(1, 6)), rng.uniform(-1, 4)),
                float(rng.uniform(0.6, 1.8)),
            )  # fmt: skip
            over(image, soft(sleeve, 0.6), tissues.csf)
    if rng.uniform() < 0.6:
        over(image, soft(canal - np.float32(rng.uniform(0.2, 0.8)), 0.4), tissues.ligament)
    fluid = np.full_like(image, tissues.csf)
    if rng.uniform() < 0.35:
        void = smooth_field(rng, (x.shape[0], x.shape[1]), float(rng.uniform(4, 10)))
        depth = np.float32(rng.uniform(0.2, 0.9))
        fluid *= 1 - depth * soft(np.float32(rng.uniform(0.2, 1.2)) - void, 0.8)
    over(image, soft(canal, 0.5), fluid)


def paint_roots(
    rng: np.random.Generator, image: Array, x: Array, y: Array, canal: Array, value: float, *, cauda: bool
) -> None:
    """Paint nerve roots in the fluid: a few beside the cord, or the bundle of the cauda equina."""
    inside = np.argwhere(canal < -0.4)
    if not len(inside):
        return
    n_roots = int(rng.integers(6, 40)) if cauda else int(rng.poisson(3))
    if cauda:
        # Lying on the back, the roots sink to the back of the sac.
        order = np.argsort(y[inside[:, 0], inside[:, 1]] + rng.normal(0, 2.5, len(inside)))
        inside = inside[order[: max(1, int(len(order) * rng.uniform(0.3, 1)))]]
    limit = soft(canal, 0.5)
    for row, column in inside[rng.integers(len(inside), size=n_roots)]:
        radius = float(rng.uniform(0.3, 0.9))
        dot = ellipse(x - x[row, column], y - y[row, column], radius * float(rng.uniform(0.7, 2)), radius)
        over(image, soft(dot, 0.6) * limit * np.float32(rng.uniform(0.4, 1)), value)


def paint_bundles(
    rng: np.random.Generator,
    image: Array,
    x: Array,
    y: Array,
    canal: Array,
    value: float,
    middle_mm: tuple[float, float],
) -> None:
    """Paint the roots around and below the conus: crowded along an arch that is as wide as the sac or narrower.

    The ends of the arch point to the front or to the back; its middle is ``middle_mm`` from the centre of the canal,
    where the cord is or was. In long pixels the roots cannot be told apart, and look much like a cord.
    """
    inside = canal < 0
    if not inside.any():
        return
    box = tuple(slice(max(0, int(index.min()) - 2), int(index.max()) + 3) for index in np.nonzero(inside))
    part, x, y, limit = image[box], x[box], y[box], soft(canal[box], 0.5)
    half_x = float(np.abs(x[inside[box]]).max()) * float(rng.uniform(0.3, 0.95))
    bend, spread = float(rng.uniform(-2, 5)), float(rng.uniform(0.4, 1.6))
    gap = float(rng.uniform(0, 0.35)) if rng.uniform() < 0.5 else 0.0
    for _ in range(int(rng.integers(12, 60))):
        along = float(rng.uniform(gap, 1)) * (1 if rng.uniform() < 0.5 else -1)
        root_x = middle_mm[0] + along * half_x
        root_y = middle_mm[1] + bend * along**2 + float(rng.normal(0, spread))
        radius = float(rng.uniform(0.35, 0.95))
        dot = ellipse(x - np.float32(root_x), y - np.float32(root_y), radius * float(rng.uniform(0.7, 1.6)), radius)
        over(part, soft(dot, 0.6) * limit * np.float32(rng.uniform(0.5, 1)), value)


def paint_cord(
    rng: np.random.Generator, image: Array, alpha: Array, grey: Array | None, tissues: Tissues, zoom_mm: float
) -> None:
    """Paint white matter, grey matter, rim, lesions and syrinx within the cord's alpha."""
    shape = (image.shape[0], image.shape[1])
    cord = np.full_like(image, tissues.white)
    if grey is not None:
        over(cord, grey * np.float32(rng.uniform(0.3, 1)), tissues.grey)
    texture = smooth_field(rng, shape, float(rng.uniform(0.8, 3)) / zoom_mm)
    cord *= 1 + np.float32(rng.uniform(0, 0.1)) * texture
    if rng.uniform() < 0.15:
        # A one pixel band between cord and fluid: chemical shift, pia or truncation.
        rim = alpha * (1 - alpha) * 4
        over(cord, rim.astype(np.float32), tissues.white * float(rng.uniform(0.5, 1.4)))
    inside = np.argwhere(alpha > 0.5)
    if len(inside) and rng.uniform() < 0.22:
        paint_lesions(rng, cord, inside, tissues, zoom_mm)
    if len(inside) and rng.uniform() < 0.03:
        _paint_syrinx(rng, cord, inside, tissues, zoom_mm)
    over(image, alpha, cord)


def _paint_syrinx(rng: np.random.Generator, cord: Array, inside: np.ndarray, tissues: Tissues, zoom_mm: float) -> None:
    """Paint a cavity in the middle of the cord, as bright as the fluid; up to two thirds of its width."""
    rows, columns = (np.asarray(index, np.float32) for index in np.indices(cord.shape))
    middle, spread = inside.mean(0), inside.std(0)
    half = 2 * spread * rng.uniform(0.12, 0.65, 2)
    hole = ellipse(rows - np.float32(middle[0]), columns - np.float32(middle[1]), float(half[0]), float(half[1]))
    over(cord, soft(hole, 0.6 / zoom_mm), tissues.csf)


def paint_lesions(rng: np.random.Generator, cord: Array, inside: np.ndarray, tissues: Tissues, zoom_mm: float) -> None:
    """Paint bright or dark lesions of 1-8 mm, from faint up to the brightness of the fluid, or a syrinx."""
    rows, columns = (np.asarray(index, np.float32) for index in np.indices(cord.shape))
    target = rng.choice([tissues.csf, tissues.csf, tissues.white * 1.6, tissues.white * 0.5, tissues.vessel])
    for row, column in inside[rng.integers(len(inside), size=int(rng.integers(1, 4)))]:
        half = rng.uniform(0.8, 4.0, 2) / zoom_mm
        blob = ellipse(rows - np.float32(row), columns - np.float32(column), float(half[0]), float(half[1]))
        over(cord, soft(blob, 1.5) * np.float32(rng.uniform(0.3, 1.0)), float(target))
