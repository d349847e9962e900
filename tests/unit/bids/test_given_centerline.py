"""A given centerline: what is read is where it was written, whatever the grid; the fit passes through the points."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.writer import ImageProducts, write_products
from bids_deepseg.bids.naming import derivative_path
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.errors import ImageError, NotFetchedError
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto, to_canonical
from bids_deepseg.stages.centerline import Centerline, centerline_mask
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.segmentation import Guide
from tests.helpers.bids_trees import image_of, stamp_of
from tests.helpers.fake_engine import FakeEngine, write_dataset, write_nifti
from tests.helpers.phantoms import ALL_AXCODES, grid_of, oblique, tube

GRID = grid_of((40, 44, 30), (1.0, 0.8, 2.0))


def write_mask(path, data, affine):
    nib.Nifti1Image(data, affine).to_filename(path)
    return path


def write_table(path, points, columns="x_mm,y_mm,z_mm", separator=","):
    lines = [separator.join(columns.split(",")), *(separator.join(f"{value:.4f}" for value in row) for row in points)]
    path.write_text("\n".join(lines) + "\n")
    return path


def curved(grid, first=0, last=None):
    """Return a centerline with a sway in both directions."""
    k = np.arange(first, grid.shape[2] if last is None else last + 1)
    middle = (np.array(grid.shape[:2]) - 1) / 2
    return Centerline(middle + np.column_stack([np.sin(k / 8), 3 * np.cos(k / 10)]), k, grid, np.ones(len(k)), 0.0)


# ---- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ALL_AXCODES, ids="".join)
def test_one_voxel_per_slice_is_found_in_every_orientation(tmp_path, codes):
    """The image file and the segmented image may have different orientations; voxel centres are found exactly."""
    grid = oblique()
    drawn = centerline_mask(curved(grid, 3, 20), grid)
    turned = reorient(drawn, codes)
    path = write_mask(tmp_path / "c.nii.gz", turned.data, turned.grid.affine)
    points = read_centerline(path, reorient(drawn, tuple(codes[::-1])).grid)
    np.testing.assert_allclose(
        points, grid.voxel_to_world(np.argwhere(drawn.data)[np.argsort(np.argwhere(drawn.data)[:, 2])]), atol=2e-4
    )
    fitted = centerline_from_points(points, grid)
    assert (centerline_mask(fitted, grid).data == drawn.data).all()


@pytest.mark.parametrize(
    "other", [grid_of((60, 58, 27), (0.7, 0.7, 2.0)), oblique(degrees=-8)], ids=["fine", "oblique"]
)
def test_the_mask_of_a_straight_tube_gives_its_axis(tmp_path, other):
    drawn = tube(other, radius_mm=4.0, slope=(0.1, -0.2))
    binary = (drawn.data > 0.5).astype(np.uint8)
    for name, data in (("binary", binary), ("soft", drawn.data), ("labels", (binary * 7).astype(np.int16))):
        points = read_centerline(write_mask(tmp_path / f"{name}.nii.gz", data, other.affine), grid_of((60, 60, 30)))
        inside = np.abs(points[:, 2]) < 20
        axis = points[inside, 2:] * [0.1, -0.2]
        assert len(axis) > 10
        # A tube crosses oblique slices as an ellipse, whose pixelated centre lies within a fraction of a voxel.
        np.testing.assert_allclose(points[inside, :2], axis, atol=0.3 if name != "soft" else 0.1)


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("tsv", "\t"), ("csv", ";"), ("txt", ",")])
def test_tables_of_world_and_voxel_coordinates_agree(tmp_path, ending, separator):
    native = reorient(Volume(np.zeros(GRID.shape, np.uint8), GRID), ("P", "I", "R")).grid
    ijk = np.array([[12.0, 3.5, 20.0], [13.0, 15.0, 19.0], [14.0, 28.0, 20.0]])
    world = write_table(tmp_path / f"w.{ending}", native.voxel_to_world(ijk), separator=separator)
    voxel = write_table(tmp_path / f"v.{ending}", ijk, "i,j,k", separator)
    np.testing.assert_allclose(read_centerline(world, native), native.voxel_to_world(ijk), atol=1e-4)
    np.testing.assert_allclose(read_centerline(voxel, native), native.voxel_to_world(ijk), atol=1e-9)


def test_comments_other_columns_and_order_do_not_matter(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('\ufeff# by hand\n"z_mm", Note, "X_mm","y_mm"\n5,top,1,2\n\n-5,low,3,4\n', encoding="utf-8")
    np.testing.assert_array_equal(read_centerline(path, GRID), [[1, 2, 5], [3, 4, -5]])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no point"),
        ("x_mm,y_mm,z_mm\n", "holds no point"),
        ("x,y,z\n1,2,3\n", "columns x, y, z"),
        ("x_mm,y_mm,z_mm\n1,2,3\n1,nan,3\n", "Line 3"),
        ("x_mm,y_mm,z_mm\n1,2\n", "Line 2"),
        ("x_mm\ty_mm\tz_mm\nn/a\t1\t1\n", "Line 2"),
        ("x_mm,y_mm,z_mm\n0,0,500\n", "outside the image"),
        ("x_mm,y_mm,z_mm\n0,0,0\n0,60,5\n", "1 of 2 points"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_bad_tables_are_refused(tmp_path, content, told):
    path = tmp_path / "c.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ImageError, match=told):
        read_centerline(path, GRID)


def test_bad_images_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    empty, nan = np.zeros(GRID.shape, np.float32), np.full(GRID.shape, np.nan, np.float32)
    image, whole = rng.normal(50, 9, GRID.shape), rng.integers(1, 90, GRID.shape).astype(np.int16)
    far = GRID.affine.copy()
    far[:3, 3] += 300
    one = (tube(GRID).data > 0.5).astype(np.uint8)
    for data, affine, told in (
        (empty, GRID.affine, "is empty"),
        (nan, GRID.affine, "NaN"),
        (image.astype(np.float32), GRID.affine, "Is it the image itself"),
        (whole, GRID.affine, "Is it the image itself"),
        (one, far, "outside the image"),
        (np.stack([one, one], 3), GRID.affine, "4 dimensions"),
    ):
        with pytest.raises(ImageError, match=told):
            read_centerline(write_mask(tmp_path / "c.nii.gz", data, affine), GRID)
    with pytest.raises(ImageError, match="does not exist"):
        read_centerline(tmp_path / "none.csv", GRID)
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotFetchedError):
        read_centerline(tmp_path / "link.csv", GRID)


def test_points_above_and_below_the_image_guide_the_course(tmp_path):
    """A centerline of the whole spine serves a slab that lies between two of its points."""
    slab = grid_of((40, 44, 6))
    path = write_table(tmp_path / "c.csv", [[-4, 0, -40], [4, 0, 40]])
    fitted = centerline_from_points(read_centerline(path, slab), slab)
    assert fitted.k.tolist() == list(range(6))
    np.testing.assert_allclose(fitted.xyz[:, 0], fitted.xyz[:, 2] / 10, atol=1e-6)


def test_the_app_reads_its_own_centerlines_back(tmp_path):
    write_dataset(tmp_path / "in")
    turned = reorient(tube(oblique((40, 44, 12)), radius_mm=5.0, slope=(0.1, 0.3), supersample=3), ("S", "R", "P"))
    write_nifti(tmp_path / "in/sub-01/anat/sub-01_T2w.nii.gz", turned.data * 200, turned.grid.affine)
    image = image_of(tmp_path / "in", "sub-01/anat/sub-01_T2w.nii.gz")
    loaded = read_image(image)
    found = FakeEngine().load()(loaded.volume, Guide(), lambda *_: None)
    write_products(ImageProducts(image, loaded, found, stamp_of()), ResultFiles.of_image(tmp_path / "out", image))

    points = read_centerline(tmp_path / "out" / derivative_path(image, "centerline_tsv"), loaded.volume.grid)
    canonical = to_canonical(loaded.volume).grid
    again = centerline_from_points(points, canonical)
    assert again.k.tolist() == found.centerline.k.tolist()
    assert np.linalg.norm(again.xyz - found.centerline.xyz, axis=1).max() < 0.1

    points = read_centerline(tmp_path / "out" / derivative_path(image, "centerline_mask"), loaded.volume.grid)
    drawn = centerline_mask(centerline_from_points(points, canonical), canonical)
    assert (reorient_onto(drawn, loaded.volume.grid).data == found.centerline_mask.data).all()


# ---- fitting --------------------------------------------------------------------------------------------------------


@given(first=st.integers(0, 10), length=st.integers(1, 20), shuffle=st.randoms(use_true_random=False))
def test_a_centerline_comes_back_from_its_own_points(first, length, shuffle):
    known = curved(GRID, first, min(first + length - 1, 29))
    points = known.xyz.tolist()
    shuffle.shuffle(points)
    fitted = centerline_from_points(np.array(points), GRID)
    assert fitted.k.tolist() == known.k.tolist()
    assert np.abs(fitted.xyz - known.xyz).max() < 1e-6


def test_few_points():
    one = centerline_from_points(GRID.voxel_to_world([[10, 12, 7]]), GRID)
    assert (one.k.tolist(), one.ij.tolist()) == ([7], [pytest.approx([10, 12])])
    two = centerline_from_points(GRID.voxel_to_world([[10, 12, 4], [18, 20, 12]]), GRID)
    np.testing.assert_allclose(two.ij, np.column_stack([np.arange(10, 19), np.arange(12, 21)]), atol=1e-9)
    three = centerline_from_points(GRID.voxel_to_world([[10, 12, 4], [14, 16, 8], [18, 20, 12]]), GRID)
    np.testing.assert_allclose(three.ij, two.ij, atol=1e-9)
    same = centerline_from_points(GRID.voxel_to_world([[10, 12, 7], [12, 14, 7.2]]), GRID)
    np.testing.assert_allclose(same.ij, [[11, 13]], atol=1e-9)


@pytest.mark.parametrize("step", [3, 5, 8])
def test_sparse_points_give_a_smooth_course_close_to_the_true_one(step):
    known = curved(GRID)
    chosen = np.unique([*range(0, 30, step), 29])
    fitted = centerline_from_points(known.xyz[chosen], GRID)
    np.testing.assert_allclose(fitted.ij[chosen], known.ij[chosen], atol=1e-9)
    assert np.linalg.norm(fitted.xyz - known.xyz, axis=1).max() < {3: 0.1, 5: 0.3, 8: 0.6}[step]


def test_the_course_stays_between_points_that_stand_close():
    """Two clicks one slice apart and 3 mm beside each other do not throw the course off."""
    points = GRID.voxel_to_world([[20, 20, 2], [20, 20, 13], [23, 20, 14], [23, 20, 28]])
    fitted = centerline_from_points(points, GRID)
    assert fitted.ij[:, 0].min() == pytest.approx(20)
    assert fitted.ij[:, 0].max() == pytest.approx(23)


@pytest.mark.parametrize(
    ("ijk", "told"),
    [
        (np.empty((0, 3)), "At least one point"),
        ([[np.nan, 1, 1]], "At least one point"),
        ([[5, 5, 5], [38, 40, 5]], "same slice"),
        ([[5, 5, 40]], "slices 40 to 40"),
        ([[-3, 5, 5]], "leaves the field of view"),
    ],
)
def test_points_that_make_no_centerline_are_refused(ijk, told):
    with pytest.raises(ImageError, match=told):
        centerline_from_points(GRID.voxel_to_world(ijk), GRID)
