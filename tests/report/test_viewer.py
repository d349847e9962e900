"""Points that are clicked on the page come out as a file, in the world, where the cord was clicked."""

import re

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.cli import main as cli
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.report.viewer import MOST_SLICES, render_viewer
from bids_deepseg.stages.given_centerline import centerline_from_points
from tests.helpers.phantoms import grid_of, oblique, tube


def image_of(grid, codes=("P", "I", "R")):
    return reorient(tube(grid, radius_mm=5.0, slope=(0.1, 0.2), supersample=2), codes)


def slices_of(page):
    return re.search(r'"slices": \[([\d, ]+)\]', page)[1].split(", ")


def test_the_page_is_self_contained_and_holds_the_slices_of_the_middle():
    page = render_viewer(image_of(grid_of((40, 44, 30))), "<b>.nii", file_name="b.csv", version="1")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|url\(|https?://""", page)
    assert "&lt;b&gt;.nii" in page
    assert len(slices_of(page)) == page.count("data:image/") - 1 == 39
    wide = Volume(np.zeros((200, 4, 4), np.float32), grid_of((200, 4, 4), (0.5, 1, 1)))
    assert [int(i) for i in slices_of(render_viewer(wide, "w", file_name="w.csv", version="1"))] == list(
        range(2, 199, 2)
    )
    broad = Volume(np.zeros((300, 4, 4), np.float32), grid_of((300, 4, 4)))
    assert len(slices_of(render_viewer(broad, "w", file_name="w.csv", version="1"))) == MOST_SLICES
    thin = Volume(np.zeros((1, 4, 4), np.float32), grid_of((1, 4, 4)))
    assert slices_of(render_viewer(thin, "w", file_name="w.csv", version="1")) == ["0"]


def test_the_command_writes_the_page_and_tells_errors(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = image_of(grid_of((20, 24, 16)))
    series = np.stack([image.data, np.full_like(image.data, np.nan)], 3)
    nib.Nifti1Image(series, image.grid.affine).to_filename("sub-01_T2w.nii.gz")
    assert cli.main(["viewer", "sub-01_T2w.nii.gz"]) == 0
    assert "sub-01_T2w_centerline-manual.csv" in capsys.readouterr().out
    assert "sub-01_T2w_centerline-manual.csv" in (tmp_path / "sub-01_T2w_viewer.html").read_text()
    (tmp_path / "p.csv").write_text("i,j,k\n1,2,3\n")
    assert cli.main(["viewer", "sub-01_T2w.nii.gz", "-o", "deep/page.html", "--points", "p.csv"]) == 0
    assert '"points": [[' in (tmp_path / "deep" / "page.html").read_text()
    assert cli.main(["viewer", "--help"]) == 0
    assert cli.main(["viewer"]) == 64
    assert cli.main(["viewer", "absent.nii.gz"]) == 65
    (tmp_path / "p.csv").write_text("a,b,c\n1,2,3\n")
    assert cli.main(["viewer", "sub-01_T2w.nii.gz", "--points", "p.csv"]) == 65
    assert "columns a, b, c" in capsys.readouterr().err
    # A data set in a folder of that name is still a data set.
    assert cli.main(["viewer", "out", "participant"]) == 66


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grid():
    """Return the canonical grid of the image on the page: oblique, and not isotropic."""
    return oblique((40, 44, 30), (1.0, 0.8, 2.0))


@pytest.fixture(scope="module")
def url(grid, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    page = render_viewer(image_of(grid), "sub-01_T2w.nii.gz", file_name="points.csv", version="1")
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


def click(browser, grid, j, k):
    """Click the voxel (j, k) of the slice that is shown."""
    box = browser.evaluate(
        "(b => [b.x, b.y, b.width, b.height])(document.getElementById('stage').getBoundingClientRect())"
    )
    _, n_j, n_k = grid.shape
    x, y = box[0] + box[2] * (n_j - 0.5 - j) / n_j, box[1] + box[3] * (n_k - 0.5 - k) / n_k
    browser.page.mouse.click(x, y)


def choose(browser, number):
    browser.evaluate(
        f"(s => {{ s.value = {number}; s.dispatchEvent(new Event('input')); }})(document.getElementById('slice'))"
    )


@pytest.mark.slow
def test_clicks_are_saved_where_they_were_made(browser, grid, url, tmp_path):
    browser.open(url)
    clicked = [(10, 12, 3), (19, 20, 14), (30, 31, 27)]
    for i, j, k in clicked:
        # The slices 1, 2, 3... of 40 are shown, so slice i has the number i - 1.
        choose(browser, i - 1)
        click(browser, grid, j, k)
    with browser.page.expect_download() as download:
        browser.evaluate("document.getElementById('save').click()")
    saved = tmp_path / "points.csv"
    download.value.save_as(saved)
    assert saved.read_text() == browser.evaluate("document.getElementById('csv').value")

    points = read_centerline(saved, reorient(image_of(grid), ("S", "A", "L")).grid)
    # Clicks fall on whole pixels of the screen: a fraction of a millimetre.
    np.testing.assert_allclose(grid.world_to_voxel(points), clicked[::-1], atol=0.06)
    fitted = centerline_from_points(points, grid)
    assert fitted.k.tolist() == list(range(3, 28))

    assert browser.problems == []


@pytest.mark.slow
def test_the_picture_shows_the_voxels_that_a_click_hits(browser, grid, url):
    """The brightest pixels of the picture, clicked, lie in the tube."""
    browser.open(url)
    choose(browser, 19)
    shown = browser.evaluate(
        "(async () => { const i = new Image(); i.src = document.getElementById('picture').src; await i.decode();"
        "const c = document.createElement('canvas'); c.width = i.naturalWidth; c.height = i.naturalHeight;"
        "const g = c.getContext('2d'); g.drawImage(i, 0, 0); const d = g.getImageData(0, 0, c.width, c.height).data;"
        "return Array.from({length: c.height * c.width}, (_, n) => d[4 * n]); })()"
    )
    truth = reorient(image_of(grid), CANONICAL_AXCODES).data[20, ::-1, ::-1].T
    assert np.corrcoef(shown, truth.ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_points_are_set_and_removed_by_keyboard(browser, url):
    browser.open(url)
    count = "document.querySelectorAll('#rows tr').length"
    assert browser.evaluate("document.getElementById('save').hasAttribute('href')") is False
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.id") == "stage"
    assert browser.evaluate("getComputedStyle(document.getElementById('stage')).outlineStyle") == "solid"
    browser.press("Enter")
    browser.press("Enter")
    assert browser.evaluate(count) == 1
    assert "Point replaced. Points: 1." in browser.evaluate("document.getElementById('told').textContent")
    key = "document.getElementById('stage').dispatchEvent(new KeyboardEvent('keydown', {{key: '{}'}}))"
    for name in ("ArrowUp", "ArrowUp", "ArrowLeft"):
        browser.evaluate(key.format(name))
    browser.press("Enter")
    assert browser.evaluate(count) == 2
    browser.evaluate(key.format("PageUp"))
    assert browser.evaluate("document.getElementById('slice').value") == "20"
    browser.evaluate("document.querySelector('#rows button').click()")
    assert browser.evaluate(count) == 1
    browser.evaluate("document.getElementById('clear').click()")
    assert browser.evaluate("document.getElementById('csv').value") == ""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_fits_into_the_window_and_can_be_read(browser, url, width):
    browser.open(url, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    names = browser.evaluate("Array.from(document.querySelectorAll('input, textarea'), e => e.labels.length)")
    assert min(names) == 1
