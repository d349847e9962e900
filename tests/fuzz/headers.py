"""Fuzz the reading of images: headers with wrong bytes and nasty fields, files that are cut, padded or damaged.

The law: a file whose header was changed is read as before, or refused with an error that names it and has the code
65, or read with a finding that says what is odd about it. Plan and reading refuse the same headers in the same words.
"""

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import read_size, write_nifti
from bids_deepseg.bids.source.corrections import Correction, read_corrected_mask
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.reader import LoadedImage, read_image
from bids_deepseg.bids.source.vertebrae import LevelFile, read_levels
from bids_deepseg.errors import BidsDeepsegError, ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.networks.predictor import Models
from bids_deepseg.pipeline import segment
from bids_deepseg.report.participant import ReportImage, render_participant
from tests.fuzz.harness import ViolationError
from tests.helpers.phantoms import FakePredictor, bright_is_cord, bright_is_hot, grid_of, tube

SHAPE = (12, 10, 6)

#: Oblique and anisotropic, without shear.
AFFINE = np.array([[0.0, 1.0, 3.0, -10.5], [-0.5, 0.0, 0.0, 20.25], [0.0, -0.75, 4.0, -30.0], [0, 0, 0, 1]])

_NASTY_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    7,
    8,
    16,
    64,
    255,
    256,
    351,
    352.5,
    1000,
    32767,
    -32768,
    2**31 - 1,
    -(2**31),
    2**62,
)
_NASTY_FLOATS = (np.nan, np.inf, -np.inf, 1e-45, 1e-30, 1e-3, 0.5, 1e5, 1e20, 3e38, -1e38, 1e300)

#: Relative difference of values that are the same after another scaling.
_SAME_VALUES = 1e-3


@dataclass(frozen=True)
class Kind:
    """How an image is stored."""

    version: int
    order: str
    compressed: bool

    @property
    def header_bytes(self) -> int:
        """Bytes of the header."""
        return 348 if self.version == 1 else 540

    @property
    def fields(self) -> np.dtype:
        """Fields of the header."""
        dtype = nib.nifti1.header_dtype if self.version == 1 else nib.nifti2.header_dtype
        return dtype.newbyteorder(self.order)


def kind_of(rng: np.random.Generator) -> Kind:
    """Draw a kind of file."""
    return Kind(int(rng.integers(1, 3)), "<>"[rng.integers(2)], bool(rng.integers(2)))


def content_of(kind: Kind, data: np.ndarray | None = None) -> bytearray:
    """Return the bytes of a valid image, not compressed."""
    if data is None:
        data = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(np.int16)
    header = (nib.Nifti1Header if kind.version == 1 else nib.Nifti2Header)(endianness=kind.order)
    header.set_data_dtype(data.dtype)
    image = (nib.Nifti1Image if kind.version == 1 else nib.Nifti2Image)(data, AFFINE, header)
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(AFFINE, 1)
    image.set_qform(AFFINE, 1)
    return bytearray(image.to_bytes())


def set_field(rng: np.random.Generator, kind: Kind, content: bytearray) -> str:
    """Set one number of the header to a nasty value; return the name of the field."""
    header = np.frombuffer(bytes(content[: kind.header_bytes]), kind.fields).copy()
    name = str(rng.choice(kind.fields.names))
    field = header[name].reshape(-1)
    at = int(rng.integers(len(field)))
    if field.dtype.kind in "SV" or rng.integers(4) == 0:
        raw = rng.integers(0, 256, field.dtype.itemsize).astype(np.uint8).tobytes()
        value = np.frombuffer(raw, field.dtype)[0]
    else:
        choices = _NASTY_NUMBERS + (_NASTY_FLOATS if field.dtype.kind == "f" else ())
        value = choices[rng.integers(len(choices))]
        if field.dtype.kind != "f":
            limits = np.iinfo(field.dtype)
            value = min(max(int(value), limits.min), limits.max)
    with np.errstate(over="ignore"):
        field[at] = value
    header[name] = field.reshape(header[name].shape)
    content[: kind.header_bytes] = header.tobytes()
    return name


