"""Read the voxels of an open NIfTI file in the order in which they lie, and notice what does not fit its header.

Terms: *raw* values are those in the file, before the header's slope and intercept.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti.header_checks import MAX_REST_BYTES, CheckedHeader, check_real, too_long, truncated
from bids_deepseg.bids.nifti.streams import ByteStream, GzipStream, read_exactly, skip_exactly
from bids_deepseg.errors import ImageError
from bids_deepseg.stages.findings import Finding


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

    def read_scaled(self) -> NDArray[np.float64]:
        """Read all values with slope and intercept applied.

        Raises
        ------
        ImageError
            If the file ends before, or holds no real numbers.
        """
        check_real(self.name, self.header)
        raw = self.read_raw()
        with np.errstate(over="ignore", invalid="ignore"):
            return raw.astype(np.float64) * self.header.slope + self.header.intercept

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
