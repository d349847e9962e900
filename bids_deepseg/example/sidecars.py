"""Write the metadata of the example's images, as a scanner's converter would.

Fields that identify a scanner or a place are left out: there is none.
"""

from typing import Any


def sidecar_of(suffix: str) -> dict[str, Any]:
    """Return the metadata of an image with the given BIDS suffix (T1w, T2w or T2starw)."""
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
