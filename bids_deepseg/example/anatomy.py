"""Paint the spine and what it holds (vertebrae, discs, ligaments, dura, fluid, roots, cord), a neck, and a thigh.

Positions are those of :class:`~bids_deepseg.example.brushes.Points`: u to the left and v to the front of the canal's
middle. A *level* is one vertebra and one disc; they repeat along the cord. Every function named ``paint_`` paints over
an image, an (N,) float32 array with one value per point, in place.
"""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.example.brushes import (
    BROAD,
    FINE,
    GRAIN,
    MIDDLE,
    Array,
    Points,
    Tissues,
    capsule,
    ellipse,
    meet,
    paint,
)


@dataclass(frozen=True, slots=True)
class SpineShape:
    """Sizes of one person's spine, in mm.

    Attributes
    ----------
    level_mm : float
        Height of a vertebra with a disc.
    disc_at_mm : float
        Position along the cord of the middle of one disc.
    cord_scale, sac_scale : float
        Size of the cord and of the dural sac relative to the average.
    body_half_u, body_half_v : float
        Half width and half depth of the vertebral bodies.
    bulge_mm : float
        How far the discs reach into the canal.
    cord_shift_mm : float
        How far the cord lies in front of the sac's middle on average.
    sway_mm : float
        How far it wanders to the front and to the back along its way.
    """

    level_mm: float
    disc_at_mm: float
    cord_scale: float
    sac_scale: float
    body_half_u: float
    body_half_v: float
    bulge_mm: float
    cord_shift_mm: float
    sway_mm: float


def _cord_half_axes(along: Array, scale: float) -> tuple[Array, Array]:
    """Return half the width and half the depth of the cord in mm, at positions along it.

    Wide at the cervical enlargement (C5, position -8 mm), rounder above, small and round in the chest.
    """
    enlarged = np.exp(-(((along + np.float32(8)) / np.float32(30)) ** 2))
    below = 1 / (1 + np.exp((along + np.float32(48)) / np.float32(8)))
    half_u = 5.55 + 1.15 * enlarged - 1.0 * below
    half_v = 4.1 - 0.1 * enlarged - 0.25 * below
    return np.float32(scale) * half_u, np.float32(scale) * half_v


def _sac_half_axes(along: Array, scale: float) -> tuple[Array, Array]:
    """Return half the width and half the depth of the dural sac in mm; it is wide at the skull's base."""
    above = 1 / (1 + np.exp((np.float32(56) - along) / np.float32(6)))
    below = 1 / (1 + np.exp((along + np.float32(45)) / np.float32(10)))
    return np.float32(scale) * (9.6 + 3 * above - 1.4 * below), np.float32(scale) * (6.6 + 4 * above - 0.3 * below)


def _sac_distance(points: Points, shape: SpineShape) -> Array:
    """Return the signed distance to the dural sac: an ellipse with a flat front, dented by the discs."""
    half_u, half_v = _sac_half_axes(points.along, shape.sac_scale)
    dent = shape.bulge_mm * np.exp(-((_disc_distance(points.along, shape) / np.float32(2.5)) ** 2))
    front = points.v - (np.float32(0.82) * half_v - dent)
    distance: Array = np.maximum(ellipse(points.u, points.v, half_u, half_v), front)
    return distance


def _disc_distance(along: Array, shape: SpineShape) -> Array:
    """Return the distance along the cord to the middle of the nearest disc, in mm."""
    position = (along - np.float32(shape.disc_at_mm)) / np.float32(shape.level_mm)
    distance: Array = np.abs(position - np.rint(position)) * np.float32(shape.level_mm)
    return distance


def _from_cord(points: Points, shape: SpineShape) -> Array:
    """Return the distance in front of the cord's middle, in mm."""
    sway = np.float32(shape.sway_mm) * np.sin(points.along / np.float32(24) + np.float32(shape.disc_at_mm))
    distance: Array = points.v - np.float32(shape.cord_shift_mm) - sway
    return distance


def _cord_distance(points: Points, shape: SpineShape) -> Array:
    """Return the signed distance to the cord: an ellipse with a flat front and an anterior fissure."""
    half_u, half_v = _cord_half_axes(points.along, shape.cord_scale)
    v = _from_cord(points, shape)
    outline = np.maximum(ellipse(points.u, v, half_u, half_v), v - np.float32(0.86) * half_v)
    fissure = ellipse(points.u, v - np.float32(0.9) * half_v, 0.35, 1.1)
    return np.maximum(outline, -fissure)


