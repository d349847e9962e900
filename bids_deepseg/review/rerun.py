"""Run the participant level again for one image, with its correction, as the normal command in a process of its own."""

import json
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ENTITIES
from bids_deepseg.errors import UsageError
from bids_deepseg.options.config_file import read_config, words_of
from bids_deepseg.options.declare import options_of
from bids_deepseg.options.run import RunOptions
from bids_deepseg.review.saving import ConflictError

#: Options of the last run that decide on results, beside those of the groups; they are used again.
_GROUPS = frozenset({"method", "reading"})
_OTHERS = frozenset({"derivatives", "device", "low_mem", "no_probseg", "no_centerline"})

#: The folder of corrections is the one of this page.
_OWN = frozenset({"corrections"})

#: Written by the group level; while it is there, it is kept up to date.
_GROUP_TABLE = "group_label-SC_morph.tsv"

#: Last lines of a run that are kept.
_MOST_LINES = 200

#: Time that a run has to end after it was asked to.
_PATIENCE_S = 20.0


@dataclass(slots=True)
class Job:
    """A run that goes on, or has ended.

    Attributes
    ----------
    number : int
        From 1.
    image_id : str
        The image.
    lines : deque of str
        What it wrote last.
    code : int or None
        Exit code, None while it goes on.
    """

    number: int
    image_id: str
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_LINES))
    code: int | None = None

    def facts(self) -> dict[str, Any]:
        """Return what the page shows."""
        return {"job": self.number, "image": self.image_id, "code": self.code, "lines": list(self.lines)}


class Runner:
    """Starts runs, one at a time.

    Parameters
    ----------
    program : sequence of str
        The command of the app, to which its words are added.
    bids_dir, output_dir, corrections : Path
        Folders of the run.
    """

    def __init__(self, program: Sequence[str], bids_dir: Path, output_dir: Path, corrections: Path) -> None:
        self._program = tuple(program)
        self._bids_dir, self._output_dir, self._corrections = bids_dir, output_dir, corrections
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def words(self, image: BidsImage, filter_file: Path) -> list[str]:
        """Return the words of the command that runs one image, and the group level if its table is there."""
        levels = ["participant"]
        if place(self._output_dir, _GROUP_TABLE).is_file():
            levels.append("group")
        corrections = ["--corrections", str(self._corrections)] if self._corrections.is_dir() else []
        return [
            *(str(self._bids_dir), str(self._output_dir), *levels),
            *("--participant-label", image.subject),
            *("--suffix", image.suffix),
            *("--bids-filter-file", str(filter_file)),
            *("--rerun", "missing", "changed", "failed"),
            *("--skip-bids-validation", "--no-progress"),
            *corrections,
            *last_method(self._output_dir),
        ]

    def start(self, image: BidsImage, image_id: str) -> Job:
        """Start a run.

        Raises
        ------
        ConflictError
            If one goes on.
        UsageError
            If the options of the last run cannot be read.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise ConflictError("A run goes on. Wait until it has ended.")
            folder = tempfile.TemporaryDirectory(prefix="bids_deepseg-review-")
            filter_file = Path(folder.name) / "image.json"
            filter_file.write_text(json.dumps(only(image)), encoding="utf-8")
            job = Job(len(self._jobs) + 1, image_id)
            try:
                self._process = subprocess.Popen(
                    [*self._program, *self.words(image, filter_file)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except (OSError, UsageError):
                folder.cleanup()
                raise
            self._jobs.append(job)
            self._thread = threading.Thread(target=_follow, args=(self._process, job, folder), daemon=True)
            self._thread.start()
            return job

    def job(self, number: int) -> Job | None:
        """Return a job by its number."""
        return self._jobs[number - 1] if 0 < number <= len(self._jobs) else None

    def stop(self) -> None:
        """End the run that goes on; it keeps what is finished."""
        process, thread = self._process, self._thread
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if thread is not None:
            thread.join(_PATIENCE_S)


def _follow(process: "subprocess.Popen[str]", job: Job, folder: "tempfile.TemporaryDirectory[str]") -> None:
    """Keep what a process writes until it ends."""
    with folder, process:
        for line in process.stdout or ():
            job.lines.append(line.rstrip("\n"))
        job.code = process.wait()


def only(image: BidsImage) -> Mapping[str, Mapping[str, str | None]]:
    """Return the filter that leaves one image of its suffix."""
    names = (name for name in ENTITIES.values() if name != "subject")
    return {image.suffix.lower(): {name: image.entities.get(name) for name in names}}


def last_method(output_dir: Path) -> list[str]:
    """Return the options that decide on results of the last run on a folder, as words of the command line.

    Raises
    ------
    UsageError
        If they cannot be read.
    """
    for path in sorted((output_dir / "logs").glob("*/config.toml"), reverse=True):
        config = read_config(path)
        if "participant" in config.get("analysis_level", ()):
            wanted = {each.destination for each in options_of(RunOptions) if each.group in _GROUPS} | _OTHERS
            return words_of({key: value for key, value in config.items() if key in wanted - _OWN}, set())
    return []
