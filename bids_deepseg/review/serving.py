"""Serve the page until the process is asked to end."""

import errno
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import printable

logger = logging.getLogger(__name__)

#: Most bytes of any request: a drawing of hundreds of millions of voxels, compressed.
MOST_BYTES = 64 * 1024 * 1024

_THREADS = 6

#: Times between looks at the server, and for its end.
_PAUSE_S, _PATIENCE_S = 0.5, 5.0


class _LoggedErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """The answer to a request that is refused before the app sees it: too long, or no HTTP."""

    def execute(self) -> None:
        """Answer, and say so."""
        error = self.request.error
        logger.warning("A request was refused: %s, %s", error.code, printable(" ".join(str(error.body).split()))[:200])
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose refusals are logged."""

    error_task_class = _LoggedErrorTask


def serve(app: Any, host: str, port: int, ready: Callable[[int], None], until: threading.Event | None = None) -> None:
    """Serve until an exception ends it, or somebody does.

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
    until : threading.Event, optional
        Ends it after a last answer.

    Raises
    ------
    UsageError
        If the port cannot be had.
    """
    channels: dict[int, Any] = {}
    with ExitStack() as stack:
        listening = stack.enter_context(_bound(host, port))
        server = create_server(
            app, channels, sockets=[listening], threads=_THREADS, max_request_body_size=MOST_BYTES, ident=None
        )
        server.channel_class = _Channel
        # Signals reach this thread, which does nothing else: the server would take the exception for one of its own.
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            ready(listening.getsockname()[1])
            while thread.is_alive() and not (until is not None and until.is_set()):
                thread.join(_PAUSE_S)
            # The answer to the request that ended it is on its way.
            thread.join(_PAUSE_S)
        finally:
            server.trigger.pull_trigger(lambda: wasyncore.close_all(channels))
            thread.join(_PATIENCE_S)
            server.task_dispatcher.shutdown(cancel_pending=True, timeout=_PATIENCE_S)


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that has the port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no address {host!r}: {error}. Give another --host.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise UsageError(_explain(host, port, error)) from error
    return bound


def _explain(host: str, port: int, error: OSError) -> str:
    """Say why the port cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"The port {port} is in use, perhaps by another review. End that one, or give another port: --port "
            f"{port + 1 if port < 65535 else 0}."
        )
    return f"The server cannot use port {port} of {host}: {error.strerror or error}. Give another --port or --host."
