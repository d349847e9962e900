"""Write the HTML report of one participant from the data set and the results on the disk.

The report shows every image of the participant that has a result or a recorded failure, whichever run it is from, so
that the same files always give the same page.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bids_deepseg import __version__
from bids_deepseg.bids.failures import FailureRecord, read_failures
from bids_deepseg.bids.inheritance import read_json
from bids_deepseg.bids.layout import place
from bids_deepseg.bids.nifti import open_nifti
from bids_deepseg.bids.query import BidsImage
from bids_deepseg.bids.reader import read_image
from bids_deepseg.bids.saved import SavedResult, read_saved, saved_volumes
from bids_deepseg.bids.walk import find_files, name_parser
from bids_deepseg.errors import ImageError
from bids_deepseg.execution import Job
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.files.names import as_utf8
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.linked import link_figures
from bids_deepseg.report.participant import ReportImage, render_participant
from bids_deepseg.tasks import Task

#: Folder of figures beside the images of a participant, with ``--report-format linked``.
_FIGURES = "figures"


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

    def __call__(self) -> Callable[[Job], None]:
        """Make ready: nothing is needed."""
        return lambda job: self.write(job.payload)

    def write(self, subject: str) -> None:
        """Write ``sub-<label>.html``, unless it is there already with this content."""
        path = self._path(subject)
        dataset = str(read_json(self.bids_dir / "dataset_description.json").get("Name") or "")
        page = render_participant(subject, self._images(subject), version=__version__, dataset=dataset)
        figures: dict[str, bytes] = {}
        if self.linked_figures:
            page, figures = link_figures(page, f"sub-{subject}/{_FIGURES}")
        self._write_figures(subject, figures)
        if not write_if_different(path, as_utf8(page)) and self.is_outdated(subject):
            # The results were written again and came out the same: the page is as new as they are.
            os.utime(path)

    def is_outdated(self, subject: str) -> bool:
        """Tell whether the page is missing, older than a result of the participant, or of the other format."""
        if self._figures(subject).is_dir() != self.linked_figures:
            return True
        try:
            written = self._path(subject).stat().st_mtime_ns
        except OSError:
            return True
        sidecars = (self.output_dir / f"sub-{subject}").rglob("*_mask.json")
        return any(sidecar.stat().st_mtime_ns > written for sidecar in sidecars)

    def _path(self, subject: str) -> Path:
        """Return the place of the page."""
        return place(self.output_dir, f"sub-{subject}.html")

    def _figures(self, subject: str) -> Path:
        """Return the folder of the figures."""
        return place(self.output_dir, f"sub-{subject}/{_FIGURES}")

    def _write_figures(self, subject: str, figures: Mapping[str, bytes]) -> None:
        """Write the figures of a page, and remove those of an earlier one."""
        folder = self._figures(subject)
        if figures:
            make_folder(folder)
        for name, content in figures.items():
            write_if_different(folder / name, content)
        with output_errors(folder):
            for path in folder.glob("*"):
                if path.name not in figures:
                    path.unlink(missing_ok=True)
            if not figures and folder.is_dir():
                folder.rmdir()

    def _images(self, subject: str) -> Iterator[ReportImage]:
        """Yield what the report shows, one image in memory at a time."""
        failures = {failure.source: failure for failure in read_failures(self.output_dir)}
        for file in sorted(find_files(self.bids_dir, subject, name_parser()), key=lambda file: file.path):
            if file.refusal is not None:
                continue
            image = BidsImage(file.path, self.bids_dir, file.entities, file.suffix, file.datatype)
            for one in (image, *self._volumes(image, failures)):
                failure = failures.get(one.key)
                saved = read_saved(one, self.output_dir)
                # An image that cannot be processed any more has no result to show, though an older one may stand there.
                if failure is not None:
                    yield _failed(one, failure)
                elif saved is not None:
                    yield segmented_image(one, saved)

    def _volumes(self, image: BidsImage, failures: Iterable[str]) -> list[BidsImage]:
        """Return the volumes of a series that have results or failures of their own."""
        numbers = {int(key.partition("#")[2]) for key in failures if key.startswith(f"{image.relative_path}#")}
        numbers |= saved_volumes(image, self.output_dir)
        return [replace(image, volume=number) for number in sorted(numbers)]


def _failed(image: BidsImage, failure: FailureRecord) -> ReportImage:
    """Return an image without result, with its picture if it can be read."""
    try:
        volume = read_image(image).volume
    except ImageError:
        volume = None
    return ReportImage(image.key, volume, status=failure.status, messages=(failure.message,))


def segmented_image(image: BidsImage, saved: SavedResult) -> ReportImage:
    """Return an image with its result."""
    rule = (saved.sidecar.get("Options") or {}).get("volume", "auto")
    volume = read_image(image, str(rule)).volume
    probability = _read_like(saved.probseg, volume, np.float32) if saved.probseg else None
    networks = ", ".join(f"{model['Name']} ({str(model['SHA256'])[:8]})" for model in saved.sidecar.get("Model", ()))
    options = saved.sidecar.get("Options")
    settings = ", ".join(f"{k} {v}" for k, v in options.items() if v is not None) if isinstance(options, dict) else ""
    facts = {"Networks": networks, "Threshold": str(saved.sidecar.get("Threshold", "")), "Settings": settings}
    task, structure = saved.task, None
    if task is not None and (path := saved.structure_mask) is not None:
        structure = _read_like(path, volume, np.uint8)
        facts |= _structure_facts(task, saved.structure_sidecar)
    return ReportImage(
        image.key,
        volume,
        _read_like(saved.mask, volume, np.uint8),
        probability,
        saved.centerline(),
        saved.morph(),
        cast("Any", saved.verdict),
        messages=tuple(reason["Message"] for reason in saved.reasons),
        facts={name: value for name, value in facts.items() if value},
        tries=saved.tries,
        structure=structure,
        structure_noun=task.noun if task is not None and structure is not None else "",
    )


def _structure_facts(task: Task, sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of the table of facts about a structure inside of the cord."""
    measures, noun = sidecar.get("Measures") or {}, task.noun[0].upper() + task.noun[1:]
    area, volume, count = (measures.get(name) for name in ("MeanArea_mm2", "Volume_mm3", "Objects"))
    facts = {
        f"{noun}: mean area": "" if area is None else f"{area:.1f} mm² in {measures.get('Slices')} slices",
        f"{noun}: volume": "" if volume is None else f"{volume:.0f} mm³",
        f"{noun}: objects": "" if count is None else str(count),
        f"{noun}: network": ", ".join(str(model["Name"]) for model in sidecar.get("Model", ())),
    }
    return {name: value for name, value in facts.items() if value}


def _read_like(path: Path, volume: Volume, dtype: type[np.generic]) -> Volume:
    """Read a derivative that has the voxels of ``volume``."""
    with open_nifti(path) as nifti:
        data: NDArray[Any] = np.asarray(nifti.dataobj, dtype)
    return Volume(data.reshape(volume.grid.shape), volume.grid)
