"""Make the pictures of the documentation from the synthetic example: ``python docs/pictures.py`` (needs Chromium)."""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from tests.helpers.browser import Tab, chromium, find_chromium

FOLDER = Path(__file__).parent / "images"
WIDTH = 1200
#: Name of the picture, page, and height that is shown in pixels.
PAGES = (("report", "sub-01.html", 1250), ("group", "group.html", 900), ("viewer", "viewer.html", 900))


def main() -> int:
    """Segment the example and take a picture of each page."""
    program = find_chromium()
    if program is None:
        sys.stderr.write("Chromium is not installed. Install it: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        write_pages(Path(folder))
        with chromium(program) as browser:
            tab = Tab(browser)
            for name, page, height in PAGES:
                tab.open((Path(folder) / "out" / page).as_uri(), width=WIDTH)
                # Rows of a long table are painted a frame after they came into view.
                tab.page.wait_for_timeout(500)
                picture = FOLDER / f"{name}.png"
                tab.page.screenshot(
                    path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}
                )
                # A third of the size, and no difference that one sees.
                Image.open(picture).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)
            tab.close()
    return 0


def write_pages(folder: Path) -> None:
    """Run the app on the example, and write the page on which a centerline is clicked."""
    data, out = folder / "data", folder / "out"
    image = data / "sub-01" / "anat" / "sub-01_T2w.nii.gz"
    for words in (
        ["example", data],
        [data, out, "participant", "group", "--skip-bids-validation"],
        ["viewer", image, "-o", out / "viewer.html"],
    ):
        subprocess.run([sys.executable, "-m", "bids_deepseg", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    raise SystemExit(main())
