"""Read the bytes of an image file in pieces, compressed or not, as far as they are there."""

import zlib
from typing import BinaryIO, Protocol

GZIP_START = b"\x1f\x8b"

#: Bytes that are read at once.
_PIECE = 1 << 20

#: Least number of compressed bytes that are taken at once.
_COMPRESSED_PIECE = 1 << 16


class ByteStream(Protocol):
    """What both kinds of file can do."""

    def read(self, n_bytes: int, /) -> bytes:
        """Return the next bytes, fewer only at the end."""


class GzipStream:
    """The decompressed content of a gzip file; several members follow each other as one content.

    Unlike :class:`gzip.GzipFile`, it ends where the last member ends, whatever follows; size and checksum of each
    member are verified at its end.

    Parameters
    ----------
    file : binary file
        At its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting = b""
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ended = False
        #: Whether other bytes follow the last member.
        self.followed = False

    def read(self, n_bytes: int, /) -> bytes:
        """Return the next bytes, fewer only at the end.

        Raises
        ------
        EOFError
            If the file ends inside a member.
        zlib.error
            If a member is damaged.
        """
        content = bytearray()
        while len(content) < n_bytes and not self._ended:
            self._waiting = self._waiting or self._file.read(_COMPRESSED_PIECE)
            # At the end of the file, what was held back by the limit of an earlier call may still come.
            content += self._member.decompress(self._waiting, n_bytes - len(content))
            at_end = not self._waiting
            self._waiting = self._member.unconsumed_tail
            if self._member.eof:
                self._next_member(self._member.unused_data)
            elif at_end and len(content) < n_bytes:
                raise EOFError("it ends inside its compressed content")
        return bytes(content)

    def _next_member(self, rest: bytes) -> None:
        """Begin the next member, if there is one."""
        rest = rest if len(rest) > 1 else rest + self._file.read(_COMPRESSED_PIECE)
        if rest.startswith(GZIP_START):
            self._waiting, self._member = rest, zlib.decompressobj(zlib.MAX_WBITS | 16)
        else:
            self._ended, self.followed = True, bool(rest)


def read_exactly(stream: ByteStream, n_bytes: int) -> bytearray | None:
    """Return the next bytes, or None if there are fewer; memory grows with what is there, not with the demand."""
    content = bytearray()
    while len(content) < n_bytes:
        piece = stream.read(min(_PIECE, n_bytes - len(content)))
        if not piece:
            return None
        content += piece
    return content


def skip_exactly(stream: ByteStream, n_bytes: int) -> bool:
    """Pass over the next bytes; tell whether they were there."""
    while n_bytes:
        piece = stream.read(min(_PIECE, n_bytes))
        if not piece:
            return False
        n_bytes -= len(piece)
    return True
