"""Paint the soft tissues of a neck, or a thigh, which has no cord.

Every function paints over an image, an (N,) float32 array with one value per point, in place.
"""

import numpy as np

from bids_deepseg.example.brushes import BROAD, FINE, MIDDLE, Array, Points, Tissues, capsule, ellipse, paint


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
