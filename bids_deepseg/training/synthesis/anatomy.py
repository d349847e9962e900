"""Paint the surroundings of the spine: muscle, fat, fascia, vessels, airway, body outline and brain.

Every function paints over an image (H, W) float32 in place; positions x and y are (H, W) arrays in mm around the
centre of the spinal canal.
"""

import numpy as np

from bids_deepseg.training.synthesis.fields import Array, capsule, ellipse, over, smooth_field, soft
from bids_deepseg.training.synthesis.tissues import Tissues


def paint_background(rng: np.random.Generator, x: Array, tissues: Tissues, zoom_mm: float) -> Array:
    """Return an image of muscle and fat: quantised smooth noise with fascia between.

    Quantising a smooth field gives compartments with sharp borders, as muscles have.
    """
    shape = (x.shape[0], x.shape[1])
    field = smooth_field(rng, shape, float(rng.uniform(4, 12)) / zoom_mm)
    n_levels = int(rng.integers(2, 6))
    edges = np.sort(rng.uniform(-1.6, 1.6, n_levels))
    spread = float(rng.uniform(0.05, 0.35))
    values = tissues.muscle * rng.uniform(1 - spread, 1 + spread, n_levels + 1)
    values[rng.integers(n_levels + 1)] = tissues.fat * rng.uniform(0.5, 1.1)
    image = np.asarray(values, np.float32)[np.digitize(field, edges)]
    for edge in edges[: int(rng.integers(0, 4))]:
        line = np.abs(field - np.float32(edge)) - np.float32(rng.uniform(0.02, 0.12))
        over(image, soft(line, 0.15), tissues.fat if rng.uniform() < 0.6 else tissues.ligament)
    streaks = np.abs(smooth_field(rng, shape, float(rng.uniform(2, 6)) / zoom_mm))
    over(image, soft(streaks - np.float32(rng.uniform(0, 0.12)), 0.2), tissues.fat)
    return image


def paint_blobs(
    rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues, *, radius_mm: float
) -> None:
    """Paint vessels, lymph nodes and organs: round blobs, some with a wall, outside ``radius_mm``."""
    reach = float(np.abs(x).max())
    for _ in range(rng.poisson(3 if reach < 30 else 7)):
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(radius_mm, max(reach, radius_mm) * 1.2)
        size = float(np.exp(rng.uniform(np.log(0.8), np.log(7 if reach > 30 else 4))))
        u = x - np.float32(distance * np.cos(angle))
        v = y - np.float32(distance * np.sin(angle))
        blob = ellipse(u, v, size, size * float(rng.uniform(0.5, 1.2)))
        value = rng.choice([tissues.vessel, tissues.vessel, tissues.fat, tissues.csf, tissues.white])
        if rng.uniform() < 0.4:
            wall = rng.choice([tissues.ligament, tissues.fat, tissues.muscle, tissues.csf])
            over(image, soft(blob - np.float32(rng.uniform(0.4, 2.0)), 0.5), float(wall))
        over(image, soft(blob, 0.6), float(value * rng.uniform(0.7, 1.2)))


def paint_organs(rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues) -> None:
    """Paint what lies in front of and beside the spine: airway, oesophagus, lungs, aorta, kidneys."""
    if rng.uniform() < 0.6:
        depth = float(rng.uniform(22, 45))
        airway = ellipse(
            x - np.float32(rng.normal(0, 3)),
            y - np.float32(depth),
            float(rng.uniform(4, 11)),
            float(rng.uniform(3, 10)),
        )
        over(image, soft(airway - np.float32(rng.uniform(0.5, 2)), 0.6), tissues.ligament)
        over(image, soft(airway, 0.6), tissues.air)
    for side in (-1, 1):
        if rng.uniform() < 0.3:
            organ = ellipse(
                x - np.float32(side * rng.uniform(30, 60)), y - np.float32(rng.uniform(-10, 50)),
                float(rng.uniform(10, 35)), float(rng.uniform(12, 45)),
            )  # fmt: skip
            value = tissues.air * 2 if rng.uniform() < 0.5 else tissues.muscle * rng.uniform(0.5, 2)
            over(image, soft(organ, 1.0), float(value))
    if rng.uniform() < 0.25:
        aorta = ellipse(x - np.float32(rng.uniform(-20, 20)), y - np.float32(rng.uniform(25, 45)), 10.0, 10.0)
        over(image, soft(aorta - np.float32(1.5), 0.8), tissues.ligament)
        over(image, soft(aorta, 0.8), tissues.vessel)
    for _ in range(rng.poisson(0.8)):
        centre = rng.uniform(-60, 60, 2)
        end = centre + rng.uniform(-25, 25, 2)
        rib = capsule(x, y, (centre[0], centre[1]), (end[0], end[1]), float(rng.uniform(2, 5)))
        if np.hypot(*centre) > 20 and np.hypot(*end) > 20:
            over(image, soft(rib, 0.5), tissues.cortical)
            over(image, soft(rib + np.float32(1.2), 0.5), tissues.marrow)


def paint_outline(rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues) -> None:
    """Paint the skin, the fat below it and the air around the body.

    The spine lies 30-75 mm under the skin of the back; necks are 90-150 mm wide, trunks are wider.
    """
    half_x, half_y = float(rng.uniform(48, 170)), float(rng.uniform(45, 110))
    back = float(rng.uniform(30, 75))
    centre_x = float(rng.normal(0, 5))
    body = ellipse(x - np.float32(centre_x), y - np.float32(half_y - back), half_x, half_y)
    wobble = np.float32(rng.uniform(0, 2)) * smooth_field(rng, (x.shape[0], x.shape[1]), 20)
    body = body + wobble
    rim = float(rng.uniform(2, 22))
    over(image, soft(-(body + np.float32(rim)), 1.5), tissues.fat)
    over(image, soft(-(body + np.float32(1.5)), 1.0), tissues.muscle)
    over(image, soft(-body, 1.0), tissues.air)


