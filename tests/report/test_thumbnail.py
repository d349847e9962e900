"""The small picture of an image: the page of a participant carries it, and it is found there again."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.linked import link_figures
from bids_deepseg.report.participant import ReportImage, render_participant
from bids_deepseg.report.thumbnail import draw_thumbnail, find_thumbnails
from tests.helpers.report_images import report_image

#: Bytes of a picture, so that 2,000 of them fit into a page of 60 MB.
MOST_BYTES = 20_000


def decoded(thumbnail):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnail.jpeg))).convert("RGB")).astype(int)


def drawn(image):
    return draw_thumbnail(cord_image(image.image, image.mask, image.probability, image.centerline_xyz), "image-1")


def is_pink(colours):
    return (colours[..., 0] > 180) & (colours[..., 1] < 120) & (colours[..., 2] > 120)


def test_every_image_with_a_picture_is_found_again_under_its_name(images, page):
    found = find_thumbnails(page)
    # The last one cannot be read.
    assert set(found) == {image.title for image in images if image.image is not None}
    for thumbnail in found.values():
        assert f'id="{thumbnail.anchor}"' in page
        assert decoded(thumbnail).shape == (thumbnail.height, thumbnail.width, 3)
        assert len(thumbnail.jpeg) < MOST_BYTES


def test_each_picture_leads_to_the_section_of_its_image(images, page):
    for title, thumbnail in find_thumbnails(page).items():
        section = page.split(f'<section id="{thumbnail.anchor}"')[1].split("</section>")[0]
        assert title in section


def test_pages_with_linked_figures_carry_them_too(page):
    assert find_thumbnails(link_figures(page, "sub-01/figures")[0]) == find_thumbnails(page)


def test_the_mask_is_outlined_in_both_views():
    image = report_image()
    colours = decoded(drawn(image))
    side, across = colours[:, :96], colours[:, 98:]
    assert is_pink(side).sum() > 50
    assert is_pink(across).sum() > 30
    without = ReportImage(image.title, image.image, None, None, image.centerline_xyz)
    assert not is_pink(decoded(drawn(without))).any()


def test_the_same_image_gives_the_same_picture():
    assert drawn(report_image()) == drawn(report_image())


@pytest.mark.parametrize(
    ("shape", "zooms"),
    [
        ((30, 30, 1), (1.0, 1.0, 5.0)),
        ((1, 40, 40), (4.0, 1.0, 1.0)),
        ((8, 320, 320), (0.8, 0.8, 0.8)),
        ((8, 8, 400), (3.0, 3.0, 1.0)),
    ],
)
def test_images_of_any_shape_have_a_picture(shape, zooms):
    image = report_image(shape=shape, zooms=zooms)
    for each in (image, ReportImage(image.title, image.image, status="cord-not-found")):
        thumbnail = drawn(each)
        assert 16 <= thumbnail.width <= 194
        assert decoded(thumbnail).shape == (96, thumbnail.width, 3)


def test_a_constant_image_has_a_picture():
    image = report_image()
    flat = type(image.image)(np.zeros_like(image.image.data), image.image.grid)
    assert decoded(drawn(ReportImage(image.title, flat, image.mask, None, image.centerline_xyz))).any()


@given(title=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_name_is_found_again(title):
    image = report_image(shape=(20, 20, 4))
    html = render_participant("01", [ReportImage(title, image.image, image.mask)], version="1")
    assert set(find_thumbnails(html)) == {title}


@pytest.mark.parametrize(
    "line",
    [
        '<meta name="thumbnail" content="image-1 9x9 AAAA sub-01">',
        '<meta name="thumbnail" content="image-1 9x9 /9j/&quot; sub-01">',
        '<meta name="thumbnail" content="x 9x9 /9j/AAAA sub-01">',
        '</head><body><meta name="thumbnail" content="image-1 9x9 /9j/AAAA sub-01">',
    ],
)
def test_nothing_else_is_taken_for_a_picture(line):
    assert find_thumbnails(f"<head>{line}") == {}
