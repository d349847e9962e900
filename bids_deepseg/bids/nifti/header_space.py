"""Find where voxels lie: unit, voxel sizes and the two matrices of a NIfTI header, each checked before it is used.

Nothing is repaired in silence. What decides on the place of the voxels and makes no sense is an error that names the
field; what can be read in one way only is a finding; what is not needed is a note.

The field names are those of the NIfTI-1 standard: ``srow_x``, ``srow_y`` and ``srow_z`` are the rows of the *sform*;
``quatern_b`` to ``quatern_d``, ``qoffset_x`` to ``qoffset_z`` and ``pixdim`` make the *qform*.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bids_deepseg.bids.nifti.plausibility import Matrix, WorldAxes, check_plausible, is_singular
from bids_deepseg.errors import ImageError
from bids_deepseg.stages.findings import Finding, Severity

#: Millimetres of the units of space, the lower three bits of ``xyzt_units``; a file that states none means mm.
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}

#: Known units of time, bits 3 to 5 of ``xyzt_units``.
_TIME_UNITS = frozenset({0, 8, 16, 24, 32, 40, 48})

#: Meanings of ``qform_code`` and ``sform_code`` in the standard: unknown, scanner, aligned, Talairach, MNI, template.
_FORM_CODES = range(6)

#: Differences from which sform and qform contradict each other.
_ANGLE_DEG, _SHIFT_MM = 1.0, 1.0

#: Relative difference from which pixdim contradicts the sform.
_SIZE_TOLERANCE = 0.01


@dataclass(slots=True)
class Space:
    """Place of the voxels, as it is found.

    Attributes
    ----------
    name : str
        Name of the file, for messages.
    header : nibabel header
        Repaired in place, so that derivatives do not inherit what makes no sense.
    shape : tuple of int
        Voxels along the first three axes.
    unit_mm : float
        Millimetres of the unit of the header's numbers.
    findings : list of Finding
        What was repaired or is contradictory.
    """

    name: str
    header: Any
    shape: tuple[int, int, int]
    unit_mm: float
    findings: list[Finding]

    def tell(self, severity: Severity, code: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(code, severity, message))

    def refuse(self, message: str) -> ImageError:
        """Return the error."""
        return ImageError(f"{self.name}: {message}")


def place_voxels(name: str, header: Any, shape: tuple[int, ...]) -> tuple[Matrix, WorldAxes, list[Finding]]:
    """Return the affine in mm, and what is doubtful about it.

    Parameters
    ----------
    name : str
        Name of the file.
    header : nibabel header
        Unchecked; repaired in place.
    shape : tuple of int
        Voxels along all axes.

    Returns
    -------
    affine : (4, 4) float64 array
        Voxel indices to RAS+ mm.
    axes : tuple of int
        World axis of each axis of the array, from :func:`bids_deepseg.bids.nifti.plausibility.check_plausible`.
    findings : list of Finding
        Notes (``info``) and doubts (``warn``).

    Raises
    ------
    ImageError
        Naming the field that makes no sense.
    """
    n_i, n_j, n_k = (*shape, 1, 1)[:3]
    space = Space(name, header, (n_i, n_j, n_k), 1.0, [])
    _read_unit(space)
    for field in ("sform_code", "qform_code"):
        if int(header[field]) not in _FORM_CODES:
            raise space.refuse(
                f"{field} is {int(header[field])}. A code from 0 to 5 is expected. The meaning of the matrix is "
                "unknown: convert the image again."
            )
    affine = _matrix_of(space)
    affine[:3] *= space.unit_mm
    if space.unit_mm != 1 and header["pixdim"].dtype.itemsize == 4:
        # The same place in another unit is to be the same matrix, though the header rounds differently.
        affine = affine.astype(np.float32).astype(np.float64)
    if header["qform_code"] == 0 and header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1
    axes = check_plausible(name, affine, space.shape, space.unit_mm)
    return affine, axes, space.findings


def _read_unit(space: Space) -> None:
    """Find the unit of space; leave only what the standard knows in the header."""
    code = int(space.header["xyzt_units"])
    unit, time = code & 7, code & 56
    if unit not in _UNIT_MM:
        space.tell(
            "warn",
            "unit-unknown",
            f"xyzt_units is {code}, which is not a unit of length: millimetres were assumed. Correct the header.",
        )
    elif code not in (unit, unit | time) or time not in _TIME_UNITS:
        space.tell(
            "info", "unit-code", f"xyzt_units is {code}; everything in it except the unit of length was ignored."
        )
    space.unit_mm = _UNIT_MM.get(unit, 1.0)
    space.header["xyzt_units"] = (unit if unit in _UNIT_MM else 0) | (time if time in _TIME_UNITS else 0)


def _matrix_of(space: Space) -> Matrix:
    """Return the matrix in the unit of the header: the sform, else the qform, else what the sizes give."""
    header = space.header
    problem = _repair_sizes(space)
    if header["qform_code"] > 0:
        problem = problem or _problem_of_qform(space)
    sform: Matrix = np.asarray(header.get_sform(), np.float64)
    if header["sform_code"] > 0 and not is_singular(sform):
        _compare(space, sform, problem)
        return sform
    if header["sform_code"] > 0:
        what = "srow_x, srow_y and srow_z (sform) give no volume to the voxels, or are not numbers"
        if header["qform_code"] <= 0 or problem:
            raise space.refuse(f"{what}: {sform[:3].tolist()}. The matrix is singular. Repair the sform.")
        space.tell("warn", "sform-singular", f"{what}; the qform was used. Look at where the mask lies.")
        header["sform_code"] = 0
        for row in ("srow_x", "srow_y", "srow_z"):
            header[row] = 0
    if problem:
        raise space.refuse(problem)
    _note_negative(space, "warn")
    if header["qform_code"] > 0:
        return np.asarray(header.get_qform(), np.float64)
    space.tell(
        "info",
        "no-orientation",
        "The header states no orientation; left and right may be exchanged. Set its sform.",
    )
    return np.asarray(header.get_base_affine(), np.float64)


def _repair_sizes(space: Space) -> str:
    """Make the voxel sizes of a header positive where that is possible; say what is not."""
    pixdim, unknown = space.header["pixdim"], []
    for axis, n_voxels in enumerate(space.shape, 1):
        size = float(pixdim[axis])
        if math.isfinite(size) and size != 0:
            continue
        if n_voxels == 1 and space.header["sform_code"] <= 0:
            pixdim[axis] = 1.0 / space.unit_mm
            message = f"pixdim[{axis}], the thickness of the only slice, is {size:g}: 1 mm was assumed."
            space.tell("warn", "size-guessed", message)
        else:
            unknown.append(f"pixdim[{axis}] is {size:g}")
    return (
        f"{', '.join(unknown)}. The voxel size is unknown, and no sform states it. Write the size into the header."
        if unknown
        else ""
    )


def _note_negative(space: Space, severity: Severity) -> None:
    """Make negative voxel sizes positive, and report it."""
    sizes = space.header["pixdim"][1:4]
    negative = [f"pixdim[{axis}]" for axis, size in enumerate(sizes, 1) if size < 0]
    if negative:
        space.header["pixdim"][1:4] = np.abs(sizes)
        message = f"{', '.join(negative)}: a voxel size is negative; its absolute value was used. "
        meaning = "Left and right may be exchanged." if severity == "warn" else "The sform states the place."
        space.tell(severity, "size-negative", message + meaning)


def _problem_of_qform(space: Space) -> str:
    """Say why there is no qform, an empty text if there is one."""
    header = space.header
    qfac = float(header["pixdim"][0])
    if qfac not in (-1.0, 0.0, 1.0):
        return f"pixdim[0] (qfac) is {qfac:g}. 1 or -1 is expected. The direction of the slices is unknown."
    if qfac == 0:
        header["pixdim"][0] = 1
        space.tell("info", "qfac-zero", "pixdim[0] (qfac) is 0, which counts as 1 by the standard.")
    for fields in ("quatern_b, quatern_c, quatern_d", "qoffset_x, qoffset_y, qoffset_z"):
        values = [float(header[field]) for field in fields.split(", ")]
        if not all(map(math.isfinite, values)):
            return f"{fields} are {', '.join(f'{value:g}' for value in values)}. Finite numbers are expected."
    try:
        header.get_qform_quaternion()
    except (ValueError, OverflowError, FloatingPointError):
        b, c, d = (float(header[f"quatern_{letter}"]) for letter in "bcd")
        length = math.hypot(b, c, d)
        return f"quatern_b, quatern_c, quatern_d make no rotation: their length is {length:.7g}, at most 1 is expected."
    return ""


def _compare(space: Space, sform: Matrix, problem: str) -> None:
    """Tell what contradicts an sform that is used, and repair it in the header."""
    header, sizes = space.header, np.linalg.norm(sform[:3, :3], axis=0)
    _note_negative(space, "info")
    if problem:
        code = "qform-ignored" if header["qform_code"] > 0 else "sizes-ignored"
        space.tell("info", code, f"{problem.partition('. ')[0]}; the sform states size and place and was used.")
        header["qform_code"] = 0
        header["pixdim"][:4] = (1.0, *sizes)
        return
    if header["qform_code"] > 0:
        angle_deg, shift_mm = differences(sform, header.get_qform(), space.shape, space.unit_mm)
        if angle_deg > _ANGLE_DEG or shift_mm > _SHIFT_MM:
            space.tell(
                "info",
                "forms-differ",
                f"sform and qform differ by {angle_deg:.2f} degrees and {shift_mm:.2f} mm. The sform was used.",
            )
    elif (np.abs(header["pixdim"][1:4] / sizes - 1) > _SIZE_TOLERANCE).any():
        stated = " x ".join(f"{size:g}" for size in header["pixdim"][1:4])
        used = " x ".join(f"{size:g}" for size in sizes)
        space.tell("info", "sizes-differ", f"pixdim states voxels of {stated}, the sform {used}, which was used.")


def differences(one: Matrix, other: Matrix, shape: tuple[int, int, int], unit_mm: float) -> tuple[float, float]:
    """Return the largest angle between the same axes in degrees, and the largest distance of the same corners in mm."""
    axes = [matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (one, other)]
    # The sine is exact for small angles, where the cosine is not.
    sine = np.linalg.norm(np.cross(axes[0].T, axes[1].T), axis=1)
    angle = np.degrees(np.arctan2(sine, (axes[0] * axes[1]).sum(0))).max()
    corners = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in shape), [1.0])).reshape(4, -1)
    shift = np.linalg.norm(((one - other) @ corners)[:3], axis=0).max() * unit_mm
    return float(angle), float(shift)
