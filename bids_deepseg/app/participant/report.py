"""Write the HTML report of one participant from the data set and the results on the disk.

The report shows every image of the participant that has a result or a recorded failure, whichever run it is from, so
that the same files always give the same page.
A page carries the checksum of the results that it shows; by that it is known whether it is up to date.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg import __version__
from bids_deepseg.bids.derivatives.failures import FailureRecord, read_failures
from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.derivatives.ownership import is_named_after_content
from bids_deepseg.bids.derivatives.products import MOST_READ
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult, read_result, saved_volumes
from bids_deepseg.bids.derivatives.saved_facts import StructureFacts, Tried
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import read_numbers
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.bids.source.walk import find_files, name_parser
from bids_deepseg.errors import BidsDeepsegError, DamagedResultError, ImageError
from bids_deepseg.execution import Job
from bids_deepseg.execution.outcome import describe_failure
from bids_deepseg.files.atomic import check_no_link, make_own_folder, output_errors, write_if_different
from bids_deepseg.files.facts import text_of
from bids_deepseg.files.own import read_head, write_own
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.linked import link_figures
from bids_deepseg.report.participant import ReportImage, render_participant
from bids_deepseg.report.seal import HEAD_BYTES, PAGE_MARKS, read_seal, seal_page
from bids_deepseg.structures.tasks import Task

#: Folder of figures beside the images of a participant, with ``--report-format linked``.
_FIGURES = "figures"

#: Name of a figure, see :func:`bids_deepseg.report.linked.link_figures`.
_FIGURE_NAME = r"[0-9a-f]{16}\.(?:png|jpg)"

#: Bytes of a sidecar that are read at most.
_MOST_OF_SIDECAR = 10_000_000
#: What reading a file may raise, whatever is in it.
_UNREADABLE = (ImageError, OSError, MemoryError)


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image whose result stands in the output folder and cannot be shown.

    Attributes
    ----------
    image : BidsImage
        The image.
    status : str
        Word of the error class.
    message : str
        What happened, what was expected, what to do.
    exit_code : int
        That of the error class.
    """

    image: BidsImage
    status: str
    message: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class ReportWork:
    """The work on the reports of a run; the payload of a job is the label of a participant.

    Attributes
    ----------
    bids_dir, output_dir : Path
        Input and output.
    linked_figures : bool
        Write the figures as files in ``sub-<label>/figures`` instead of into the page.
    """

    bids_dir: Path
    output_dir: Path
    linked_figures: bool = False

    def __call__(self) -> Callable[[Job], tuple[Unusable, ...]]:
        """Make ready: nothing is needed."""
        return lambda job: self.write(job.payload)

    def write(self, subject: str) -> tuple[Unusable, ...]:
        """Write ``sub-<label>.html``, unless it is there already with this content.

        Returns
        -------
        tuple of Unusable
            Images whose result cannot be shown; the page says so, and shows the others.
        """
        path = self._path(subject)
        dataset = text_of(read_json(self.bids_dir / "dataset_description.json"), "Name") or ""
        # Results that come while the page is drawn are not in this checksum, so that it is drawn again.
        results = self._checksum(subject, read_failures(self.output_dir))
        unusable: list[Unusable] = []
        page = render_participant(subject, self._images(subject, unusable), version=__version__, dataset=dataset)
        figures: dict[str, bytes] = {}
        if self.linked_figures:
            page, figures = link_figures(page, f"sub-{subject}/{_FIGURES}")
        before = self._named_figures(subject)
        self._write_figures(subject, figures)
        size = sum(len(content) for content in figures.values())
        check_no_link(self.output_dir, path.parent)
        write_own(path, seal_page(page, results, size), PAGE_MARKS)
        self._remove_figures(subject, before - set(figures), set(figures))
        return tuple(unusable)

    def is_outdated(self, subject: str, failures: Iterable[FailureRecord]) -> bool:
        """Tell whether the page is missing, incomplete, of other results or failures, or of the other format."""
        path = self._path(subject)
        seal = read_seal(read_head(path, HEAD_BYTES))
        try:
            if seal is None or path.stat().st_size != seal.size or seal.results != self._checksum(subject, failures):
                return True
            figures = [self._figures(subject) / name for name in self._named_figures(subject)]
            return sum(figure.stat().st_size for figure in figures) != seal.figures
        except OSError:
            return True

    def _checksum(self, subject: str, failures: Iterable[FailureRecord]) -> str:
        """Return the checksum of everything that decides on the page of a participant beside the images."""
        digest = hashlib.sha256(f"{__version__} {self.linked_figures}".encode())
        folder = self.output_dir / f"sub-{subject}"
        for sidecar in sorted(folder.rglob("*_mask.json")):
            digest.update(f"\n{sidecar.relative_to(folder).as_posix()} ".encode())
            digest.update(hashlib.sha256(read_head(sidecar, _MOST_OF_SIDECAR)).digest())
            # A mask may be edited; its size alone would not tell.
            digest.update(hashlib.sha256(read_head(sidecar.with_suffix(".nii.gz"), MOST_READ)).digest())
        for failure in failures:
            if failure.subject == subject:
                digest.update(f"\n{failure.source} {failure.status} {failure.message}".encode())
        return digest.hexdigest()

    def _path(self, subject: str) -> Path:
        """Return the place of the page."""
        return place(self.output_dir, f"sub-{subject}.html")

    def _figures(self, subject: str) -> Path:
        """Return the folder of the figures."""
        return place(self.output_dir, f"sub-{subject}/{_FIGURES}")

    def _named_figures(self, subject: str) -> set[str]:
        """Return the names of the figures that the page shows as files."""
        path = self._path(subject)
        seal = read_seal(read_head(path, HEAD_BYTES))
        if seal is None or not seal.figures:
            return set()
        page = read_head(path, seal.size).decode("utf-8", "replace")
        return set(re.findall(rf'"sub-{re.escape(subject)}/{_FIGURES}/({_FIGURE_NAME})"', page))

    def _write_figures(self, subject: str, figures: Mapping[str, bytes]) -> None:
        """Write the figures of a page."""
        folder = self._figures(subject)
        if figures:
            make_own_folder(self.output_dir, folder)
        for name, content in figures.items():
            write_if_different(folder / name, content)

    def _remove_figures(self, subject: str, named: set[str], kept: set[str]) -> None:
        """Remove the figures that the page before this one named, and what a killed run left; others are not ours."""
        folder = self._figures(subject)
        if not folder.is_dir() or any(path.is_symlink() for path in (folder, *folder.parents[:2])):
            return
        for path in folder.iterdir():
            if path.name not in kept and (path.name in named or _is_figure(path)) and not path.is_symlink():
                with output_errors(path):
                    path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()

    def _images(self, subject: str, unusable: list[Unusable]) -> Iterator[ReportImage]:
        """Yield what the report shows, one image in memory at a time; add to ``unusable`` what cannot be shown."""
        failures = {failure.source: failure for failure in read_failures(self.output_dir)}
        for file in sorted(find_files(self.bids_dir, subject, name_parser()), key=lambda file: file.path):
            if file.refusal is not None:
                continue
            image = BidsImage(file.path, self.bids_dir, file.entities, file.suffix, file.datatype)
            for one in (image, *self._volumes(image, failures)):
                failure = failures.get(one.key)
                found = read_result(one, self.output_dir)
                # An image that cannot be processed any more has no result to show, though an older one may stand there.
                if failure is not None:
                    yield _failed(one, failure.status, failure.message)
                elif found is not None:
                    shown = _shown(one, found)
                    if isinstance(shown, Unusable):
                        unusable.append(shown)
                        shown = _failed(one, shown.status, shown.message)
                    yield shown

    def _volumes(self, image: BidsImage, failures: Iterable[str]) -> list[BidsImage]:
        """Return the volumes of a series that have results or failures of their own."""
        numbers = {int(key.partition("#")[2]) for key in failures if key.startswith(f"{image.relative_path}#")}
        numbers |= saved_volumes(image, self.output_dir)
        return [replace(image, volume=number) for number in sorted(numbers)]


