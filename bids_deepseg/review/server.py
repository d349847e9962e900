"""Answer the requests of the page: what it shows, and what it saves."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException

from bids_deepseg.errors import BidsDeepsegError
from bids_deepseg.files.facts import Facts, mapping_of
from bids_deepseg.files.names import printable
from bids_deepseg.files.structured import parse_json_object
from bids_deepseg.files.text import TextError, decode
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.review import drawing
from bids_deepseg.review.guard import HEADERS, why_refused
from bids_deepseg.review.images import ReviewImage
from bids_deepseg.review.judging import Judgement, save_judgement
from bids_deepseg.review.saving import Author, ConflictError, mask_place, save_centerline, save_mask, version_of
from bids_deepseg.review.state import Review, in_world
from bids_deepseg.review.voxels import corrected_mask, image_bytes, mask_bytes, onto_image, result_mask, unpack

logger = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"

#: The files of the page and their types; no other file can be asked for.
FILES = {
    "index.html": "text/html; charset=utf-8",
    "review.css": "text/css; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
    "server.js": "text/javascript; charset=utf-8",
    "drafts.js": "text/javascript; charset=utf-8",
    "vendor/niivue.min.js": "text/javascript; charset=utf-8",
}

#: Most bytes of a request that is no drawing.
_MOST_SMALL = 1_000_000

#: Bytes beside the voxels of a drawing: gzip makes what cannot be compressed a little longer.
_MOST_MORE = 1_000_000


def make_app(review: Review, token: str, host: str) -> Flask:
    """Return the server of a review.

    Parameters
    ----------
    review : Review
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
    pages = _Pages(review)
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


class _Pages:
    """The answers."""

    def __init__(self, review: Review) -> None:
        self._review = review

    def rules(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Return path, method and answer of each."""
        one = "/api/images/<image_id>"
        return [
            ("/", "GET", lambda: self.file("index.html")),
            ("/static/<path:name>", "GET", self.file),
            ("/api/review", "GET", lambda: jsonify(self._review.describe())),
            (one, "GET", lambda image_id: jsonify(self._review.details(self._find(image_id)))),
            (f"{one}/image.nii", "GET", self.image),
            (f"{one}/mask.nii", "GET", self.mask),
            (f"{one}/mask", "PUT", self.put_mask),
            (f"{one}/centerline", "PUT", self.put_centerline),
            (f"{one}/judgement", "PUT", self.put_judgement),
            (f"{one}/work", "POST", self.work),
            (f"{one}/rerun", "POST", self.rerun),
            ("/api/jobs/<int:number>", "GET", self.job),
        ]

    def file(self, name: str) -> Response:
        """Return a file of the page."""
        if name not in FILES:
            abort(404)
        return Response((_STATIC / name).read_bytes(), mimetype=None, content_type=FILES[name])

    def image(self, image_id: str) -> Response:
        """Return the image."""
        return _voxels(image_bytes(self._review.read(self._find(image_id)).volume))

    def mask(self, image_id: str) -> Response:
        """Return the mask of the result, or the corrected one."""
        listed = self._find(image_id)
        grid = self._review.read(listed).volume.grid
        if request.args.get("of") != "correction":
            return _voxels(mask_bytes(result_mask(listed, grid)))
        mask = corrected_mask(listed, grid, self._review.places.corrections)
        return abort(404, "There is no corrected mask.") if mask is None else _voxels(mask_bytes(mask))

    def put_mask(self, image_id: str) -> Response:
        """Save a drawing."""
        listed = self._find(image_id)
        loaded = self._review.read(listed)
        version = save_mask(
            listed.image,
            loaded,
            onto_image(unpack(_drawing(loaded.volume.grid), loaded.volume.grid), loaded.volume.grid),
            corrections=self._review.places.corrections,
            expected=request.args.get("version", ""),
            author=Author.now(request.args.get("author", "")),
        )
        logger.info("%s: a corrected mask was saved.", listed.image.key)
        return jsonify(version=version)

    def put_centerline(self, image_id: str) -> Response:
        """Save points."""
        listed, given = self._find(image_id), _object()
        grid = self._review.read(listed).volume.grid
        version = save_centerline(
            listed.image,
            grid,
            in_world(_points(given.get("points")), grid),
            corrections=self._review.places.corrections,
            expected=_text(given, "version"),
            author=Author.now(_text(given, "author")),
            set_aside=_text(given, "set_aside"),
        )
        logger.info("%s: a corrected centerline was saved.", listed.image.key)
        mask = mask_place(listed.image, self._review.places.corrections)
        return jsonify(version=version, mask_version=version_of(mask))

    def put_judgement(self, image_id: str) -> Response:
        """Save a judgement."""
        listed, given = self._find(image_id), _object()
        before = mapping_of(given, "before")
        save_judgement(
            listed.image,
            _judgement(given),
            output_dir=self._review.places.output_dir,
            expected=_judgement(before),
            author=Author.now(_text(given, "author")),
        )
        return jsonify({})

    def work(self, image_id: str) -> Response:
        """Work on a drawing, and return it; nothing is saved."""
        grid = self._review.read(self._find(image_id)).volume.grid
        work = {"interpolate": drawing.interpolate, "smooth": drawing.smooth}.get(request.args.get("how", ""))
        if work is None:
            abort(400, "Only interpolate and smooth are known.")
        drawn = unpack(_drawing(grid), grid)
        return _voxels(work(drawn.data, drawn.grid.zooms).tobytes(order="F"))

    def rerun(self, image_id: str) -> Response:
        """Run the image again."""
        listed = self._find(image_id)
        job = self._review.runner.start(listed.image, image_id)
        self._review.forget()
        logger.info("%s: run again.", listed.image.key)
        return jsonify(job.facts())

    def job(self, number: int) -> Response:
        """Return how a run goes on."""
        job = self._review.runner.job(number)
        return abort(404, "There is no such run.") if job is None else jsonify(job.facts())

    def _find(self, image_id: str) -> ReviewImage:
        """Return an image by its name in the address."""
        return self._review.find(image_id) or abort(404, "There is no such image.")


def _voxels(content: bytes) -> Response:
    """Return voxels as an answer."""
    return Response(content, content_type="application/octet-stream")


def _drawing(grid: Grid) -> bytes:
    """Return the body of a request with a drawing, which is not longer than the voxels of its image need."""
    request.max_content_length = math.prod(grid.shape) + _MOST_MORE
    return request.get_data(cache=False)


def _object() -> Facts:
    """Return the JSON object that a request holds."""
    request.max_content_length = _MOST_SMALL
    try:
        return parse_json_object(decode(request.get_data(cache=False))[0]).content
    except TextError:
        abort(400, "A JSON object is expected.")


def _text(given: Facts, name: str) -> str:
    """Return a text of an object, an empty one in place of anything else."""
    value = given.get(name, "")
    return value if isinstance(value, str) else ""


def _judgement(given: Facts) -> Judgement:
    """Return the judgement in an object."""
    return Judgement(_text(given, "mark"), _text(given, "rank"), _text(given, "comment"))


def _points(given: object) -> list[list[float]]:
    """Return points of three numbers each."""
    is_table = isinstance(given, list) and all(
        isinstance(point, list) and len(point) == 3 and all(isinstance(x, int | float) for x in point)
        for point in given
    )
    if not is_table or not isinstance(given, list):
        abort(400, "Points of three numbers each are expected.")
    return given
