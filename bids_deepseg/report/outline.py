"""Draw the border of a mask as a path along the edges of its pixels.

Terms: a pixel in row y and column x covers the square from (x, y) to (x + 1, y + 1); paths are in these coordinates, y
downwards, as in SVG.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_Point = tuple[int, int]


def outline_path(mask: NDArray[np.bool_]) -> str:
    """Return the border of ``mask`` as SVG path data.

    Parameters
    ----------
    mask : (H, W) bool array
        Rows from top to bottom.

    Returns
    -------
    str
        Closed loops of horizontal and vertical lines, clockwise around the mask and anticlockwise around its holes;
        empty for an empty mask. Pixels that share only a corner get separate loops.
    """
    steps = _border_steps(np.pad(np.asarray(mask, bool), 1))
    parts = []
    while steps:
        corners = _follow(steps)
        parts.append(_format_loop(corners))
    return "".join(parts)


def _border_steps(padded: NDArray[np.bool_]) -> dict[_Point, list[_Point]]:
    """Return the unit steps of the border, start to ends, with the mask on the right of each step."""
    inside = padded[1:-1, 1:-1]
    # Neighbour outside the mask, start and end of the pixel's edge on that side.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    steps: dict[_Point, list[_Point]] = {}
    for neighbour, start, end in sides:
        for y, x in np.argwhere(inside & ~neighbour).tolist():
            steps.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    return dict(sorted(steps.items(), key=lambda item: (item[0][1], item[0][0])))


def _follow(steps: dict[_Point, list[_Point]]) -> list[_Point]:
    """Take one closed loop out of ``steps`` and return its corners."""
    start = next(iter(steps))
    here, heading = start, (0, 0)
    corners: list[_Point] = []
    while not corners or here != start or heading == (0, 0):
        ends = steps[here]
        right = (here[0] - heading[1], here[1] + heading[0])
        there = right if len(ends) > 1 and right in ends else ends[0]
        ends.remove(there)
        if not ends:
            del steps[here]
        turned = (there[0] - here[0], there[1] - here[1])
        if turned != heading:
            corners.append(here)
        here, heading = there, turned
    return corners


def _format_loop(corners: list[_Point]) -> str:
    """Return a loop as path data with absolute horizontal and vertical lines."""
    text = f"M{corners[0][0]} {corners[0][1]}"
    for before, here in pairwise(corners):
        text += f"H{here[0]}" if here[1] == before[1] else f"V{here[1]}"
    return text + "Z"
