"""What the viewer of a page gets is what was found, voxel by voxel, in every slice, and is small."""

import base64
import io
import itertools
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from bids_deepseg.example.phantom import grid_around
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.report import explorer
from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.explorer import MOST_SLICES, PROBABILITY_STEPS, pack_neighbourhood
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.participant import render_participant
from bids_deepseg.rescue import FIRST, all_attempts
from bids_deepseg.stages.extent import extent_of
from tests.helpers.report_images import heat_of, report_image

AXCODES = [codes for letters in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*letters)]


def cord_of(shown, **changes):
    image = replace(shown, **changes)
    found = image.image, image.mask, image.probability, image.centerline_xyz
    return cord_image(*found, image.structure, image.heat)


def layers_of(packed):
    columns, rows = packed["voxels"]
    content = zlib.decompress(base64.b64decode(packed["layers"]))
    return np.frombuffer(content, np.uint8).reshape(-1, rows, columns)


def put_back(packed, tiles, shape):
    """Return the volume (I, J, K) of tiles (K, rows, columns) at their places."""
    volume = np.zeros(shape, tiles.dtype)
    n_i, n_j, n_k = shape
    for row, (tile, (left, top)) in enumerate(zip(tiles, packed["starts"], strict=True)):
        for r, c in np.argwhere(tile):
            i, j = int(left) + c, n_j - 1 - int(top) - r
            assert 0 <= i < n_i
            assert 0 <= j < n_j
            volume[i, j, n_k - 1 - row] = tile[r, c]
    return volume


def grey_tiles(packed):
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(packed["sprite"].partition(",")[2]))))
    (width, height), (step_x, step_y), across = (packed["tiles"][name] for name in ("size", "pitch", "across"))
    corners = (divmod(n, across) for n in range(len(packed["starts"])))
    return [sheet[r * step_y : r * step_y + height, c * step_x : c * step_x + width] for r, c in corners]


@pytest.mark.parametrize("axcodes", AXCODES, ids="".join)
def test_mask_structure_and_probability_come_back_voxel_by_voxel(axcodes):
    image = report_image(shape=(40, 44, 20), axcodes=axcodes)
    inner = Volume((image.mask.data * (image.probability.data > 0.9)).astype(np.uint8), image.mask.grid)
    cord = cord_of(image, structure=inner)
    packed = pack_neighbourhood(cord)
    layers = layers_of(packed)
    shape = cord.data.shape
    for bit, volume in ((1, image.mask), (2, inner)):
        expected = reorient(volume, CANONICAL_AXCODES).data > 0
        assert np.array_equal(put_back(packed, layers & bit > 0, shape), expected)
    found = put_back(packed, layers >> 2, shape) / PROBABILITY_STEPS
    assert np.abs(found - reorient(image.probability, CANONICAL_AXCODES).data).max() <= 0.5 / PROBABILITY_STEPS + 1e-6


