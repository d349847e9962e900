"""Reports of phantoms, whose cord is known."""

import numpy as np
import pytest

from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.report.participant import ReportImage, render_participant
from tests.helpers.browser import Tab, chromium, find_chromium
from tests.helpers.report_images import report_image


@pytest.fixture(scope="session")
def images():
    """Return six images: different grids, one with a gap, one without cord, one that cannot be read."""
    return (
        report_image(),
        report_image(seed=2, title="sub-01/anat/sub-01_T1w.nii.gz", contrast="t1", spoil=True),
        report_image(
            seed=3,
            title="sub-01/anat/sub-01_T2starw.nii.gz",
            contrast="t2s",
            shape=(100, 100, 8),
            zooms=(0.5, 0.5, 5.0),
        ),
        report_image(
            seed=4,
            title="sub-01/anat/sub-01_acq-sag_T2w.nii.gz",
            shape=(50, 60, 30),
            zooms=(0.8, 1.0, 1.5),
            axcodes=("P", "I", "R"),
        ),
        ReportImage(
            "sub-01/anat/sub-01_acq-thigh_T2w.nii.gz",
            make_phantom(
                np.random.default_rng(5), contrast="t2", shape=(60, 60, 20), zooms=(2.0, 2.0, 5.0), cord=False
            ).image,
            status="cord-not-found",
            messages=("No slice shows evidence of a cord.",),
        ),
        ReportImage(
            "sub-01/dwi/sub-01_dwi.nii.gz", status="bad-image", messages=("It has 4 dimensions. 3 are expected.",)
        ),
    )


@pytest.fixture(scope="session")
def page(images):
    """Return the report of all images."""
    return render_participant("01", images, version="1.2.3", dataset="Phantoms")


@pytest.fixture(scope="session")
def chromium_browser():
    """Start the browser once, or skip."""
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with chromium(program) as started:
        yield started


@pytest.fixture
def browser(chromium_browser):
    """Return a tab of the browser."""
    tab = Tab(chromium_browser)
    yield tab
    tab.close()
