"""Fetch a published network from an address, when a user asks for it.

Only the command ``bids_deepseg weights install`` imports this module: a run never opens a connection.
"""

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from bids_deepseg import __version__
from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks.published.specs import MAX_BYTES, RELEASE, PublishedSpec, git_blob_id

#: The release, by the ids of its files: independent of the folders of the repository. 60 requests an hour are free.
RELEASE_ADDRESS = f"https://api.github.com/repos/{RELEASE[0]}/git/blobs/{{blob}}"

#: What makes GitHub send the file itself.
_ACCEPT = "application/vnd.github.raw+json, application/octet-stream, */*"

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_CHUNK = 2**20
_TIMEOUT_S = 60
_LONGEST_S = 900


def address_of(spec: PublishedSpec, template: str) -> str:
    """Return the address of a network's file.

    Parameters
    ----------
    spec : PublishedSpec
        The network.
    template : str
        Address in which ``{name}``, ``{file}`` and ``{blob}`` are replaced; ``/{file}`` is added to one without them.

    Raises
    ------
    UsageError
        If it is not https, ``file:`` or this very machine.
    """
    if not any(word in template for word in ("{name}", "{file}", "{blob}")):
        template = template.rstrip("/") + "/{file}"
    address = template
    for word, value in (("name", spec.name), ("file", spec.filenames[0]), ("blob", spec.blob)):
        address = address.replace("{" + word + "}", value)
    if not _is_allowed(address):
        raise UsageError(f"The address {address} is not allowed. https://... or file:///... is expected.")
    return address


def fetch(spec: PublishedSpec, address: str) -> bytes:
    """Fetch the file of a network and compare it with the published one.

    Returns
    -------
    bytes
        The published file, byte for byte.

    Raises
    ------
    NetworkError
        If it cannot be fetched, is too large or is another file.
    """
    headers = {"Accept": _ACCEPT, "User-Agent": f"bids_deepseg/{__version__}"}
    request = urllib.request.Request(address, headers=headers)
    opener = urllib.request.build_opener(_CarefulRedirects)
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            content = _read(response, address)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = getattr(error, "reason", None) or error
        raise NetworkError(
            f"{spec.name} could not be fetched from {address}: {reason}. Give another address with --from, or copy the "
            "file into the folder by hand."
        ) from error
    blob = git_blob_id(content)
    if blob != spec.blob:
        raise NetworkError(
            f"{address} sent another file: git blob id {blob}, expected {spec.blob}. Nothing was written. Give another "
            "address with --from."
        )
    return content


def _read(response: Any, address: str) -> bytes:
    """Read an answer of bounded size in bounded time."""
    parts: list[bytes] = []
    end = time.monotonic() + _LONGEST_S
    n_bytes = 0
    while part := response.read(_CHUNK):
        n_bytes += len(part)
        parts.append(part)
        if n_bytes > MAX_BYTES or time.monotonic() > end:
            raise NetworkError(f"{address} sends more than {MAX_BYTES} bytes or for more than {_LONGEST_S} s. Stopped.")
    return b"".join(parts)


def _is_allowed(address: str) -> bool:
    """Return whether an address is encrypted or stays on this machine."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        return parts.netloc in {"", "localhost"}
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a server to another address only where that is allowed, too."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse an address that could not have been given."""
        if not newurl.startswith(("https:", "http:")) or not _is_allowed(newurl):
            fp.close()
            raise urllib.error.URLError(f"it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
