"""Answer the requests of the page, and refuse all others."""

import logging
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from bids_deepseg.errors import BidsDeepsegError
from bids_deepseg.files.names import printable
from bids_deepseg.review.clicking import Clicking
from bids_deepseg.review.guard import HEADERS, why_refused
from bids_deepseg.review.pages import ClickPages, ReviewPages
from bids_deepseg.review.saving import ConflictError
from bids_deepseg.review.state import Review

logger = logging.getLogger(__name__)


def make_app(review: Review | Clicking, token: str, host: str) -> Flask:
    """Return the server of a review, or of a page on which one centerline is clicked.

    Parameters
    ----------
    review : Review or Clicking
        What it is about.
    token : str
        First part of every address.
    host : str
        Name that the server was given.
    """
    app = Flask("bids_deepseg.review", static_folder=None)
    app.url_map.merge_slashes = False

    @app.before_request
    def check() -> Any:
        reason = why_refused(request.path, dict(request.headers), token, host)
        return (jsonify(error=f"Refused: {reason}."), 403) if reason else None

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.update(HEADERS)
        if response.status_code >= 400:
            _log(response, token)
        return response

    app.register_error_handler(ConflictError, lambda error: (jsonify(error=str(error)), 409))
    app.register_error_handler(BidsDeepsegError, lambda error: (jsonify(error=str(error)), 422))
    app.register_error_handler(HTTPException, lambda error: (jsonify(error=error.description), error.code))
    app.register_error_handler(Exception, _fault)
    pages = ClickPages(review) if isinstance(review, Clicking) else ReviewPages(review)
    for rule, method, answer in pages.rules():
        app.add_url_rule(f"/{token}{rule}", f"{method} {rule}", answer, methods=[method])
    return app


def _fault(error: Exception) -> tuple[Response, int]:
    """Answer after an error that nobody foresaw; its traceback goes to the log."""
    logger.error("A request failed: %r", error, exc_info=error)
    return jsonify(error=f"The server failed: {type(error).__name__}. Its log has the details."), 500


def _log(response: Response, token: str) -> None:
    """Say what was refused, without the token."""
    told = response.get_json(silent=True) or {}
    path = printable(request.path.replace(token, "..."))[:200]
    logger.warning("%s %s: %d, %s", request.method, path, response.status_code, printable(told.get("error", ""))[:500])
