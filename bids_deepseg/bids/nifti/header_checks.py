"""Check a NIfTI header before anything is read or reserved because of it.

One check for the plan and for the reading: what ``--dry-run`` refuses is refused by the run, in the same words. A
header is NIfTI-1 (348 bytes) or NIfTI-2 (540), in either byte order, of a single file. Fields that say nothing about
where and how the voxels lie are not looked at.
"""

import math
import struct
from dataclasses import dataclass, replace
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti.header_space import place_voxels
from bids_deepseg.bids.nifti.streams import ByteStream
from bids_deepseg.errors import ImageError
from bids_deepseg.stages.findings import Finding

#: Header class, place and content of ``magic`` in a single file, by the size of the header, which is its first number.
_KINDS: dict[int, tuple[Any, int, bytes]] = {
    348: (nib.Nifti1Header, 344, b"n+1\0"),
    540: (nib.Nifti2Header, 4, b"n+2\0\r\n\x1a\n"),
}

#: Bytes of the flag of extensions, which follows the header; voxels begin behind it at the earliest.
_FLAG_BYTES = 4

#: Most bytes that follow the last voxel.
MAX_REST_BYTES = 10**6

#: Deflate gives at most 1032 bytes for one: 258 for two bits.
_MAX_RATIO = 1032


@dataclass(frozen=True, slots=True, eq=False)
class CheckedHeader:
    """Where and how the voxels of a file lie.

    Attributes
    ----------
    shape : tuple of int
        Voxels along all axes, each at least 1.
    dtype : numpy dtype
        Of the voxels, with byte order: integers or floats of at most eight bytes, or what is refused for an image.
    offset : int
        First byte of the voxels.
    slope, intercept : float
        Scaling of the values; 1 and 0 without.
    affine : (4, 4) float64 array
        Voxel indices to RAS+ mm, whatever the unit of the header.
    axes : tuple of int
        The closest world axis of each axis of the array: 0 right-left, 1 posterior-anterior, 2 inferior-superior.
    nifti : nibabel header
        For derivatives: unit, matrices and codes as in the file, what makes no sense repaired.
    findings : tuple of Finding
        Notes (``info``) and doubts (``warn``) about the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: NDArray[np.float64]
    axes: tuple[int, int, int]
    nifti: Any
    findings: tuple[Finding, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of all voxels."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """First byte behind the voxels."""
        return self.offset + self.n_bytes

    @property
    def zooms(self) -> NDArray[np.float64]:
        """Voxel sizes in mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), np.float64)

    @property
    def slice_axis(self) -> int:
        """Axis closest to inferior-superior."""
        return self.axes.index(2)


def read_start(stream: ByteStream) -> bytes:
    """Read the header and the flag of extensions, as many bytes as its kind has; fewer at the end of the file."""
    shorter, longer = sorted(size + _FLAG_BYTES for size in _KINDS)
    start = stream.read(shorter)
    if any(start[:4] == struct.pack(f"{order}i", longer - _FLAG_BYTES) for order in "<>"):
        start += stream.read(longer - shorter)
    return start


def check_header(name: str, start: bytes, *, file_bytes: int, compressed: bool) -> CheckedHeader:
    """Check the header of a file.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    start : bytes
        From :func:`read_start`.
    file_bytes : int
        Size of the file as it lies on the disk.
    compressed : bool
        Whether it is a gzip file.

    Raises
    ------
    ImageError
        If it is not a single NIfTI file, a field makes no sense, or the file cannot hold what its header announces.
    """
    nifti = _parse(name, start)
    shape, findings = _shape_of(name, nifti), []
    dtype, more = _dtype_of(name, nifti)
    findings += more
    offset, more = _offset_of(name, nifti, start)
    findings += more
    slope, intercept, more = _scaling_of(nifti)
    findings += more
    checked = CheckedHeader(shape, dtype, offset, slope, intercept, np.eye(4), (0, 1, 2), nifti, ())
    _check_length(name, checked, file_bytes * _MAX_RATIO if compressed else file_bytes, compressed=compressed)
    with np.errstate(all="ignore"):
        affine, axes, more = place_voxels(name, nifti, shape)
    return replace(checked, affine=affine, axes=axes, findings=(*findings, *more))


