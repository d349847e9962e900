"""The answers of the server: what the page shows, and what it saves."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flask import Response, abort, jsonify, request

from bids_deepseg.files.facts import Facts, mapping_of
from bids_deepseg.files.structured import parse_json_object
from bids_deepseg.files.text import TextError, decode
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.review import drawing
from bids_deepseg.review.clicking import Clicking
from bids_deepseg.review.images import ReviewImage
from bids_deepseg.review.judging import Judgement, save_judgement
from bids_deepseg.review.saving import Author, mask_place, save_centerline, save_mask, version_of
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


#: Path, method and answer.
Rule = tuple[str, str, Callable[..., Any]]

_ONE = "/api/images/<image_id>"


class _Pages:
    """The answers that every page gets: its files, and what there is to see."""

    def __init__(self, shown: Review | Clicking) -> None:
        self._shown = shown

    def rules(self) -> list[Rule]:
        """Return path, method and answer of each."""
        return [
            ("/", "GET", lambda: self.file("index.html")),
            ("/static/<path:name>", "GET", self.file),
            ("/api/review", "GET", lambda: jsonify(self._shown.describe())),
            (_ONE, "GET", lambda image_id: jsonify(self._shown.details(self._find(image_id)))),
            (f"{_ONE}/image.nii", "GET", self.image),
        ]

    def file(self, name: str) -> Response:
        """Return a file of the page."""
        if name not in FILES:
            abort(404)
        return Response((_STATIC / name).read_bytes(), mimetype=None, content_type=FILES[name])

    def image(self, image_id: str) -> Response:
        """Return the image."""
        return _voxels(image_bytes(self._shown.read(self._find(image_id)).volume))

    def _find(self, image_id: str) -> ReviewImage:
        """Return an image by its name in the address."""
        return self._shown.find(image_id) or abort(404, "There is no such image.")


class ClickPages(_Pages):
    """The answers to a page on which one centerline is clicked."""

    def __init__(self, clicking: Clicking) -> None:
        super().__init__(clicking)
        self._clicking = clicking

    def rules(self) -> list[Rule]:
        """Return path, method and answer of each."""
        return [
            *super().rules(),
            (f"{_ONE}/mask.nii", "GET", self.mask),
            (f"{_ONE}/centerline", "PUT", self.put_centerline),
            ("/api/finish", "POST", self.finish),
        ]

    def mask(self, image_id: str) -> Response:
        """Return an empty mask: there is no result."""
        grid = self._clicking.read(self._find(image_id)).volume.grid
        return _voxels(mask_bytes(Volume(np.zeros(grid.shape, np.uint8), grid)))

    def put_centerline(self, image_id: str) -> Response:
        """Save points."""
        listed, given = self._find(image_id), _object()
        points = in_world(_points(given.get("points")), self._clicking.read(listed).volume.grid)
        version = self._clicking.save_points(points, _text(given, "version"))
        logger.info("%s: a centerline was saved.", listed.image.key)
        return jsonify(version=version, mask_version="")

    def finish(self) -> Response:
        """End the clicking; there must be points."""
        if not version_of(self._clicking.target):
            abort(409, "No points are saved yet.")
        self._clicking.done.set()
        return jsonify({})


class ReviewPages(_Pages):
    """The answers to the page of a review."""

    def __init__(self, review: Review) -> None:
        super().__init__(review)
        self._review = review

    def rules(self) -> list[Rule]:
        """Return path, method and answer of each."""
        return [
            *super().rules(),
            (f"{_ONE}/mask.nii", "GET", self.mask),
            (f"{_ONE}/mask", "PUT", self.put_mask),
            (f"{_ONE}/centerline", "PUT", self.put_centerline),
            (f"{_ONE}/judgement", "PUT", self.put_judgement),
            (f"{_ONE}/work", "POST", self.work),
            (f"{_ONE}/rerun", "POST", self.rerun),
            ("/api/jobs/<int:number>", "GET", self.job),
        ]

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
