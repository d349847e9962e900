"""Published networks find the cord and the grey matter of real images: their weights stand where they belong."""

import nibabel
import numpy as np
import pytest
from nibabel import orientations
from scipy import ndimage

from bids_deepseg.networks.published.predictor import load_published

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def published(shared_data):
    """Return the folder of published networks, or skip."""
    folder = shared_data / "weights"
    if not folder.is_dir():
        pytest.skip(f"no published networks: {folder} is absent")
    return folder


def slices_of(path, zoom_mm, side, order=1):
    """Return axial slices (N, side, side) of an image at another pixel size, cut or filled with zeros."""
    image = nibabel.load(path)
    target = orientations.axcodes2ornt(("L", "A", "S"))
    image = image.as_reoriented(orientations.ornt_transform(orientations.io_orientation(image.affine), target))
    zooms = [float(zoom) / zoom_mm for zoom in image.header.get_zooms()[:2]]
    data = ndimage.zoom(np.asarray(image.dataobj, float), [*zooms, 1], order=order)
    for axis in (0, 1):
        missing = max(0, side - data.shape[axis])
        margin = [(missing // 2, missing - missing // 2) if axis == a else (0, 0) for a in range(3)]
        data = np.pad(data, margin)
        start = (data.shape[axis] - side) // 2
        data = np.take(data, np.arange(start, start + side), axis)
    return np.moveaxis(data, -1, 0)


def test_the_detection_network_finds_every_slice_of_the_cord(published, shared_data):
    predictor = load_published(published, "t2_ctr")
    labels = shared_data / "dev" / "derivatives" / "labels"
    # One patch of 40 mm in the middle of every third slice.
    images = slices_of(shared_data / "dev/sub-dev03/anat/sub-dev03_T2w.nii.gz", 0.5, 80)[::3]
    name = "sub-dev03/anat/sub-dev03_space-orig_label-SC_desc-T2w_mask.nii.gz"
    cord = slices_of(labels / name, 0.5, 80)[::3] > 0.5
    low, high = np.percentile(images, [2, 98])
    images = predictor.standardise(255 * np.clip((images - low) / (high - low), 0, 1))
    mask = predictor.predict(images) > predictor.threshold
    assert mask.any((1, 2)).all()
    centres = [
        np.subtract(ndimage.center_of_mass(a), ndimage.center_of_mass(b)) for a, b in zip(mask, cord, strict=True)
    ]
    distances_mm = 0.5 * np.linalg.norm(centres, axis=1)
    assert distances_mm.mean() < 0.3


def test_the_grey_matter_network_finds_the_grey_matter(published, shared_data):
    predictor = load_published(published, "gm_challenge")
    labels = shared_data / "dev" / "derivatives" / "labels"
    images = slices_of(shared_data / "dev/sub-dev04/anat/sub-dev04_T2starw.nii.gz", 0.25, 200)
    name = "sub-dev04/anat/sub-dev04_space-orig_label-GM_desc-T2starw_mask.nii.gz"
    grey = slices_of(labels / name, 0.25, 200) > 0.5
    middle = slice(len(images) // 2 - 1, len(images) // 2 + 2)
    mask = predictor.predict(predictor.standardise(images)[middle]) > predictor.threshold
    grey = grey[middle]
    assert 2 * (mask & grey).sum() / (mask.sum() + grey.sum()) > 0.75
