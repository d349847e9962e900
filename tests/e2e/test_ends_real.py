"""Where the cord ends, and where there is none: the networks of the package on training images and phantoms."""

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import load_models
from bids_deepseg.pipeline import segment

pytestmark = pytest.mark.slow

#: Tip of the conus, as a slice of the canonical image (``training/configs/sources.toml``).
CONUS_TIP = {"train10": 17, "train12": 262}


@pytest.fixture(scope="module")
def models():
    return load_models()


def read(path):
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    return reorient(Volume(data, Grid(data.shape, image.affine)), CANONICAL_AXCODES)


@pytest.mark.parametrize("person", CONUS_TIP)
def test_the_mask_ends_within_15_mm_of_the_tip_of_the_conus(person, models, shared_data):
    image = read(shared_data / f"train_more/sub-{person}/anat/sub-{person}_T2w.nii.gz")
    shown = np.flatnonzero(segment(image, models).mask.data.any((0, 1)))
    assert abs(shown[0] - CONUS_TIP[person]) * image.grid.zooms[2] <= 15
    assert len(shown) == shown[-1] - shown[0] + 1


@pytest.mark.parametrize("person", ["train13", "train14"])
def test_a_brain_without_skull_has_no_cord(person, models, shared_data):
    image = read(shared_data / f"train_more/sub-{person}/anat/sub-{person}_T1w.nii.gz")
    with pytest.raises(CordNotFoundError):
        segment(image, models)


@pytest.mark.parametrize("seed", range(6))
def test_a_thigh_has_no_cord(seed, models):
    contrast = ("t1", "t2", "t2s")[seed % 3]
    rng = np.random.default_rng(seed)
    thigh = make_phantom(rng, contrast=contrast, shape=(80, 80, 20), zooms=(1.0, 1.0, 2.0), cord=False)
    with pytest.raises(CordNotFoundError):
        segment(thigh.image, models)
