"""Pages of the group level with as many images as one likes, from random numbers."""

import base64
import io
import math

import numpy as np
from PIL import Image

from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.group import render_group
from bids_deepseg.report.group_facts import Absence, GroupImage, GroupPage, KindSummary, Pair, PairSummary
from bids_deepseg.report.thumbnail import Thumbnail, draw_thumbnail
from tests.helpers.report_images import report_image

COLUMNS = ("site", "age", "sex", "group")
SITES = ("amsterdam", "berlin", "chicago", "dublin", "geneva")


#: Of the data set, in the browser.
IDENTITY = "c3d4"


def random_page(n_images, *, seed=0, pictures=8, **more):
    """Return a page of two kinds of images with pictures, outliers, failures, missing and repeated images."""
    rng = np.random.default_rng(seed)
    files = _pictures(pictures)
    images = [_image(rng, number, files) for number in range(n_images)]
    kinds = tuple(_summary(kind, images) for kind in ("T1w", "T2w"))
    images = [_scored(image, kinds) for image in images]
    pairs = tuple(
        Pair(f"{n:04d}", "T2w", "run", f"sub-{n:04d}_run-1_T2w.nii.gz", f"sub-{n:04d}_run-2_T2w.nii.gz", 70.0,
             70.0 * (1 + percent / 100), percent)
        for n, percent in enumerate(rng.normal(0, 2.5, n_images // 10).round(2).tolist())
    )  # fmt: skip
    settings = {
        "images": tuple(images),
        "kinds": kinds,
        "missing": tuple(
            Absence(f"{n:04d}", None, "T2w", "3 of 4 participants have one") for n in range(n_images // 50)
        ),
        "pairs": pairs,
        "pair_summaries": (PairSummary("run", "T2w", len(pairs), 1.8),) if pairs else (),
        "pages": frozenset(image.subject for image in images),
        "participant_columns": COLUMNS,
        "participant_places": ("sourcedata/participants.tsv",),
        "tables": ("group_label-SC_morph.tsv",),
        "outlier_score": 3.5,
        "least_images": 5,
        "levels": {"T2w": ("C2", "C3", "C4", "C5", "C6", "C7")},
        "identity": IDENTITY,
    }
    return GroupPage(**(settings | more))


def random_html(n_images, **more):
    """Return that page as HTML."""
    return render_group(random_page(n_images, **more), version="1.2.3")


def _pictures(count):
    """Return pictures of phantoms of different noise, as the pages of participants carry them."""
    image = report_image(shape=(64, 72, 60), zooms=(0.8, 0.8, 1.2))
    cord = cord_image(image.image, image.mask, image.probability, image.centerline_xyz)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        noise = rng.normal(0, 0.04 * float(cord.data.max()), cord.data.shape).astype(np.float32)
        cord = cord_image(image.image, image.mask, image.probability, image.centerline_xyz)
        object.__setattr__(cord, "data", cord.data + noise)
        found.append(draw_thumbnail(cord, "image-1"))
    return found


def _image(rng, number, files):
    """Return a random image of a participant."""
    subject, kind = f"{number // 2:04d}", ("T1w", "T2w")[number % 2]
    site = int(rng.integers(len(SITES)))
    title = f"sub-{subject}/ses-{1 + number % 3}/anat/sub-{subject}_ses-{1 + number % 3}_{kind}.nii.gz"
    person = (SITES[site], str(int(rng.integers(20, 80))), ("F", "M")[number // 2 % 2], "n/a")
    if rng.random() < 0.02:
        return GroupImage(
            subject=subject, title=title, kind=kind, verdict="failed", session=str(1 + number % 3), person=person,
            note="bad-image: The file is empty (0 bytes). A NIfTI image is expected. Copy it again.",
            advice="Open the image in a viewer. Repair its header or convert it again from DICOM, then run again.",
        )  # fmt: skip
    area = float(rng.normal((66.0, 74.0)[number % 2] + site, 6.0) * (1 if rng.random() > 0.01 else 0.4))
    n_places = (20, 6)[number % 2]
    course = area * (1 + 0.1 * np.sin(np.linspace(0, math.pi, n_places))) + rng.normal(0, 1.5, n_places)
    verdict = str(rng.choice(["pass", "warn", "fail"], p=[0.9, 0.08, 0.02]))
    note = {"pass": "", "warn": "The area jumps by 31 % between slices 12 and 13. Look at them.",
            "fail": "5 slices inside the cord have no mask. Correct the mask."}[verdict]  # fmt: skip
    return GroupImage(
        subject=subject, title=title, kind=kind, verdict=verdict, session=str(1 + number % 3), person=person, note=note,
        area_mm2=area, n_slices=int(rng.integers(12, 300)), along=tuple(course.tolist()),
        thumbnail=_unique(files[number % len(files)], number),
    )  # fmt: skip


def _unique(thumbnail, number):
    """Add a comment to a picture, so that a browser cannot take it for another one."""
    content = base64.b64decode(thumbnail.jpeg)
    comment = f"{number:08d}".encode()
    content = content[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + content[2:]
    assert Image.open(io.BytesIO(content)).size == (thumbnail.width, thumbnail.height)
    return Thumbnail(base64.b64encode(content).decode(), thumbnail.width, thumbnail.height, thumbnail.anchor)


def _summary(kind, images):
    """Return what is usual for a kind."""
    areas = np.array([image.area_mm2 for image in images if image.kind == kind and image.verdict in {"pass", "warn"}])
    median = float(np.median(areas)) if len(areas) else math.nan
    spread = float(np.median(np.abs(areas - median)) / 0.6745) if len(areas) > 4 else math.nan
    return KindSummary(kind, len(areas), median, spread)


def _scored(image, kinds):
    """Return an image with its robust z-score."""
    kind = next(each for each in kinds if each.kind == image.kind)
    object.__setattr__(image, "score", (image.area_mm2 - kind.median_mm2) / kind.spread_mm2)
    return image
