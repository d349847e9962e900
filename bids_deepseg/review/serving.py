"""Serve the page until the process is asked to end."""

import errno
import logging
from collections.abc import Callable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import printable

logger = logging.getLogger(__name__)

#: Most bytes of any request: the voxels of the largest images, which are compressed besides.
MOST_BYTES = 256 * 1024 * 1024

_THREADS = 6


class _LoggedErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """The answer to a request that is refused before the app sees it: too long, or no HTTP."""

    def execute(self) -> None:
        """Answer, and say so."""
        error = self.request.error
        logger.warning("A request was refused: %s %s", error.code, printable(str(error.body).splitlines()[0])[:200])
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose refusals are logged."""

    error_task_class = _LoggedErrorTask


def serve(app: Any, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until an exception ends it.

    Parameters
    ----------
    app : WSGI application
        What answers.
    host : str
        Address or name of this machine.
    port : int
        Port; 0 for any that is free.
    ready : callable
        Called with the port as soon as connections are taken.

    Raises
    ------
    UsageError
        If the port cannot be had.
    """
    try:
        server = create_server(
            app,
            host=host,
            port=port,
            threads=_THREADS,
            max_request_body_size=MOST_BYTES,
            ident="",
            clear_untrusted_proxy_headers=True,
        )
    except (OSError, ValueError) as error:
        raise UsageError(_explain(host, port, error)) from error
    try:
        server.channel_class = _Channel
        ready(server.effective_port)
        server.run()
    finally:
        server.close()


def _explain(host: str, port: int, error: OSError | ValueError) -> str:
    """Say why there is no server, and what to do."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            f"The port {port} is in use, perhaps by another review. End that, or give another one: --port {port + 1}."
        )
    return f"No server can be started at {host}:{port}: {error}. Give another --host or --port."