def paint_vertebrae(image: Array, points: Points, tissues: Tissues, shape: SpineShape) -> None:
    """Paint bodies, discs, arches, facets and processes, and the vertebral arteries."""
    side = np.abs(points.u)
    front = np.float32(6.0 * shape.sac_scale + 1.2)
    from_disc = _disc_distance(points.along, shape)
    _paint_arch(image, points, tissues, shape)
    depth = points.v - front
    # The body: round in front, flat towards the canal, with a waist between its end plates.
    outline = ellipse(points.u, depth - np.float32(0.6 * shape.body_half_v), shape.body_half_u, 1.4 * shape.body_half_v)
    body = meet(outline, -depth, 3.0) + np.float32(1.2) * np.clip((from_disc - 3) / np.float32(6), 0, 1)
    paint(image, points.alpha(body - np.float32(0.8), 0.6), tissues.ligament)
    paint(image, points.alpha(body), tissues.cortical)
    vertebra = meet(body + np.float32(0.8), np.float32(3.0) - from_disc, 1.0)
    centre = ellipse(points.u, depth - np.float32(shape.body_half_v), 8.0, 6.0)
    marrow = tissues.marrow * (1 + 0.08 * points.texture[FINE] + 0.25 * points.alpha(centre, 6.0))
    paint(image, points.alpha(vertebra, 0.4), marrow)
    disc = np.maximum(body + np.float32(0.8), from_disc - np.float32(2.2))
    paint(image, points.alpha(disc, 0.4), tissues.disc)
    nucleus = np.maximum(centre + np.float32(2), from_disc - np.float32(1.2))
    paint(image, points.alpha(nucleus, 0.8), tissues.disc * 1.4)
    artery = ellipse(side - 15.5, points.v - np.float32(7), 1.6, 1.5)
    ring = np.maximum(artery - np.float32(1.8), np.float32(4.5) - from_disc)
    paint(image, points.alpha(ring, 0.4), tissues.cortical)
    paint(image, points.alpha(artery - np.float32(0.8), 0.3), tissues.vein)
    paint(image, points.alpha(artery, 0.2), tissues.artery)


def _paint_arch(image: Array, points: Points, tissues: Tissues, shape: SpineShape) -> None:
    """Paint laminae, spinous process, articular pillars and the openings for the nerves."""
    u, v, side = points.u, points.v, np.abs(points.u)
    half_u, half_v = _sac_half_axes(points.along, shape.sac_scale)
    hole = ellipse(u, v, half_u + np.float32(1.6), half_v + np.float32(1.6))
    from_disc = _disc_distance(points.along, shape)
    # Laminae and spinous processes point downwards: behind the canal a level begins lower.
    sloped = _disc_distance(points.along - np.float32(0.45) * (v + np.float32(6)), shape)
    gap = np.float32(3.8) - sloped
    lamina = meet(np.maximum(hole - np.float32(3.4), v + np.float32(2)), gap, 1.5)
    wider = np.float32(0.05) * np.clip(-v - np.float32(14), 0, 20)
    spinous = meet(capsule(u, v, (0, -10), (0, -26), 1.7) - wider, gap + np.float32(1.0), 1.5)
    pillar = capsule(side, v, (12.5, 1.0), (16.5, -7.0), 4.6)
    facet = np.abs(_disc_distance(points.along - np.float32(0.6) * v, shape)) - np.float32(0.5)
    flavum = np.maximum(np.maximum(hole - np.float32(1.8), v + np.float32(2)), -gap)
    paint(image, points.alpha(flavum, 0.5), tissues.ligament * 1.5)
    bone = np.minimum(np.minimum(lamina, spinous), pillar)
    paint(image, points.alpha(bone, 0.4), tissues.cortical)
    paint(image, points.alpha(bone + np.float32(1.0), 0.6), tissues.marrow)
    paint(image, points.alpha(np.maximum(pillar, facet), 0.4), tissues.disc)
    opening = np.maximum(capsule(side, v, (7, 2.0), (21, 7.0), 3.1), from_disc - np.float32(4.2))
    paint(image, 0.7 * points.alpha(opening, 1.0), tissues.fat)
    nerve = np.maximum(capsule(side, v, (7, 1.5), (24, 8.5), 1.6), from_disc - np.float32(2.2))
    paint(image, points.alpha(nerve, 0.5), 0.5 * (tissues.white + tissues.muscle))


