"""Laws of the mesh that grows from circles, and of its deformation, against formulas and brute force."""

import numpy as np
import pytest

from bids_deepseg.methods.propseg.deformation import Targets, minimise
from bids_deepseg.methods.propseg.field import prepare_field
from bids_deepseg.methods.propseg.mesh import (
    closed_surface,
    cylinder,
    rigid_fit,
    ring_areas,
    ring_directions,
    rotation_between,
    triangle_frames,
    turned,
    wall_edges,
    wall_triangles,
)
from tests.helpers.phantoms import grid_of, tube


def enclosed_volume(vertices, triangles):
    """Return the volume inside a closed surface in mm³ (divergence theorem)."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def straight(direction=(0.0, 0.0, 1.0), *, radii=(4.0, 4.0), n_rings=11, n_points=60, centre=(15.0, 15.0, 15.0)):
    direction = np.array(direction) / np.linalg.norm(direction)
    along = 2.0 * (np.arange(n_rings) - (n_rings - 1) / 2)
    centres = np.array(centre) + along[:, None] * direction
    return cylinder(centres, np.broadcast_to(direction, centres.shape), radii, n_points)


DIRECTIONS = [(0, 0, 1), (0.3, 0, 1), (0, -0.6, 1), (0.4, 0.5, 1), (0, 1, -0.2)]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_closed_cylinder_has_the_volume_of_the_formula(direction):
    volume = enclosed_volume(*closed_surface(straight(direction)))
    assert volume == pytest.approx(np.pi * 4**2 * 20, rel=0.01)


def test_each_edge_of_the_closed_surface_has_two_triangles_of_opposite_sense():
    _, triangles = closed_surface(straight(n_rings=4, n_points=7))
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert {tuple(e) for e in edges} == {tuple(e[::-1]) for e in edges}


@pytest.mark.parametrize("turn", [False, True])
def test_normals_point_outwards_in_both_orders(turn):
    points = turned(straight((0.3, 0.2, 1))) if turn else straight((0.3, 0.2, 1))
    centres, normals = triangle_frames(points)
    axis = np.array([0.3, 0.2, 1]) / np.linalg.norm([0.3, 0.2, 1])
    from_axis = centres - 15
    from_axis -= (from_axis @ axis)[:, None] * axis
    assert (np.einsum("ij,ij->i", from_axis, normals) > 3.9).all()
    assert enclosed_volume(*closed_surface(points)) > 0


def test_rings_know_their_area_and_direction():
    points = straight((0.4, 0.5, 1), radii=(5, 3))
    assert ring_areas(points) == pytest.approx(np.pi * 15, rel=0.005)
    axis = np.array([0.4, 0.5, 1]) / np.linalg.norm([0.4, 0.5, 1])
    np.testing.assert_allclose(ring_directions(points), np.broadcast_to(axis, (11, 3)), atol=1e-9)


def test_the_wall_has_all_its_neighbours():
    assert wall_triangles(4, 5).shape == (2 * 3 * 5, 3)
    assert wall_edges(4, 5).shape == (4 * 5 + 3 * 5, 2)


def test_rotations():
    rng = np.random.default_rng(1)
    a, b = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    rotation = rotation_between(a, b)
    np.testing.assert_allclose(rotation @ a, b, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    cloud = rng.normal(size=(20, 3))
    np.testing.assert_allclose(rigid_fit(cloud, cloud @ rotation.T + 3), rotation, atol=1e-9)
    with pytest.raises(ValueError, match="opposite"):
        rotation_between(a, -a)


def energy(points, reference, targets, weight):
    triangles = wall_triangles(*points.shape[:2])
    edges = wall_edges(*points.shape[:2])
    flat, shape = points.reshape(-1, 3), reference.reshape(-1, 3)
    gap = np.einsum("ij,ij->i", targets.directions, targets.points - flat[triangles].mean(axis=1))
    bend = (flat[edges[:, 0]] - flat[edges[:, 1]]) - (shape[edges[:, 0]] - shape[edges[:, 1]])
    return (targets.weights * gap**2).sum() + weight * (bend**2).sum()


def random_targets(rng, n):
    directions = rng.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Targets(rng.normal(size=(n, 3)) * 3 + 15, directions, rng.uniform(0, 50, n))


def test_no_other_points_have_less_energy():
    rng = np.random.default_rng(2)
    points = straight(n_rings=4, n_points=6)
    targets = random_targets(rng, 2 * 3 * 6)
    best = minimise(points, points, targets, weight=25.0)
    least = energy(best, points, targets, 25.0)
    assert least < energy(points, points, targets, 25.0)
    for size in (1.0, 0.1):
        other = best + size * rng.normal(size=best.shape)
        assert energy(other, points, targets, 25.0) > least


def test_without_pull_nothing_moves_and_fixed_rings_stay():
    rng = np.random.default_rng(3)
    points = straight(n_rings=4, n_points=6)
    targets = random_targets(rng, 36)
    silent = Targets(targets.points, targets.directions, np.zeros(36))
    np.testing.assert_allclose(minimise(points, points, silent, weight=25.0), points, atol=1e-6)
    moved = minimise(points, points, targets, weight=25.0, n_fixed=2)
    assert (moved[:2] == points[:2]).all()
    assert np.abs(moved[2:] - points[2:]).max() > 0.1


def test_large_systems_are_solved_alike():
    rng = np.random.default_rng(4)
    points = straight(n_rings=30, n_points=40)
    targets = random_targets(rng, 2 * 29 * 40)
    best = minimise(points, points, targets, weight=25.0)
    least = energy(best, points, targets, 25.0)
    for _ in range(3):
        assert energy(best + 0.03 * rng.normal(size=best.shape), points, targets, 25.0) > least


def test_the_field_reads_values_and_slopes_of_a_ramp():
    grid = grid_of((21, 21, 21), (0.5, 1.0, 2.0))
    ramp = np.broadcast_to(np.arange(21.0)[:, None, None], grid.shape).astype(np.float32)
    field = prepare_field(type(tube(grid))(ramp, grid), sign=1)
    inside = np.array([[5.0, 10.0, 20.0], [4.1, 3.3, 7.7]])
    # 16 voxels of 0.5 mm are left between the median filter's ends.
    np.testing.assert_allclose(field.gradients(inside), [[2000 / 20, 0, 0]] * 2, rtol=0.3, atol=1e-3)
    assert field.inside(np.array([[-0.2, 0, 0], [-0.3, 0, 0], [10.2, 20.4, 40.9]])).tolist() == [True, False, True]
