"""Refuse requests that do not come from the page.

Three things are asked of each: the address begins with the token, which nobody else knows; the name of the machine in
it is one that no other site can take for its own (a number, ``localhost``, or the name that the server was given), so
that a name whose address was changed (DNS rebinding) leads nowhere; and no other site is behind it.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

#: Headers of every answer: nothing is loaded from elsewhere, nothing is shown inside another page, nothing is kept.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self' data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def why_refused(path: str, headers: Mapping[str, str], token: str, host: str) -> str:
    """Return why a request is refused, empty if it is not.

    Parameters
    ----------
    path : str
        Path of the address.
    headers : mapping of str to str
        Headers, by names in any case.
    token : str
        First part of every path.
    host : str
        Name that the server was given.
    """
    given = path.removeprefix("/").partition("/")[0]
    if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return "the address has no token, or a wrong one"
    if not is_own_name(headers.get("Host", ""), host):
        return "the name of the machine in the address is not one of this server"
    origin = headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{headers.get('Host', '').lower()}":
        return "it comes from another site"
    is_visit = headers.get("Sec-Fetch-Mode") == "navigate"
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not is_visit:
        return "it comes from another site"
    return ""


def is_own_name(named: str, host: str) -> bool:
    """Return whether the name in an address is a number, this machine, or what the server was given.

    Parameters
    ----------
    named : str
        Header ``Host``, with or without a port: that of a container may be published as another one.
    host : str
        Name that the server was given.
    """
    try:
        name = urlsplit(f"//{named}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", host.lower()):
        return bool(name)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
