"""A data folder of phantoms for the training."""

import numpy as np
import pytest

from tests.helpers.training_data import save


@pytest.fixture
def data_dir(tmp_path):
    """Two participants with a cord of 5 mm radius in fluid, one held out; a label map; the last slice unlabelled."""
    i, j, _ = np.indices((80, 80, 4))
    radius = np.hypot(i - 40, j - 36) / 2
    image = np.where(radius < 5, 0.5, np.where(radius < 9, 1, 0.1)).astype(np.float32) * 700
    mask = (radius < 5).astype(np.uint8)
    mask[..., 3] = 0
    for person in ("train01", "train03"):
        save(tmp_path / f"train/sub-{person}/anat/sub-{person}_T2w.nii.gz", image)
        name = f"sub-{person}_space-orig_label-SC_desc-T2w_mask.nii.gz"
        save(tmp_path / f"train/derivatives/labels/sub-{person}/anat/{name}", mask)
    save(tmp_path / "labels/someone_cord.nii.gz", mask)
    save(tmp_path / "labels/someone_csf.nii.gz", ((radius >= 5) & (radius < 9)).astype(np.uint8))
    save(tmp_path / "labels/errsm21t1_cord.nii.gz", mask)
    return tmp_path
