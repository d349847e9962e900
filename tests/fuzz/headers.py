"""Fuzz the header of an image: bytes at random, and fields with nasty values."""

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_deepseg.bids.query import BidsImage
from bids_deepseg.bids.reader import read_image
from bids_deepseg.errors import ImageError


def change_bytes(rng: np.random.Generator) -> str:
    """Change some bytes of a header."""
    image = nib.Nifti1Image(np.arange(512, dtype=np.int16).reshape(8, 8, 8), np.eye(4))
    content = bytearray(image.to_bytes())
    for _ in range(rng.integers(1, 5)):
        content[rng.integers(0, 352)] = rng.integers(0, 256)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sub-01_T2w.nii"
        path.write_bytes(content)
        try:
            read_image(BidsImage(path, Path(folder), {"subject": "01"}, "T2w", "anat"))
        except ImageError:
            return "refused"
        return "read"


TARGETS = {"bytes": change_bytes}