def check_image(name: str, header: CheckedHeader) -> tuple[int, ...]:
    """Refuse what cannot be segmented for its dimensions or type; return the shape without trailing axes of one.

    Raises
    ------
    ImageError
        Unless it is a 2D or 3D image or a series, of real numbers, with slices across the cord.
    """
    check_real(name, header)
    shape = header.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if not 2 <= len(shape) <= 4:
        sizes = "x".join(map(str, header.shape))
        advice = "Split it into images of their own." if len(shape) > 4 else "Convert it again."
        raise ImageError(
            f"{name} has {len(header.shape)} dimensions ({sizes}). A 3D image or a series of them is expected. {advice}"
        )
    for world, plane in enumerate(("sagittal", "coronal")):
        if (*shape, 1)[header.axes.index(world)] == 1:
            raise ImageError(
                f"{name} is one {plane} slice ({'x'.join(map(str, header.shape))}). Slices across the cord are needed: "
                f"at least two voxels from {'right to left' if world == 0 else 'posterior to anterior'}."
            )
    return shape


def check_real(name: str, header: CheckedHeader) -> None:
    """Refuse colours and complex values.

    Raises
    ------
    ImageError
        Unless the voxels are real numbers.
    """
    dtype = header.dtype
    if dtype.fields is not None or dtype.kind not in "iuf":
        kind = "colour (RGB)" if dtype.fields is not None else f"{dtype.name} values"
        raise ImageError(f"{name} holds {kind}. A magnitude image of real numbers is expected. Convert it.")


def _parse(name: str, start: bytes) -> Any:
    """Return the nibabel header, with nothing repaired."""
    kinds = [(order, _KINDS.get(struct.unpack(f"{order}i", start[:4])[0])) for order in "<>" if len(start) >= 4]
    order, kind = next(((order, kind) for order, kind in kinds if kind), ("", None))
    if kind is None:
        raise ImageError(f"{name} is not a NIfTI image, despite its name. Convert it to NIfTI.")
    header_class, place, single = kind
    size = header_class.sizeof_hdr
    if len(start) < size + _FLAG_BYTES:
        raise ImageError(f"{name} is truncated: it ends inside its NIfTI header. Copy it again.")
    magic = start[place : place + len(single)]
    if magic[:3] == single[:3].replace(b"+", b"i"):
        raise ImageError(
            f"{name} has the header of a pair of files (magic {magic[:3]!r}): the voxels are in an .img file. A single "
            "file is expected. Convert the pair (.hdr and .img) to one .nii or .nii.gz file."
        )
    if magic != single and (magic[:4] != single[:4] or any(magic[4:])):
        raise ImageError(
            f"{name} has a wrong NIfTI header: magic is {magic!r}, {single!r} is expected. Copy or convert it again."
        )
    return header_class(start[:size], order, check=False)


def _shape_of(name: str, nifti: Any) -> tuple[int, ...]:
    """Return the sizes of all axes."""
    n_axes = int(nifti["dim"][0])
    if not 1 <= n_axes <= 7:
        raise ImageError(f"{name} has a wrong NIfTI header: dim[0] is {n_axes}, 1 to 7 axes are expected.")
    shape = tuple(int(n) for n in nifti["dim"][1 : n_axes + 1])
    for axis, n_voxels in enumerate(shape, 1):
        if n_voxels < 1:
            raise ImageError(
                f"{name} has a wrong NIfTI header: dim[{axis}] is {n_voxels}. At least one voxel is expected along "
                "every axis. Convert it again."
            )
    return shape