def paint_brain(
    rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues, *, zoom_mm: float
) -> None:
    """Paint a slice of a head instead of a spine: scalp, skull, fluid, folded cortex, ventricles."""
    shape = (x.shape[0], x.shape[1])
    half_x, half_y = float(rng.uniform(40, 75)), float(rng.uniform(50, 95))
    u, v = x - np.float32(rng.uniform(-70, 70)), y - np.float32(rng.uniform(-80, 80))
    head = ellipse(u, v, half_x, half_y)
    image[...] = tissues.air
    over(image, soft(head - np.float32(rng.uniform(6, 14)), 1.0), tissues.fat)
    over(image, soft(head - np.float32(rng.uniform(3, 6)), 1.0), tissues.cortical)
    over(image, soft(head, 1.0), tissues.csf)
    folds = np.abs(smooth_field(rng, shape, float(rng.uniform(6, 10)) / zoom_mm))
    deep = head + np.float32(rng.uniform(1, 3))
    grey = np.maximum(deep, np.float32(1.0) - folds * np.float32(8))
    over(image, soft(grey, 0.8), tissues.grey)
    white = np.maximum(deep + np.float32(4), np.float32(3.5) - folds * np.float32(8))
    over(image, soft(white, 0.8), tissues.white)
    for _ in range(rng.integers(0, 5)):
        hole = ellipse(
            u - np.float32(rng.uniform(-25, 25)), v - np.float32(rng.uniform(-35, 35)),
            float(rng.uniform(1, 8)), float(rng.uniform(2, 18)),
        )  # fmt: skip
        over(image, soft(hole, 0.8), tissues.csf)


def paint_limb(rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues, *, zoom_mm: float) -> None:
    """Paint an arm or a leg: one or two long bones, whose marrow in its ring looks like a cord in its canal."""
    shape = (x.shape[0], x.shape[1])
    middle = rng.uniform(-35, 35, 2)
    u, v = x - np.float32(middle[0]), y - np.float32(middle[1])
    half = float(rng.uniform(28, 85))
    limb = ellipse(u, v, half, half * float(rng.uniform(0.75, 1.2)))
    limb = limb + np.float32(rng.uniform(0, 2.5)) * smooth_field(rng, shape, 20 / zoom_mm)
    n_bones = 1 if rng.uniform() < 0.6 else 2
    for _ in range(n_bones):
        radius = float(rng.uniform(6, 16)) / n_bones**0.5
        place = rng.uniform(-0.35, 0.35, 2) * half
        bone = ellipse(
            u - np.float32(place[0]), v - np.float32(place[1]), radius, radius * float(rng.uniform(0.75, 1.2))
        )
        over(image, soft(bone, 0.8), tissues.cortical)
        inside = bone + np.float32(rng.uniform(1.0, 0.6 * radius))
        over(image, soft(inside, 0.8), tissues.marrow if rng.uniform() < 0.6 else tissues.fat)
        if rng.uniform() < 0.3:
            over(
                image, soft(inside + np.float32(rng.uniform(0.5, 4)), 1.5), float(tissues.muscle * rng.uniform(0.5, 2))
            )
    fat_mm = np.float32(rng.uniform(2, 15))
    over(image, soft(-(limb + fat_mm), 1.5), tissues.fat)
    over(image, soft(-limb, 1.0), tissues.air)


def paint_brainstem(
    rng: np.random.Generator, image: Array, x: Array, y: Array, tissues: Tissues, *, zoom_mm: float
) -> None:
    """Paint a slice through medulla or pons: stem in its cistern, cerebellum behind, bone of the skull base around.

    The stem is 15-36 mm wide here; the lowest medulla, no wider than a cord, is left out, since no border to the cord
    can be seen in one slice.
    """
    shape = (x.shape[0], x.shape[1])
    half_x = float(rng.uniform(7.5, 18))
    half_y = half_x * float(rng.uniform(0.6, 0.95))
    head = ellipse(x, y - np.float32(rng.uniform(-10, 30)), float(rng.uniform(55, 80)), float(rng.uniform(60, 95)))
    fossa = ellipse(x, y + np.float32(rng.uniform(5, 30)), float(rng.uniform(25, 58)), float(rng.uniform(20, 48)))
    over(image, soft(-(head + np.float32(rng.uniform(4, 10))), 1.0), tissues.fat)
    over(image, soft(fossa - np.float32(rng.uniform(2, 7)), 0.8), tissues.cortical)
    over(image, soft(fossa, 0.8), tissues.csf)
    folds = np.abs(smooth_field(rng, shape, float(rng.uniform(2.5, 5)) / zoom_mm))
    cerebellum = np.maximum(fossa + np.float32(rng.uniform(0.5, 3)), y + np.float32(half_y + rng.uniform(-3, 5)))
    over(image, soft(cerebellum, 0.8), tissues.grey)
    over(image, soft(np.maximum(cerebellum, np.float32(0.25) - folds), 0.3), tissues.white)
    stem = ellipse(x, y, half_x, half_y)
    over(image, soft(stem - np.float32(rng.uniform(0.5, 5)), 0.8), tissues.csf)
    over(image, soft(stem, 0.6), float(tissues.white * rng.uniform(0.9, 1.1)))
    if rng.uniform() < 0.5:
        over(image, soft(ellipse(x, y + np.float32(half_y), float(rng.uniform(2, 8)), 3.0), 0.8), tissues.csf)
    over(image, soft(-head, 1.0), tissues.air)