def _is_figure(path: Path) -> bool:
    """Tell whether a file is one of our figures: it is named after its checksum."""
    return bool(re.fullmatch(_FIGURE_NAME, path.name)) and is_named_after_content(path)


def _shown(image: BidsImage, found: SavedResult | DamagedResult) -> ReportImage | Unusable:
    """Return an image with its result, or say why that cannot be shown."""
    if isinstance(found, DamagedResult):
        return Unusable(image, DamagedResultError.status, found.message, DamagedResultError.exit_code)
    try:
        return segmented_image(image, found)
    except DamagedResultError as error:
        damaged = DamagedResult(found.mask, found.entities, found.source, str(error))
        return Unusable(image, error.status, damaged.message, error.exit_code)
    except BidsDeepsegError as error:
        return Unusable(image, error.status, str(error), error.exit_code)
    except OSError as error:
        return Unusable(image, ImageError.status, f"A file cannot be read: {error}", ImageError.exit_code)
    except MemoryError as error:
        failure = describe_failure(error)
        return Unusable(image, failure.status, failure.message, failure.exit_code)


def _failed(image: BidsImage, status: str, message: str) -> ReportImage:
    """Return an image without result, with its picture if it can be read."""
    try:
        volume = read_image(image).volume
    except _UNREADABLE:
        volume = None
    return ReportImage(image.key, volume, status=status, messages=(message,))