def _dtype_of(name: str, nifti: Any) -> tuple[np.dtype[Any], list[Finding]]:
    """Return the type of the voxels in the byte order of the file."""
    code, bits = int(nifti["datatype"]), int(nifti["bitpix"])
    codes = nib.nifti1.data_type_codes
    dtype: np.dtype[Any] = np.dtype(codes.dtype[code]) if code in codes.dtype else np.dtype(np.void)
    if not dtype.itemsize or (dtype.kind == "f" and dtype.itemsize > 8):
        raise ImageError(
            f"{name} has a wrong NIfTI header: datatype is {code}, which cannot be read. Integers of up to 64 bits or "
            "floats of 32 or 64 are expected. Convert it."
        )
    if bits == 8 * dtype.itemsize:
        return dtype.newbyteorder(nifti.endianness), []
    message = f"bitpix is {bits}, datatype {code} has {8 * dtype.itemsize} bits, which were read. Look at the image."
    return dtype.newbyteorder(nifti.endianness), [Finding("bitpix", "warn", message)]


def _offset_of(name: str, nifti: Any, start: bytes) -> tuple[int, list[Finding]]:
    """Return the first byte of the voxels."""
    offset, least = float(nifti["vox_offset"]), nifti.sizeof_hdr + _FLAG_BYTES
    wrong = f"{name} has a wrong NIfTI header: vox_offset is {offset:g}"
    if offset == 0:
        if start[nifti.sizeof_hdr]:
            raise ImageError(
                f"{wrong}, though the header is followed by extensions, so it is unknown where the voxels begin. "
                "Convert it again."
            )
        return least, [Finding("vox-offset", "info", f"vox_offset is 0; the voxels begin at byte {least}.")]
    if not math.isfinite(offset) or offset != int(offset) or offset < least:
        raise ImageError(f"{wrong}. A whole number of bytes is expected, at least {least}. Convert it again.")
    return int(nifti["vox_offset"]), []


def _scaling_of(nifti: Any) -> tuple[float, float, list[Finding]]:
    """Return slope and intercept; a slope of 0, or none, means that the values are as they are stored."""
    slope, intercept = float(nifti["scl_slope"]), float(nifti["scl_inter"])
    if math.isinf(slope):
        return 1.0, 0.0, [Finding("slope-ignored", "info", "scl_slope is infinite; the values were not scaled.")]
    if slope == 0 or math.isnan(slope):
        return 1.0, 0.0, []
    findings = []
    if not math.isfinite(intercept):
        message = f"scl_slope is {slope:g} and scl_inter is {intercept:g}; an intercept of 0 was used."
        findings.append(Finding("intercept-ignored", "info", message))
        intercept = 0.0
    if slope < 0:
        message = f"scl_slope is {slope:g}: it is negative, so that bright and dark are exchanged."
        findings.append(Finding("slope-negative", "info", message))
    return slope, intercept, findings


def _check_length(name: str, header: CheckedHeader, most_bytes: int, *, compressed: bool) -> None:
    """Compare what is announced with what the file can hold, before any of it is reserved."""
    if header.offset > most_bytes:
        raise ImageError(
            f"{name} has a wrong NIfTI header, or is truncated: vox_offset is {header.offset}, beyond the end of the "
            "file. Copy or convert it again."
        )
    if header.end > most_bytes:
        raise ImageError(truncated(name, header))
    if not compressed and most_bytes - header.end > MAX_REST_BYTES:
        raise ImageError(too_long(name, header))


def _announced(header: CheckedHeader) -> str:
    """Say what a header announces, by its fields."""
    sizes = "x".join(map(str, header.shape))
    return f"dim {sizes}, {8 * header.dtype.itemsize} bits each, vox_offset {header.offset}"


def truncated(name: str, header: CheckedHeader) -> str:
    """Say that a file is shorter than announced."""
    return (
        f"{name} is truncated: it ends before the last value that its header announces "
        f"({_announced(header)}). "
        "Copy it again."
    )


def too_long(name: str, header: CheckedHeader) -> str:
    """Say that a file is much longer than announced."""
    return (
        f"{name} continues for more than {MAX_REST_BYTES / 1e6:g} MB after the last voxel that its header announces "
        f"({_announced(header)}). Its "
        "dim, datatype or vox_offset is wrong. Convert it again."
    )
