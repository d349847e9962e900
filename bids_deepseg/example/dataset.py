"""Write the example data set: two invented participants, three contrasts, valid BIDS.

The same version writes the same bytes: the anatomy and the noise come from fixed seeds, and the compressed files hold
no time.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from bids_deepseg.errors import OutputError, OutputWriteError
from bids_deepseg.example.phantom import draw_phantom, grid_around, scan
from bids_deepseg.geometry.volume import Volume


@dataclass(frozen=True, slots=True)
class _Scan:
    """One image of the data set: whose, which, and how it lies."""

    subject: str
    suffix: str
    contrast: str
    shape: tuple[int, int, int]
    zooms: tuple[float, float, float]
    axcodes: tuple[str, str, str]
    centre_mm: tuple[float, float, float]


def _scans() -> tuple[_Scan, ...]:
    """Return the images of the data set."""
    sagittal = ("P", "S", "R")
    return (
        _Scan("01", "T2w", "t2", (64, 140, 48), (1.0, 1.0, 1.0), sagittal, (0.0, -4.0, -4.0)),
        _Scan("01", "T2starw", "t2s", (128, 128, 10), (0.5, 0.5, 5.0), ("L", "A", "S"), (1.0, -2.0, 6.0)),
        _Scan("02", "T1w", "t1", (56, 72, 96), (1.0, 1.0, 1.0), ("R", "A", "S"), (0.0, -3.0, 0.0)),
        _Scan("02", "T2w", "t2", (64, 120, 48), (1.0, 1.0, 1.0), sagittal, (-1.0, -2.0, -2.0)),
    )


def write_example(folder: Path) -> None:
    """Write a small synthetic BIDS data set of two invented participants.

    Parameters
    ----------
    folder : Path
        Folder to be made; it may exist if it is empty.

    Raises
    ------
    OutputError
        If the folder holds something already, cannot be made or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error}. Name a folder that you may write.") from error
    if occupied:
        raise OutputError(f"{folder} is not empty. Name a new or an empty folder for the example data set.")
    try:
        _write_dataset_files(folder)
        for index, one in enumerate(_scans()):
            _write_scan(folder, one, index)
    except OSError as error:
        raise OutputWriteError(f"The example data set cannot be written to {folder}: {error}.") from error


def _write_scan(folder: Path, one: _Scan, index: int) -> None:
    """Scan one image and write it with its sidecar; the scans of one person show the same anatomy."""
    phantom = draw_phantom(np.random.default_rng([7, int(one.subject)]))
    grid = grid_around(one.shape, one.zooms, axcodes=one.axcodes, centre_mm=one.centre_mm)
    image = scan(np.random.default_rng([13, index]), phantom, grid, contrast=one.contrast).image
    stem = folder / f"sub-{one.subject}" / "anat" / f"sub-{one.subject}_{one.suffix}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".nii.gz").write_bytes(_nifti_bytes(image))
    _write_json(stem.with_suffix(".json"), sidecar_of(one.suffix))


def _nifti_bytes(image: Volume) -> bytes:
    """Return the compressed file of an image, rounded to 16-bit integers; its gzip header holds no time."""
    nifti = nib.Nifti1Image(np.rint(image.data).astype(np.int16), image.grid.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.set_sform(image.grid.affine, code=1)
    nifti.set_qform(image.grid.affine, code=1)
    return gzip.compress(nifti.to_bytes(), compresslevel=9, mtime=0)


def _write_dataset_files(folder: Path) -> None:
    """Write the files at the top of the data set."""
    _write_json(
        folder / "dataset_description.json",
        {
            "Name": "bids_deepseg example: invented spinal cords",
            "BIDSVersion": "1.10.1",
            "DatasetType": "raw",
            "License": "CC0-1.0",
            "Authors": ["bids_deepseg developers", "Nobody was scanned"],
            "HowToAcknowledge": "No acknowledgement is needed: the images are computed.",
            "GeneratedBy": [{"Name": "bids_deepseg example"}],
        },
    )
    _write_text(folder / "README.md", _README)
    _write_text(
        folder / "participants.tsv",
        "participant_id\tage\tsex\tspecies\nsub-01\tn/a\tn/a\thomo sapiens\nsub-02\tn/a\tn/a\thomo sapiens\n",
    )
    _write_json(
        folder / "participants.json",
        {
            "participant_id": {"Description": "Label of the invented participant"},
            "age": {"Description": "Age; not applicable to invented participants", "Units": "year"},
            "sex": {"Description": "Sex; not applicable to invented participants"},
            "species": {"Description": "Species whose anatomy is imitated"},
        },
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that is easy to read."""
    _write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    """Write text with the same bytes on every system."""
    path.write_bytes(text.encode())


_README = """\
# Invented spinal cords

Two invented participants, to try bids_deepseg on. The images are computed from ellipses, lines and noise; they contain
no scan and no template of a real person, so they may be used for anything (CC0).

| Participant | Image | What it imitates |
|---|---|---|
| sub-01 | T2w | 3D fast spin echo, 1 mm, sagittal |
| sub-01 | T2starw | multi-echo gradient echo, axial slices of 5 mm |
| sub-02 | T1w | 3D gradient echo, 1 mm |
| sub-02 | T2w | 3D fast spin echo, 1 mm, sagittal |

They show how the app runs and what it writes. They are easier than real scans and prove nothing about the
quality of a segmentation.
"""


def sidecar_of(suffix: str) -> dict[str, Any]:
    """Return what a converter would write for the suffix T1w, T2w or T2starw; no scanner or place is named."""
    common: dict[str, Any] = {"Manufacturer": "none (computed)", "MagneticFieldStrength": 3, "BodyPart": "CSPINE"}
    special: dict[str, dict[str, Any]] = {
        "T1w": {
            "MRAcquisitionType": "3D", "ScanningSequence": "GR", "SequenceVariant": "SP", "EchoTime": 0.0028,
            "RepetitionTime": 2.0, "InversionTime": 0.9, "FlipAngle": 9, "SliceThickness": 1.0,
        },
        "T2w": {
            "MRAcquisitionType": "3D", "ScanningSequence": "SE", "SequenceVariant": "SK", "EchoTime": 0.12,
            "RepetitionTime": 1.5, "FlipAngle": 120, "SliceThickness": 1.0,
        },
        "T2starw": {
            "MRAcquisitionType": "2D", "ScanningSequence": "GR", "SequenceVariant": "SP", "EchoTime": 0.014,
            "RepetitionTime": 0.6, "FlipAngle": 30, "SliceThickness": 5.0,
        },
    }  # fmt: skip
    return {**common, **special[suffix]}
