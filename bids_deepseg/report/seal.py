"""Put into a page what it was made from and how long it is, so that one can see whether it is up to date.

A page belongs to the results that it shows, by their checksum. Times of change say nothing about that: clocks are set
back, and copies, archives and drives of other machines have times of their own.
"""

import re
from dataclasses import dataclass

#: Beginning of a page in which the seal stands.
HEAD_BYTES = 4096

#: What stands at the beginning of each page of this app.
PAGE_MARKS = (b'<meta name="generator" content="bids_deepseg ',)

#: Line of the page that says by which program it was made; the seal comes after it.
_GENERATOR = re.compile(r'<meta name="generator" content="[^"]*">\n')

#: The length has a fixed number of digits, so that it does not depend on itself.
_LINE = '<meta name="results" content="{results} {figures} {size:012d}">\n'
_SEAL = re.compile(rb'<meta name="results" content="([0-9a-f]+) ([0-9]+) ([0-9]{12})">\n')


@dataclass(frozen=True, slots=True)
class Seal:
    """What a page says about itself.

    Attributes
    ----------
    results : str
        Checksum of the results that it shows, hexadecimal.
    figures : int
        Size in bytes of all its figures that are files.
    size : int
        Its own size in bytes.
    """

    results: str
    figures: int
    size: int


def seal_page(page: str, results: str, figures: int = 0) -> bytes:
    """Return the bytes of a page with its seal.

    Parameters
    ----------
    page : str
        HTML with a line that names its generator.
    results : str
        Checksum of the results that it shows, hexadecimal.
    figures : int, optional
        Size in bytes of all its figures that are files.
    """
    found = _GENERATOR.search(page)
    if found is None:
        raise ValueError("The page does not name its generator.")
    before, after = page[: found.end()].encode(), page[found.end() :].encode()
    size = len(before) + len(after) + len(_LINE.format(results=results, figures=figures, size=0).encode())
    return before + _LINE.format(results=results, figures=figures, size=size).encode() + after


def read_seal(head: bytes) -> Seal | None:
    """Return the seal of a page from its beginning, None if there is none.

    Parameters
    ----------
    head : bytes
        The first :data:`HEAD_BYTES` bytes of the page, or more.
    """
    found = _SEAL.search(head)
    return None if found is None else Seal(found[1].decode(), int(found[2]), int(found[3]))