def paint_canal(image: Array, points: Points, tissues: Tissues, shape: SpineShape) -> None:
    """Paint epidural fat and veins, the dura, the fluid with its flow voids, and the roots."""
    u, v, side = points.u, points.v, np.abs(points.u)
    half_u, half_v = _sac_half_axes(points.along, shape.sac_scale)
    sac = _sac_distance(points, shape)
    paint(image, points.alpha(sac - np.float32(1.5), 0.4), 0.5 * (tissues.ligament + tissues.vein))
    wedge = np.maximum(ellipse(u, v + half_v, 4.2, 2.6), -(sac - np.float32(0.4)))
    paint(image, points.alpha(wedge, 0.5), tissues.fat)
    veins = ellipse(side - np.float32(0.86) * half_u, v - np.float32(0.62) * half_v, 2.0, 1.4)
    paint(image, points.alpha(np.maximum(veins, -sac), 0.5), tissues.vein)
    paint(image, points.alpha(sac - np.float32(0.45), 0.1), tissues.ligament)
    flow = np.clip(points.texture[MIDDLE] - np.float32(0.9), 0, 1) * points.alpha(v, 6.0)
    paint(image, points.alpha(sac, 0.2), tissues.csf * (1 - 0.45 * flow))
    _paint_roots(image, points, tissues, shape, sac)


def _paint_roots(image: Array, points: Points, tissues: Tissues, shape: SpineShape, sac: Array) -> None:
    """Paint anterior and posterior roots from the cord's edge to the openings, once a level on each side."""
    side = np.abs(points.u)
    half_u, half_v = _cord_half_axes(points.along, shape.cord_scale)
    v = _from_cord(points, shape)
    # Roots run down on their way out.
    level = _disc_distance(points.along + np.float32(0.5) * (side - half_u), shape)
    inside = np.maximum(sac + np.float32(0.2), level - np.float32(2.0))
    reach = side - half_u
    for height, slope in ((0.45, -0.1), (-0.55, 0.45)):
        root = np.abs(v - np.float32(height) * half_v - np.float32(slope) * reach) - np.float32(0.35)
        path = np.maximum(np.maximum(root, -(reach + np.float32(1.5))), inside)
        paint(image, 0.7 * points.alpha(path, 0.3), 0.6 * tissues.white + 0.2 * tissues.csf)


def paint_cord(image: Array, points: Points, tissues: Tissues, shape: SpineShape) -> Array:
    """Paint the cord with its butterfly of grey matter; return its alpha."""
    half_u, half_v = _cord_half_axes(points.along, shape.cord_scale)
    u, v = np.abs(points.u) / half_u, _from_cord(points, shape) / half_v
    # In units of the half axes: anterior horns broad, posterior horns thin and turned outwards, a bridge between.
    anterior = ellipse(u - np.float32(0.33), v - np.float32(0.22), 0.15, 0.3)
    posterior = capsule(u, v, (0.27, 0.0), (0.42, -0.66), 0.075)
    bridge = ellipse(u, v - np.float32(0.02), 0.34, 0.1)
    butterfly = np.minimum(np.minimum(anterior, posterior), bridge) * half_v
    cord = np.full_like(image, tissues.white)
    paint(cord, points.alpha(butterfly, 0.35), tissues.grey)
    median = np.maximum(u * half_u - np.float32(0.12), np.maximum(v + np.float32(0.1), -v - np.float32(0.95)))
    paint(cord, 0.4 * points.alpha(median, 0.2), tissues.grey)
    cord *= 1 + np.float32(0.035) * points.texture[GRAIN]
    alpha = points.alpha(_cord_distance(points, shape))
    paint(image, alpha, cord)
    return alpha


def paint_muscles(image: Array, points: Points, tissues: Tissues) -> None:
    """Paint the muscles of the back of a neck with fascia and fat between; the rest is muscle too."""
    broad, middle = points.texture[BROAD], points.texture[MIDDLE]
    image[...] = tissues.muscle * (1 + 0.08 * middle)
    side, v = np.abs(points.u) + 0.8 * middle, points.v + 0.8 * broad
    # Centre and half axes of each muscle on one side, from deep to superficial, and its brightness.
    muscles = (
        (9.5, -17, 8.0, 6.5, 1.00), (20, -13, 8.0, 9.0, 0.92), (11, -27, 11.0, 6.0, 1.08), (27, -24, 9.0, 11.0, 0.96),
        (14, -36, 14.0, 4.5, 1.05), (34, -6, 7.0, 12.0, 1.04), (24, 4, 6.0, 6.0, 0.95), (30, -38, 18.0, 4.0, 1.0),
    )  # fmt: skip
    for centre_u, centre_v, half_u, half_v, brightness in muscles:
        belly = ellipse(side - centre_u, v - centre_v, half_u, half_v)
        paint(image, points.alpha(belly, 1.0), tissues.muscle * brightness * (1 + 0.08 * middle))
        # Fascia holds more fat in some places than in others.
        paint(image, np.clip(0.45 + 0.35 * broad, 0, 1) * points.alpha(np.abs(belly) - 0.22, 0.4), tissues.fat)
    streaks = np.abs(points.texture[FINE]) * np.float32(1.2) + np.abs(broad)
    paint(image, 0.5 * points.alpha(streaks - np.float32(0.25), 0.3), tissues.fat)
    nuchal = np.maximum(np.abs(points.u + 0.3 * broad) - np.float32(0.4), points.v + np.float32(16))
    paint(image, 0.6 * points.alpha(nuchal, 0.8), tissues.ligament)


