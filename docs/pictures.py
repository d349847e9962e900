"""Make the pictures of the documentation from the synthetic example: ``python docs/pictures.py`` (needs Chromium)."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image
from playwright.sync_api import Browser

from tests.helpers.browser import GRAPHICS, Tab, chromium, find_chromium
from tests.helpers.review_server import ReviewServer

FOLDER = Path(__file__).parent / "images"
WIDTH = 1200
#: Name of the picture, page, height that is shown in pixels, and what is clicked before.
PAGES = (
    ("report", "sub-01.html", 1250, ()),
    ("explorer", "sub-01.html", 900, ("#image-2 .closer", "[data-show=probability]", "[data-show=course]")),
    ("group", "group.html", 900, ()),
)


def main() -> int:
    """Segment the example and take a picture of each page."""
    program = find_chromium()
    if program is None:
        sys.stderr.write("Chromium is not installed. Install it: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        write_pages(Path(folder))
        with chromium(program, *GRAPHICS) as browser:
            take_review(browser, Path(folder))
            tab = Tab(browser)
            for name, page, height, clicks in PAGES:
                tab.open((Path(folder) / "out" / page).as_uri(), width=WIDTH)
                for selector in clicks:
                    tab.page.click(selector)
                # Rows of a long table are painted a frame after they came into view.
                tab.page.wait_for_timeout(500)
                picture = FOLDER / f"{name}.png"
                tab.page.screenshot(
                    path=picture, full_page=not clicks, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}
                )
                shrink(picture)
            tab.close()
    return 0


def shrink(picture: Path) -> None:
    """Write a picture at a third of its size, without a difference that one sees."""
    Image.open(picture).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


def take_review(browser: Browser, folder: Path) -> None:
    """Take a picture of the page of a review."""
    server = ReviewServer(folder / "out", "--bids-dir", str(folder / "data"), "--corrections", str(folder / "labels"))
    server.start()
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="dark")
    page.set_default_timeout(120_000)
    page.goto(server.url)
    opened = "() => Boolean(globalThis.review?.state.details && !review.viewer.isLoading)"
    page.evaluate("() => localStorage.setItem('bids_deepseg-author', 'A. Reader')")
    for text in ("", "sub-01_T2w"):
        while not page.evaluate(opened):
            time.sleep(0.1)
        if text:
            page.click(f"#images button:has-text('{text}')")
    while not page.evaluate(opened):
        time.sleep(0.1)
    page.fill("#author", "A. Reader")
    page.click("[data-tool=brush]")
    page.evaluate("() => { review.viewer.goTo(review.viewer.middle(review.viewer.mask())); }")
    show = "([id, text]) => { document.getElementById(id).textContent = text; }"
    page.evaluate(show, ["title", "bids_deepseg example: example_output"])
    page.evaluate(show, ["mask-about", "Will be saved in example_data/derivatives/labels."])
    time.sleep(1)
    page.screenshot(path=FOLDER / "review.png")
    shrink(FOLDER / "review.png")
    page.close()
    server.stop()


def write_pages(folder: Path) -> None:
    """Run the app on the example."""
    data, out = folder / "data", folder / "out"
    for words in (
        ["example", data],
        [data, out, "participant", "group", "--skip-bids-validation"],
    ):
        subprocess.run([sys.executable, "-m", "bids_deepseg", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    raise SystemExit(main())