def segmented_image(image: BidsImage, saved: SavedResult) -> ReportImage:
    """Return an image with its result.

    Raises
    ------
    ImageError
        If the image cannot be read.
    DamagedResultError
        If a file of the result cannot be read.
    """
    stated = saved.facts
    volume = read_image(image, str(stated.options.get("volume", "auto"))).volume
    probability = _read_like(saved.probseg, volume, np.float32) if saved.probseg else None
    networks = ", ".join(f"{model.name} ({model.sha256[:8]})" for model in stated.models)
    settings = ", ".join(f"{name} {value}" for name, value in stated.options.items() if value is not None)
    threshold = "" if stated.threshold is None else str(stated.threshold)
    facts = {"Networks": networks, "Threshold": threshold, "Settings": settings}
    task, structure, about = saved.task, None, saved.structure()
    if task is not None and about is not None and (path := saved.structure_mask) is not None:
        structure = _read_like(path, volume, np.uint8)
        facts |= _structure_facts(task, about)
    return ReportImage(
        image.key,
        volume,
        _read_like(saved.mask, volume, np.uint8),
        probability,
        saved.centerline(),
        saved.morph(),
        saved.verdict,
        messages=tuple(reason.message for reason in saved.reasons),
        facts={name: value for name, value in facts.items() if value},
        tries=tuple(map(_describe_try, saved.tries)),
        structure=structure,
        structure_noun=task.noun if task is not None and structure is not None else "",
    )


def _describe_try(one: Tried) -> Mapping[str, Any]:
    """Return one method that was tried as the page takes it."""
    score = {} if one.score is None else {"Score": one.score}
    return {"Method": one.method, "Verdict": one.verdict, "Reasons": one.reasons, "Kept": one.kept, **score}


def _structure_facts(task: Task, about: StructureFacts) -> dict[str, str]:
    """Return the rows of the table of facts about a structure inside of the cord."""
    noun = task.noun[0].upper() + task.noun[1:]
    area, volume, count = about.area_mm2, about.volume_mm3, about.n_objects
    facts = {
        f"{noun}: mean area": "" if area is None else f"{area:.1f} mm² in {about.n_slices} slices",
        f"{noun}: volume": "" if volume is None else f"{volume:.0f} mm³",
        f"{noun}: objects": "" if count is None else str(count),
        f"{noun}: network": ", ".join(model.name for model in about.models),
    }
    return {name: value for name, value in facts.items() if value}


def _read_like(path: Path, volume: Volume, dtype: type[np.generic]) -> Volume:
    """Read a derivative that has the voxels of ``volume``."""
    try:
        values, header = read_numbers(path, "The derivative")
    except ImageError as error:
        raise DamagedResultError(str(error)) from error
    if math.prod(header.shape) != math.prod(volume.grid.shape):
        raise DamagedResultError(f"{path.name} does not have the voxels of its image")
    if not ((values >= 0) & (values <= 1)).all():
        raise DamagedResultError(f"{path.name} holds values that are not from 0 to 1")
    return Volume(values.reshape(volume.grid.shape).astype(dtype), volume.grid)