def read(folder: Path, kind: Kind, content: bytes, *, plain: bytes | None = None) -> LoadedImage | ImageError:
    """Write an image and read it, or return the error; the plan must have said the same."""
    path = folder / f"sub-01_T2w.nii{'.gz' if kind.compressed else ''}"
    path.write_bytes(plain if plain is not None else gzip.compress(content, 1) if kind.compressed else content)
    image = BidsImage(path, folder, {"subject": "01"}, "T2w", "anat")
    try:
        size, planned = read_size(path), None
    except ImageError as error:
        size, planned = None, error
    try:
        loaded = read_image(image)
    except ImageError as error:
        if planned is not None and str(planned) != str(error):
            raise ViolationError(f"the plan says {planned}, the reading {error}") from error
        if path.name not in str(error) or error.exit_code != 65:
            raise ViolationError(f"{error.exit_code}: {error}") from error
        return error
    if planned is not None or size is None:
        raise ViolationError(f"the plan says {planned}, and the image was read")
    if size.n_voxels != loaded.volume.data.size:
        raise ViolationError(f"the plan says {size}, the image has {loaded.volume.data.shape}")
    return loaded


def compare(loaded: LoadedImage | ImageError, field: str) -> str:
    """Say how a changed header ended; a silent difference is a violation."""
    if isinstance(loaded, ImageError):
        return "refused"
    if loaded.doubts:
        return "doubted"
    if loaded.notes:
        return "noted"
    original = np.random.default_rng(0).integers(0, 1000, SHAPE).astype(float)
    if loaded.volume.data.shape != original.shape:
        raise ViolationError(f"{field}: shape {loaded.volume.data.shape} without a word")
    if not np.allclose(loaded.volume.grid.affine, AFFINE, atol=0.05):
        raise ViolationError(f"{field}: affine {loaded.volume.grid.affine.tolist()} without a word")
    # Another slope or intercept makes the same image.
    line = np.polyfit(original.ravel(), loaded.volume.data.astype(float).ravel(), 1)
    apart = np.abs(np.polyval(line, original) - loaded.volume.data).max()
    if line[0] <= 0 or apart > _SAME_VALUES * abs(line[0]) * 1000:
        raise ViolationError(f"{field}: other values without a word")
    return "same"


def change_field(rng: np.random.Generator) -> str:
    """Set one field to a nasty value."""
    kind = kind_of(rng)
    content = content_of(kind)
    field = set_field(rng, kind, content)
    with tempfile.TemporaryDirectory() as folder:
        return compare(read(Path(folder), kind, bytes(content)), field)


def change_fields(rng: np.random.Generator) -> str:
    """Set several fields to nasty values; such a header may state another image than it did."""
    kind = kind_of(rng)
    content = content_of(kind)
    for _ in range(rng.integers(2, 6)):
        set_field(rng, kind, content)
    with tempfile.TemporaryDirectory() as folder:
        return "refused" if isinstance(read(Path(folder), kind, bytes(content)), ImageError) else "read"


def change_bytes(rng: np.random.Generator) -> str:
    """Change some bytes of a header."""
    kind = kind_of(rng)
    content = content_of(kind)
    for _ in range(rng.integers(1, 6)):
        content[rng.integers(0, kind.header_bytes + 4)] = rng.integers(0, 256)
    with tempfile.TemporaryDirectory() as folder:
        return "refused" if isinstance(read(Path(folder), kind, bytes(content)), ImageError) else "read"


