"""Declare how a page that this machine serves is reached."""

from dataclasses import dataclass, field

from bids_deepseg.errors import UsageError
from bids_deepseg.options.declare import option, switch

LOOPBACK = "127.0.0.1"

#: Always the same port, so that the browser finds what was not saved when the server comes back.
PORT = 8642


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Options of every command that serves a page; their metadata tells what they are."""

    host: str = field(
        default=LOOPBACK,
        metadata=option(
            "--host",
            group="running",
            metavar="NAME",
            help="address at which the page is served; in a container with a published port: 0.0.0.0",
            default="127.0.0.1, this machine only",
        ),
    )
    port: int = field(
        default=PORT,
        metadata=option("--port", group="running", kind=int, metavar="N", help="port of the page", default=f"{PORT}"),
    )
    browser: bool = field(
        default=True,
        metadata=switch("--no-browser", value=False, group="running", help="only print the address, open no browser"),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}. A number from 0 to 65535 is expected.")
