"""Valid NIfTI files, and the same with some fields of the header changed."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np


def set_fields(path: Path, **fields: object) -> Path:
    """Overwrite fields of the header of a file, compressed or not; ``dim_1=5`` is the second number of ``dim``."""
    stored = path.read_bytes()
    compressed = stored.startswith(b"\x1f\x8b")
    content = bytearray(gzip.decompress(stored) if compressed else stored)
    order, size = next(
        (order, size) for order in "<>" for size in (348, 540) if np.frombuffer(content[:4], f"{order}i4")[0] == size
    )
    dtype = (nib.nifti1 if size == 348 else nib.nifti2).header_dtype.newbyteorder(order)
    header = np.frombuffer(bytes(content[:size]), dtype).copy()
    for name, value in fields.items():
        field, _, index = name.rpartition("_")
        if name in dtype.names:
            header[name] = value
        else:
            numbers = header[field].copy().reshape(-1)
            numbers[int(index)] = value
            header[field] = numbers.reshape(header[field].shape)
    content[:size] = header.tobytes()
    path.write_bytes(gzip.compress(bytes(content), mtime=0) if compressed else content)
    return path


def write_plain(path: Path, data: np.ndarray, affine: np.ndarray, *, unit: str = "mm", version: int = 1) -> Path:
    """Write an image with sform and qform, whose matrices are in the unit that is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = {"mm": 1.0, "meter": 1e-3, "micron": 1e3, "unknown": 1.0}[unit]
    scaled = np.diag([scale, scale, scale, 1.0]) @ affine
    image = (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(data, scaled)
    image.header.set_xyzt_units(unit, "sec")
    image.set_sform(scaled, 1)
    image.set_qform(scaled, 1)
    image.to_filename(path)
    return path