def damage_file(rng: np.random.Generator) -> str:
    """Cut, pad or change the bytes of a file as it lies on the disk."""
    kind = kind_of(rng)
    plain = bytes(content_of(kind))
    stored = bytearray(gzip.compress(plain, 1) if kind.compressed else plain)
    act = rng.integers(4)
    if act == 0:
        del stored[rng.integers(len(stored)) :]
    elif act == 1:
        stored += bytes(rng.integers(0, 256, rng.integers(1, 3000)).astype(np.uint8))
    elif act == 2:
        stored += bytes(rng.integers(1, 3000)) if rng.integers(2) else bytes(1_100_000)
    else:
        stored[rng.integers(len(stored))] ^= 1 << rng.integers(8)
    with tempfile.TemporaryDirectory() as folder:
        return "refused" if isinstance(read(Path(folder), kind, plain, plain=bytes(stored)), ImageError) else "read"


def change_other_image(rng: np.random.Generator) -> str:
    """Set fields of a corrected mask, a centerline or labels."""
    kind, grid = kind_of(rng), Grid(SHAPE, AFFINE)
    data = np.zeros(SHAPE, np.int16)
    data[4:8, 3:7] = 1
    content = content_of(kind, data)
    for _ in range(rng.integers(1, 3)):
        set_field(rng, kind, content)
    readers: tuple[Callable[[Path], object], ...] = (
        lambda path: read_corrected_mask(Correction("mask", (path,)), grid),
        lambda path: read_centerline(path, grid),
        lambda path: read_levels(LevelFile("levels", path.name, path), grid),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"other.nii{'.gz' if kind.compressed else ''}"
        path.write_bytes(gzip.compress(content, 1) if kind.compressed else content)
        try:
            readers[rng.integers(3)](path)
        except ImageError as error:
            if path.name not in str(error):
                raise ViolationError(f"no file is named: {error}") from error
            return "refused"
        return "read"


def segment_changed(rng: np.random.Generator) -> str:
    """Segment a small cord whose place, sizes, scaling and unit are changed, and write and draw its result."""
    kind = kind_of(rng)
    shape = tuple(int(n) for n in rng.integers(2, 20, 3)) if rng.integers(2) else (24, 24, 5)
    data = tube(grid_of(shape), radius_mm=3, supersample=1).data * 500 + rng.uniform(0, 20, shape)
    content = content_of(kind, data.astype(np.int16))
    header = np.frombuffer(bytes(content[: kind.header_bytes]), kind.fields).copy()
    turned, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)) * rng.choice([0, 0.1, 1]) + np.eye(3)[rng.permutation(3)])
    shear = np.eye(3) + rng.choice([0, 0, 0.01, 0.3, 2]) * rng.normal(0, 1, (3, 3))
    matrix = turned @ shear * 10 ** rng.uniform(-0.3, 0.3, 3) * rng.choice([0.03, 1, 1, 1, 5])
    for row, name in zip(matrix, ("srow_x", "srow_y", "srow_z"), strict=True):
        header[name] = [[*row, rng.normal(0, 300)]]
    if rng.integers(2):
        header["scl_slope"], header["scl_inter"] = 10.0 ** rng.uniform(-38, 38), 10.0 ** rng.uniform(-38, 38)
    header["xyzt_units"] = rng.choice([0, 2, 10, 255])
    content[: kind.header_bytes] = header.tobytes()
    with tempfile.TemporaryDirectory() as folder:
        loaded = read(Path(folder), kind, bytes(content))
        if isinstance(loaded, ImageError):
            return "refused"
        models = Models(FakePredictor(bright_is_hot, zoom_mm=1.0), FakePredictor(bright_is_cord))
        try:
            found = segment(loaded.volume, models)
        except BidsDeepsegError as error:
            return error.status
        shown = ReportImage("image", loaded.volume, found.mask, found.probability, found.centerline.xyz)
        render_participant("01", [shown], version="0")
        with (Path(folder) / "mask.nii.gz").open("wb") as stream:
            write_nifti(stream, found.mask.data.reshape(loaded.shape), loaded.header)
        return "segmented"


TARGETS = {
    "segment": segment_changed,
    "field": change_field,
    "fields": change_fields,
    "bytes": change_bytes,
    "files": damage_file,
    "others": change_other_image,
}
