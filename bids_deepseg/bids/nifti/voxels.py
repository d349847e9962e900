"""Read the voxels of an open NIfTI file in the order in which they lie, and bring them to float32.

What does not fit the header is noticed, and nothing is lost by the conversion that can be kept.

Terms: *raw* values are those in the file, before the header's slope and intercept.
"""

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti.header_checks import MAX_REST_BYTES, CheckedHeader, check_real, too_long, truncated
from bids_deepseg.bids.nifti.streams import ByteStream, GzipStream, read_exactly, skip_exactly
from bids_deepseg.errors import ImageError
from bids_deepseg.stages.findings import Finding

Note = tuple[str, str]

_Real = TypeVar("_Real", np.float32, np.float64)

#: Largest integer below which float32 holds all integers.
_EXACT = 2.0**24

#: Smallest span of values, relative to the largest, that float32 shows in at least a thousand steps.
_FINEST = 2.0**-14

#: Smallest peak whose square float32 still holds.
_SMALLEST = 1e-15

#: Percentiles that stand for the span of the values; a few extreme voxels do not decide on it.
_PERCENTILES = (0.5, 99.5)

#: Span after rescaling.
_SPAN = 1000.0


def scale_values(raw: NDArray[Any], slope: float, intercept: float) -> NDArray[np.float32] | NDArray[np.float64]:
    """Apply slope and intercept; in float64 unless float32 holds the raw values exactly and there is no scaling.

    Parameters
    ----------
    raw : array
        Numbers of any type, as in the file.
    slope, intercept : float
        Of the header.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if (slope, intercept) == (1.0, 0.0) and np.can_cast(raw.dtype, np.float32):
            return np.array(raw, np.float32)
        return np.asarray(raw.astype(np.float64) * slope + intercept)


def to_float32(values: NDArray[Any]) -> tuple[NDArray[np.float32], list[Note]]:
    """Convert values to float32; those that it would not tell apart are brought to a span that it can.

    Parameters
    ----------
    values : float array
        From :func:`scale_values`; NaN and infinite values stay.

    Returns
    -------
    values : float32 array
        What float32 cannot hold is infinite.
    notes : list of (str, str)
        ``values-rescaled`` if they were.
    """
    notes: list[Note] = []
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = np.isfinite(values)
        extremes = values.min(initial=np.inf, where=is_finite), values.max(initial=-np.inf, where=is_finite)
        if is_finite.any() and not _fits(*map(float, extremes)):
            finite = values[is_finite].astype(np.float64)
            low = float(np.percentile(finite, _PERCENTILES[0], method="higher"))
            high = float(np.percentile(finite, _PERCENTILES[1], method="lower"))
            if high > low and not _fits(low, high):
                # Halves, since the span of two numbers close to the largest has no number.
                values = (values.astype(np.float64) / 2 - low / 2) * (_SPAN / (high / 2 - low / 2))
                message = f"The values, from {low:.9g} to {high:.9g}, were rescaled, as float32 cannot tell them apart."
                notes.append(("values-rescaled", message))
        return np.array(values, np.float32), notes


def _fits(low: float, high: float) -> bool:
    """Return whether float32 holds a range of values with fine steps, and their squares."""
    peak, span = max(abs(low), abs(high)), high - low
    return peak <= _EXACT and peak >= _SMALLEST and span >= peak * _FINEST


def replace_non_finite(
    name: str, values: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, list[Note]]:
    """Set NaN and infinite voxels to 0 and say so.

    Returns
    -------
    values : float32 array
        Finite.
    replaced : bool array or None
        Where values were replaced, None for nowhere.
    notes : list of (str, str)
        ``nan-replaced`` with their number.

    Raises
    ------
    ImageError
        If no voxel holds a number.
    """
    finite = np.isfinite(values)
    n_bad = int(values.size - finite.sum())
    if n_bad == 0:
        return values, None, []
    if n_bad == values.size:
        raise ImageError(f"{name}: all {values.size} voxels are NaN or infinite. Numbers are expected.")
    message = f"{n_bad} of {values.size} voxels were NaN or infinite and set to 0."
    return np.where(finite, values, np.float32(0)), ~finite, [("nan-replaced", message)]


@dataclass(slots=True, eq=False)
class NiftiFile:
    """An open file whose header was checked; its values are read in the order in which they lie.

    Attributes
    ----------
    name : str
        Name of the file.
    header : CheckedHeader
        Where and how the voxels lie.
    findings : list of Finding
        About the header and, once the file was read to its end, about what follows the voxels.
    """

    name: str
    header: CheckedHeader
    findings: list[Finding]
    _stream: ByteStream
    _at: int

    def read_raw(self, first: int = 0, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        """Read raw values, first axis fastest; what was passed over cannot be read any more.

        Parameters
        ----------
        first : int, optional
            Number of the first value in the file.
        shape : tuple of int, optional
            Shape of the array, that of all values by default.

        Raises
        ------
        ImageError
            If the file ends before.
        """
        shape, size = self.header.shape if shape is None else shape, self.header.dtype.itemsize
        self.skip_to(self.header.offset + first * size)
        n_bytes = math.prod(shape) * size
        content = read_exactly(self._stream, n_bytes)
        if content is None:
            raise ImageError(truncated(self.name, self.header))
        self._at += n_bytes
        return np.frombuffer(content, self.header.dtype).reshape(shape, order="F")

    def read_scaled(self, dtype: type[_Real]) -> NDArray[_Real]:
        """Read all values with slope and intercept applied.

        Raises
        ------
        ImageError
            If the file ends before, or holds no real numbers.
        """
        check_real(self.name, self.header)
        values: NDArray[_Real] = self.read_raw().astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            # In place: a copy of a large image is gigabytes.
            values *= dtype(self.header.slope)
            values += dtype(self.header.intercept)
        return values

    def skip_to(self, position: int) -> None:
        """Pass over the bytes before a position.

        Raises
        ------
        ImageError
            If the file ends before.
        """
        if position < self._at:
            raise ValueError(f"The file was read to byte {self._at}, byte {position} lies before.")
        if not skip_exactly(self._stream, position - self._at):
            raise ImageError(truncated(self.name, self.header))
        self._at = position

    def finish(self) -> None:
        """Read what is left, so that the checksum of a compressed file is verified; tell what follows the voxels.

        Raises
        ------
        ImageError
            If the file ends before its last voxel, or goes on for long behind it.
        """
        self.skip_to(self.header.end)
        rest = bytearray()
        while len(rest) <= MAX_REST_BYTES and (piece := self._stream.read(MAX_REST_BYTES)):
            rest += piece
        if len(rest) > MAX_REST_BYTES:
            raise ImageError(too_long(self.name, self.header))
        if any(rest):
            message = f"{len(rest)} bytes follow the last voxel and were ignored. Is the size in the header right?"
            self.findings.append(Finding("bytes-behind", "warn", message))
        elif rest:
            self.findings.append(Finding("bytes-behind", "info", f"{len(rest)} zeros follow the last voxel."))
        if isinstance(self._stream, GzipStream) and self._stream.followed:
            message = "Other bytes follow the end of the gzip stream and were ignored."
            self.findings.append(Finding("bytes-behind-gzip", "info", message))
