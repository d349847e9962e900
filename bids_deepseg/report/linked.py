"""Take the figures out of a page, so that they are files that the page shows."""

import base64
import hashlib
import re

_URI = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=]+)")

#: The policy of a page with its figures inside, and that of one that shows files of its folder, from disk or a server.
_CLOSED, _OPEN = "img-src data:;", "img-src data: 'self' file:;"

_EXTENSIONS = {"png": "png", "jpeg": "jpg"}


def link_figures(page: str, folder: str) -> tuple[str, dict[str, bytes]]:
    """Replace the figures in a page by links to files.

    Parameters
    ----------
    page : str
        HTML with ``data:`` URIs.
    folder : str
        Folder of the files, relative to the page.

    Returns
    -------
    page : str
        HTML with links to ``<folder>/<name>``, which its policy allows.
    files : dict of str to bytes
        Content by name; a name is the checksum of its content, so that the same figure keeps it.
    """
    files: dict[str, bytes] = {}

    def link(found: re.Match[str]) -> str:
        content = base64.b64decode(found[2])
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.{_EXTENSIONS[found[1]]}"
        files[name] = content
        return f"{folder}/{name}"

    return _URI.sub(link, page).replace(_CLOSED, _OPEN, 1), files
