"""Serve a page to the browser of this machine, and tell where it is.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import getpass
import threading
import webbrowser
from typing import TYPE_CHECKING

from bids_deepseg.options.page import LOOPBACK, PageOptions
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.review.clicking import Clicking
    from bids_deepseg.review.state import Review


def user() -> str:
    """Return who works here, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def serve_page(
    shown: "Review | Clicking", options: PageOptions, name: str, until: threading.Event | None = None
) -> None:
    """Serve a page, and tell where.

    Parameters
    ----------
    shown : Review or Clicking
        What it is about.
    options : PageOptions
        How it is reached.
    name : str
        What it is called on the terminal.
    until : threading.Event, optional
        Ends it; else only the end of the process does.

    Raises
    ------
    UsageError
        If the port cannot be had.
    """
    from bids_deepseg.review.guard import new_token  # noqa: PLC0415 - not needed for --help, as below
    from bids_deepseg.review.server import make_app  # noqa: PLC0415
    from bids_deepseg.review.serving import serve  # noqa: PLC0415

    token = new_token()

    def ready(port: int) -> None:
        host = LOOPBACK if options.host in ("0.0.0.0", "::") else options.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/{token}/"
        say(f"The {name} is at {url}")
        say(f"Keep this address to yourself: whoever has it can save corrections. Ctrl-C ends the {name}.")
        if options.browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(make_app(shown, token, options.host), options.host, options.port, ready, until)
