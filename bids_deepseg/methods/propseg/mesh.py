r"""Describe a tube by rings of points, and measure it.

A tube is an array ``points`` (R, M, 3): R rings, from inferior to superior or the other way round, of M points each.
Coordinates are millimetres along the canonical axes of the image (voxel index times voxel size). The order of the
points in a ring is such that the normals of the triangles point outwards; :func:`turned` changes the order of the
rings and keeps that.

::

    ring r+1   *------*      two triangles for each pair of neighbours in a ring
               | \    |
               |   \  |
    ring r     *------*
               m     m+1
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cylinder(centres: Array, directions: Array, radii: tuple[float, float], n_points: int) -> Array:
    """Build a tube with elliptic rings.

    Parameters
    ----------
    centres, directions : (R, 3) arrays
        Middle and axis (unit vectors) of each ring.
    radii : (float, float)
        Half axes along the first (right-left) and the second (posterior-anterior) axis of the image, in mm.
    n_points : int
        Points of each ring.

    Returns
    -------
    (R, M, 3) array
        The tube.
    """
    angle = 2 * np.pi * np.arange(n_points) / n_points
    flat = np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle), np.zeros(n_points)], axis=1)
    up = np.array([0.0, 0.0, 1.0])
    return np.stack([c + flat @ rotation_between(up, d).T for c, d in zip(centres, directions, strict=True)])


def turned(points: Array) -> Array:
    """Return the same tube with the rings in the opposite order."""
    other: Array = points[::-1, ::-1]
    return other


def ring_centres(points: Array) -> Array:
    """Return the mean point of each ring, (R, 3)."""
    centres: Array = points.mean(axis=1)
    return centres


def ring_directions(points: Array) -> Array:
    """Return the unit normal of each ring's plane, (R, 3), towards the following rings."""
    area = _vector_areas(points)
    directions: Array = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    return directions


def ring_areas(points: Array) -> Array:
    """Return the cross-section of each ring in mm², (R,), measured in its own plane."""
    areas: Array = np.linalg.norm(_vector_areas(points), axis=1)
    return areas


def _vector_areas(points: Array) -> Array:
    centred = points - points.mean(axis=1, keepdims=True)
    areas: Array = 0.5 * np.cross(centred, np.roll(centred, -1, axis=1)).sum(axis=1)
    return areas


def wall_triangles(n_rings: int, n_points: int) -> NDArray[np.intp]:
    """Return the triangles of the open tube as indices of the flattened points, (2 (R - 1) M, 3)."""
    ring, point = (a.ravel() for a in np.meshgrid(np.arange(n_rings - 1), np.arange(n_points), indexing="ij"))
    following = (point + 1) % n_points
    a, b = ring * n_points + point, ring * n_points + following
    c, d = a + n_points, b + n_points
    return np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])


def wall_edges(n_rings: int, n_points: int) -> NDArray[np.intp]:
    """Return the pairs of neighbours, along the rings and across them, (E, 2)."""
    index = np.arange(n_rings * n_points).reshape(n_rings, n_points)
    around = np.stack([index, np.roll(index, -1, axis=1)], axis=-1).reshape(-1, 2)
    along = np.stack([index[:-1], index[1:]], axis=-1).reshape(-1, 2)
    return np.concatenate([around, along])


def triangle_frames(points: Array) -> tuple[Array, Array]:
    """Return the centres and the outward unit normals of the triangles of the open tube, both (T, 3)."""
    corners = points.reshape(-1, 3)[wall_triangles(*points.shape[:2])]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return corners.mean(axis=1), normals


def closed_surface(points: Array) -> tuple[Array, NDArray[np.intp]]:
    """Close the tube with a fan of triangles at each end.

    Returns
    -------
    vertices : (R M + 2, 3) array
        Points of the rings, then the middle of the first and of the last ring.
    triangles : (2 R M, 3) int array
        Corners of the triangles; normals point outwards.
    """
    n_rings, n_points = points.shape[:2]
    vertices = np.concatenate([points.reshape(-1, 3), points[[0, -1]].mean(axis=1)])
    first = np.arange(n_points)
    following = np.roll(first, -1)
    last = first + (n_rings - 1) * n_points
    bottom = np.stack([np.full(n_points, n_rings * n_points), following, first], axis=1)
    top = np.stack([np.full(n_points, n_rings * n_points + 1), last, np.roll(last, -1)], axis=1)
    return vertices, np.concatenate([wall_triangles(n_rings, n_points), bottom, top])


def rotation_between(start: Array, end: Array) -> Array:
    """Return the smallest rotation that takes the unit vector ``start`` to ``end``, a (3, 3) matrix.

    Rodrigues' formula; opposite vectors have no smallest rotation and are refused.
    """
    cosine = float(start @ end)
    if cosine < -1 + 1e-9:
        raise ValueError("The two directions are opposite.")
    x, y, z = np.cross(start, end)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Array = np.eye(3) + skew + skew @ skew / (1 + cosine)
    return rotation


def rigid_fit(start: Array, end: Array) -> Array:
    """Return the rotation (3, 3) that takes the points ``start`` best to ``end``, both (N, 3), up to a shift.

    Kabsch's solution by singular values. The reference method searches the same transform by iterated closest points;
    here the points are paired, so it is had directly.
    """
    u, _, vt = np.linalg.svd((start - start.mean(axis=0)).T @ (end - end.mean(axis=0)))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation: Array = vt.T @ flip @ u.T
    return rotation