@pytest.mark.parametrize("axcodes", AXCODES[::5], ids="".join)
@pytest.mark.parametrize("zooms", [(1.0, 1.0, 1.0), (0.4, 0.7, 2.0)])
def test_the_heat_comes_back_where_it_was_seen(axcodes, zooms):
    image = report_image(shape=(80, 80, 12), zooms=zooms, axcodes=axcodes)
    heat = heat_of(image)
    cord = cord_of(image, heat=heat)
    packed = pack_neighbourhood(cord)
    (columns, rows), step = packed["voxels"], packed["heat"]["step"]
    size = [-(-n // step) for n in (rows, columns)]
    content = zlib.decompress(base64.b64decode(packed["heat"]["values"]))
    tiles = np.frombuffer(content, np.uint8).reshape(-1, *size) / explorer.HEAT_STEPS
    n_j, n_k = cord.data.shape[1:]
    canonical = reorient(image.mask, CANONICAL_AXCODES).grid
    for row, (tile, (left, top)) in enumerate(zip(tiles, packed["starts"], strict=True)):
        if tile.max() < 0.3:
            continue
        assert tile.max() > 0.6
        k = n_k - 1 - row
        r, c = (float(np.average(np.indices(size)[axis], weights=tile)) * step + (step - 1) / 2 for axis in (0, 1))
        at = canonical.voxel_to_world([[left + c, n_j - 1 - top - r, k]])
        hot = heat.data[..., k]
        where = [float(np.average(np.indices(hot.shape)[axis], weights=hot)) for axis in (0, 1)]
        expected = heat.grid.voxel_to_world([[*where, k]])
        # The heat is cut off at the border of the tile and of the image.
        assert np.linalg.norm(at - expected) < 1.2
    assert packed["has"]["heat"]
    assert not pack_neighbourhood(cord_of(image))["has"]["heat"]


@given(
    st.tuples(*[st.integers(1, 50)] * 2, st.integers(1, 9)),
    st.tuples(*[st.sampled_from([0.2, 0.5, 1.0, 3.0])] * 3),
    st.randoms(use_true_random=False),
)
def test_no_voxel_of_a_mask_in_the_tiles_is_lost(shape, zooms, random):
    grid = grid_around(shape, zooms)
    mask = np.zeros(shape, np.uint8)
    centre = [random.randrange(n) for n in shape[:2]]
    for k in range(shape[2]):
        mask[centre[0], centre[1], k] = random.random() < 0.8
    cord = cord_image(Volume(np.ones(shape, np.float32), grid), Volume(mask, grid), None, None)
    packed = pack_neighbourhood(cord)
    assert layers_of(packed).shape[0] == shape[2]
    if cord.seen:
        assert np.array_equal(put_back(packed, layers_of(packed) & 1, shape), mask)


def test_grey_tiles_show_the_image_at_their_places():
    image = report_image(shape=(60, 60, 30), zooms=(1.0, 1.0, 2.0))
    cord = cord_of(image)
    packed = pack_neighbourhood(cord)
    n_i, n_j, n_k = cord.data.shape
    for row, (tile, (left, top)) in enumerate(zip(grey_tiles(packed), packed["starts"], strict=True)):
        i = int(left) + np.arange(tile.shape[1])
        j = n_j - 1 - int(top) - np.arange(tile.shape[0])
        within = ((j >= 0) & (j < n_j))[:, None] & ((i >= 0) & (i < n_i))
        truth = cord.data[np.clip(i, 0, n_i - 1)[None], np.clip(j, 0, n_j - 1)[:, None], n_k - 1 - row]
        assert np.corrcoef(tile[within].astype(float), truth[within])[0, 1] > 0.9


def test_the_centerline_lies_in_the_middle_of_the_mask():
    packed = pack_neighbourhood(cord_of(report_image()))
    for tile, point in zip(layers_of(packed) & 1, packed["course"], strict=True):
        if tile.any() and point is not None:
            down, across = np.argwhere(tile).mean(0) + 0.5
            assert point == pytest.approx([across, down], abs=0.51)


def test_every_slice_of_an_image_without_cord_is_there():
    image = report_image(shape=(50, 60, 12))
    packed = pack_neighbourhood(cord_of(image, mask=None, probability=None, centerline_xyz=None))
    assert packed["layers"] == ""
    assert packed["voxels"] == [50, 60]
    assert len(grey_tiles(packed)) == len(packed["starts"]) == 12
    assert not any(packed["has"].values())


def noise(shape, zooms, seed=1):
    """Return an image of noise with a cord of 8 mm in the middle: nothing is larger when compressed."""
    rng = np.random.default_rng(seed)
    grid = grid_around(shape, zooms)
    x, y = (zoom * (np.arange(n) - n / 2) for n, zoom in zip(shape[:2], zooms, strict=False))
    distance = np.hypot(x[:, None], y[None])
    mask = (distance < 4)[..., None].repeat(shape[2], 2)
    # The network is unsure within 1 mm of the border only.
    unsure = (np.abs(distance - 4) < 1)[..., None]
    probability = np.where(unsure, rng.random(shape), mask).astype(np.float32)
    data = rng.normal(size=shape).astype(np.float32)
    # As smooth as that of the network, and everywhere.
    coarse = (*(max(1, round(n * zoom)) for n, zoom in zip(shape[:2], zooms, strict=False)), shape[2])
    seen = ndimage.gaussian_filter(rng.normal(size=coarse), (2, 2, 2 / zooms[2]))
    heat = Volume(np.clip(0.5 + seen / seen.std() / 3, 0, 1).astype(np.float32), grid_around(coarse, (1, 1, zooms[2])))
    found = Volume(mask.astype(np.uint8), grid), Volume(probability, grid)
    return ReportImage("a", Volume(data, grid), *found, heat=heat)


@pytest.mark.parametrize(
    ("shape", "zooms"),
    [((64, 64, 600), (0.8, 0.8, 0.8)), ((400, 400, 20), (0.08, 0.08, 3.0)), ((90, 90, 300), (0.4, 0.4, 0.5))],
)
def test_the_picture_is_small_whatever_the_image(shape, zooms):
    packed = pack_neighbourhood(cord_of(noise(shape, zooms)))
    assert len(base64.b64decode(packed["sprite"].partition(",")[2])) <= 150_000
    assert len(packed["starts"]) == shape[2]
    assert max(packed["voxels"]) <= 240


def test_six_long_images_fit_into_three_megabytes():
    images = [noise((64, 64, 500), (0.8, 0.8, 0.8), seed=n) for n in range(6)]
    extent = extent_of(images[0].mask, images[0].mask.grid)
    one = {"Method": "view of a small cord", "Verdict": "fail", "Score": 0.5, "Reasons": ["gap"] * 9, "Kept": False}
    tries = (one | {"Extent": extent},) * len((FIRST, *all_attempts()))
    images = [replace(image, verdict="pass", tries=tries) for image in images]
    assert len(render_participant("01", images, version="1").encode()) <= 3_000_000


def test_an_image_with_very_many_slices_has_no_viewer():
    grid = grid_around((1, 1, MOST_SLICES + 1), (1.0, 1.0, 0.1))
    volume = Volume(np.ones(grid.shape, np.float32), grid)
    assert pack_neighbourhood(cord_image(volume, None, None, None)) is None


def test_tiles_do_not_share_the_blocks_of_a_jpeg():
    packed = pack_neighbourhood(cord_of(report_image()))
    assert all(step % 8 == 0 for step in packed["tiles"]["pitch"])
    assert explorer.pack_neighbourhood(cord_of(report_image())) == packed


def test_the_window_follows_a_coil_that_fades():
    image = report_image(shape=(48, 60, 200))
    fading = np.linspace(0.05, 1.0, 200, dtype=np.float32)
    faded = Volume(image.image.data * fading, image.image.grid)
    tiles = grey_tiles(pack_neighbourhood(cord_of(image, image=faded)))
    assert min(tile.max() for tile in tiles) > 150


def test_the_page_has_one_script_with_data_for_each_image_that_can_be_read(images, page):
    assert page.count('<script type="application/json" class="slices">') == sum(one.image is not None for one in images)
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(", page)
