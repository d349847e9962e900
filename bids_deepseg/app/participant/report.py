"""Write the HTML report of one participant from the data set and the results on the disk.

The report shows every image of the participant that has a result or a recorded failure, whichever run it is from, so
that the same files always give the same page.
A page carries the checksum of the results that it shows; by that it is known whether it is up to date.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.citation import gather_facts
from bids_deepseg.app.participant.shown import Unusable, failed_image, show_image
from bids_deepseg.bids.derivatives.description import describe_dataset, identity_of
from bids_deepseg.bids.derivatives.failures import FailureRecord, read_failures
from bids_deepseg.bids.derivatives.layout import ResultFiles, place
from bids_deepseg.bids.derivatives.ownership import is_named_after_content
from bids_deepseg.bids.derivatives.products import MOST_READ
from bids_deepseg.bids.derivatives.saved import find_saved, read_result, saved_volumes, undisturbed
from bids_deepseg.bids.image import DATATYPES, BidsImage
from bids_deepseg.bids.source.found import name_parser
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.walk import find_files
from bids_deepseg.execution import Job
from bids_deepseg.files.atomic import check_no_link, make_own_folder, output_errors, write_if_different
from bids_deepseg.files.facts import text_of
from bids_deepseg.files.own import read_head, write_own
from bids_deepseg.report.boilerplate import MethodsText, render_methods
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.linked import link_figures
from bids_deepseg.report.participant import render_participant
from bids_deepseg.report.seal import HEAD_BYTES, PAGE_MARKS, read_seal, seal_page

#: Folder of figures beside the images of a participant, with ``--report-format linked``.
_FIGURES = "figures"

#: Name of a figure, see :func:`bids_deepseg.report.linked.link_figures`.
_FIGURE_NAME = r"[0-9a-f]{16}\.(?:png|jpg)"

#: Bytes of a sidecar that are read at most.
_MOST_OF_SIDECAR = 10_000_000


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
        page = render_participant(
            subject,
            self._images(subject, unusable),
            version=__version__,
            dataset=dataset,
            identity=self._identity(),
            methods=self._methods(subject),
        )
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

    def _identity(self) -> str:
        """Return the word for the data set, which the page of the group has, too."""
        return identity_of(describe_dataset(self.output_dir, self.bids_dir, version=__version__))

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
        digest = hashlib.sha256(f"{__version__} {self.linked_figures} {self._identity()}".encode())
        folder = self.output_dir / f"sub-{subject}"
        for sidecar in sorted(folder.rglob("*_mask.json")):
            digest.update(f"\n{sidecar.relative_to(folder).as_posix()} ".encode())
            digest.update(hashlib.sha256(read_head(sidecar, _MOST_OF_SIDECAR)).digest())
            # A mask may be edited; its size alone would not tell.
            digest.update(hashlib.sha256(read_head(sidecar.with_suffix(".nii.gz"), MOST_READ)).digest())
        for failure in failures:
            if failure.subject == subject:
                told = f"{failure.source} {failure.status} {failure.message} {sorted(failure.options.items())}"
                digest.update(f"\n{told}".encode())
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
        for file in sorted(find_files(self.bids_dir, subject, name_parser(), DATATYPES), key=lambda file: file.path):
            if file.refusal is not None:
                continue
            image = BidsImage(file.path, self.bids_dir, file.entities, file.suffix, file.datatype)
            for one in (image, *self._volumes(image, failures)):
                failure = failures.get(one.key)
                # An image that cannot be processed any more has no result to show, though an older one may stand there.
                if failure is not None:
                    yield failed_image(one, failure.status, failure.message, failure.options)
                    continue
                with undisturbed(ResultFiles.of_image(self.output_dir, one)):
                    found = read_result(one, self.output_dir)
                    shown = None if found is None else show_image(one, found)
                if isinstance(shown, Unusable):
                    unusable.append(shown)
                    shown = failed_image(one, shown.failure.status, shown.failure.message)
                if shown is not None:
                    yield shown

    def _methods(self, subject: str) -> MethodsText | None:
        """Return the methods text about the results of a participant, None without any."""
        results = list(find_saved(self.output_dir, subject))
        done = {result.source for result in results}
        failures = [one for one in read_failures(self.output_dir) if one.subject == subject and one.source not in done]
        return render_methods(gather_facts(results, failures, version=__version__)) if results else None

    def _volumes(self, image: BidsImage, failures: Iterable[str]) -> list[BidsImage]:
        """Return the volumes of a series that have results or failures of their own."""
        numbers = {int(key.partition("#")[2]) for key in failures if key.startswith(f"{image.relative_path}#")}
        numbers |= saved_volumes(image, self.output_dir)
        return [replace(image, volume=number) for number in sorted(numbers)]


def _is_figure(path: Path) -> bool:
    """Tell whether a file is one of our figures: it is named after its checksum."""
    return bool(re.fullmatch(_FIGURE_NAME, path.name)) and is_named_after_content(path)