def paint_throat(image: Array, points: Points, tissues: Tissues) -> None:
    """Paint what lies in front of the spine: prevertebral muscles, gullet, airway, vessels and the fat between."""
    u, v = points.u, points.v
    side = np.abs(u)
    front = points.v - np.float32(22) - 1.5 * points.texture[BROAD]
    paint(image, 0.5 * points.alpha(np.maximum(-front, side - np.float32(30)), 6.0), tissues.fat)
    paint(image, points.alpha(ellipse(side - 9, v - 23, 5.5, 3.0), 0.5), tissues.muscle)
    paint(image, points.alpha(ellipse(side - 36, v - 18, 9.0, 15.0), 0.5), tissues.fat)
    paint(image, points.alpha(ellipse(side - 36, v - 18, 8.0, 14.0), 0.5), tissues.muscle)
    paint(image, points.alpha(ellipse(u - 2, v - 28, 7.0, 2.8), 0.5), tissues.muscle * 1.15)
    paint(image, points.alpha(ellipse(u - 2, v - 28, 3.5, 0.8), 0.5), tissues.disc)
    airway = ellipse(u, v - 39, 8.5, 7.0 + 1.5 * np.sin(points.along / np.float32(17)))
    paint(image, points.alpha(airway - np.float32(2.2), 0.5), tissues.muscle * 1.3)
    paint(image, points.alpha(airway - np.float32(1.2), 0.3), tissues.ligament)
    paint(image, points.alpha(airway), tissues.air)
    thyroid = np.maximum(ellipse(side - 15, v - 38, 6.0, 8.0), points.along + np.float32(25))
    paint(image, points.alpha(thyroid, 0.8), tissues.muscle * 1.6)
    for du, dv, radius, value in ((22, 30, 3.2, tissues.artery), (28, 28, 4.6, tissues.vein)):
        vessel = ellipse(side - du, v - dv, radius, radius * 0.85)
        paint(image, points.alpha(vessel - np.float32(0.9), 0.4), tissues.muscle)
        paint(image, points.alpha(vessel, 0.4), value)


def paint_skin(image: Array, points: Points, tissues: Tissues, half_mm: tuple[float, float, float]) -> None:
    """Paint the fat below the skin, the skin and the air around the neck.

    ``half_mm`` is half the width of the neck, half its depth, and the distance of its back from the cord.
    """
    half_u, half_v, back = half_mm
    shoulders = 45 / (1 + np.exp((points.along + np.float32(52)) / np.float32(9)))
    body = ellipse(points.u, points.v - np.float32(half_v - back), half_u + shoulders, half_v + shoulders * 0.3)
    rim = np.where(points.v < 0, np.float32(6.5), np.float32(3.0))
    paint(image, points.alpha(-(body + rim), 1.5), tissues.fat)
    paint(image, points.alpha(-(body + np.float32(1.6)), 0.5), tissues.muscle * 1.4)
    paint(image, points.alpha(-body, 0.5), tissues.air)


def paint_thigh(image: Array, points: Points, tissues: Tissues) -> None:
    """Paint a thigh: muscles, one long bone with marrow, vessels and skin; it has no cord to find."""
    paint_muscles(image, points, tissues)
    bone = ellipse(points.u - 3, points.v - 2, 14.0, 12.5)
    paint(image, points.alpha(bone, 0.4), tissues.cortical)
    fatty = tissues.fat * (1 + 0.06 * points.texture[FINE])
    paint(image, points.alpha(bone + np.float32(5.0), 0.8), fatty)
    for du, dv, radius, value in ((21, 12, 3.6, tissues.artery), (27, 9, 4.4, tissues.vein)):
        paint(image, points.alpha(ellipse(points.u - du, points.v - dv, radius, radius * 0.9), 0.4), value)
    nerve = capsule(points.u, points.v, (-8, -24), (-13, -22), 2.2)
    paint(image, points.alpha(nerve, 0.5), tissues.muscle * 1.2)
    paint_skin(image, points, tissues, (68.0, 66.0, 62.0))
