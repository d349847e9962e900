"""Remember how a run went: counts for the summary, one entry per image, and the exit code.

Terms: an image is *done* when it was segmented in this run, *skipped* when an earlier result is up to date, and
*failed* when there is no result or one with the verdict ``fail``. A participant without usable image is *no input*.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bids_deepseg.errors import NetworkError
from bids_deepseg.files.names import as_utf8

#: Codes that the process takes over when all failures share them; others become 1, "some images failed".
_SHARED_CODES = frozenset({*range(65, 76), NetworkError.exit_code})

VERDICT_FAIL = "verdict-fail"


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """How one image ended.

    Attributes
    ----------
    image : str
        Path relative to the data set.
    subject : str
        Label.
    session : str or None
        Label.
    status : str
        ``done``, ``skipped``, ``verdict-fail`` or the word of the error.
    verdict : str or None
        pass, warn or fail; None without result.
    seconds : float
        Duration.
    message : str
        Why it failed, or what speaks against the result.
    exit_code : int
        Exit code of the process if all failures were like this; 0 unless failed.
    """

    image: str
    subject: str
    session: str | None
    status: str
    verdict: str | None = None
    seconds: float = 0.0
    message: str = ""
    exit_code: int = 0

    @property
    def has_result(self) -> bool:
        """Whether there is a result, good or bad."""
        return self.verdict is not None


@dataclass(slots=True)
class RunRecord:
    """What has happened so far; filled by the app, read by the command line even after an interruption.

    Attributes
    ----------
    log_folder : Path or None
        Folder of the logs of this run, None as long as there is none.
    images : list of ImageEntry
        Images that ended, in the order of their ends.
    pages : list of ImageEntry
        Pages that could not be written; they are not images, and their images count as they ended.
    without_input : dict of str to str
        Participants without usable image, and what was found instead.
    n_not_run : int
        Images that were not begun.
    n_left_out : int
        Images without an up-to-date result that ``--rerun`` left out.
    """

    log_folder: Path | None = None
    images: list[ImageEntry] = field(default_factory=list)
    pages: list[ImageEntry] = field(default_factory=list)
    without_input: dict[str, str] = field(default_factory=dict)
    n_not_run: int = 0
    n_left_out: int = 0
    _begin: float = field(default_factory=time.monotonic)

    @property
    def n_done(self) -> int:
        """Images that were segmented in this run."""
        return sum(entry.status == "done" for entry in self.images)

    @property
    def n_skipped(self) -> int:
        """Images whose earlier result is up to date."""
        return sum(entry.status == "skipped" for entry in self.images)

    @property
    def n_failed(self) -> int:
        """Images without result, or with the verdict ``fail``."""
        return sum(entry.exit_code != 0 for entry in self.images)

    @property
    def exit_code(self) -> int:
        """0 without failure, the code of the cause if there is only one, otherwise 1."""
        codes = {entry.exit_code for entry in (*self.images, *self.pages) if entry.exit_code}
        if not codes:
            return 0
        return codes.pop() if len(codes) == 1 and codes <= _SHARED_CODES else 1

    @property
    def failures_in_words(self) -> str:
        """What did not go well, in words."""
        pages = f", {len(self.pages)} pages could not be written" if self.pages else ""
        return f"{self.n_failed} of {len(self.images)} images failed{pages}"

    def summary(self, exit_code: int) -> dict[str, object]:
        """Return the last line of the run."""
        return {
            "done": self.n_done,
            "skipped": self.n_skipped,
            "failed": self.n_failed,
            **({"failed_pages": len(self.pages)} if self.pages else {}),
            "no_input": len(self.without_input),
            "exit": exit_code,
            "log": str(self.log_folder or ""),
        }

    def write(self, exit_code: int, message: str = "") -> None:
        """Write ``summary.json`` into the folder of the logs, if there is one; ``message`` says what ended the run."""
        if self.log_folder is None:
            return
        content = self.summary(exit_code) | {
            "message": message,
            "not_run": self.n_not_run,
            "left_out": self.n_left_out,
            "seconds": round(time.monotonic() - self._begin, 3),
            "without_input": self.without_input,
            "images": [asdict(entry) for entry in self.images],
            "failed_pages": [asdict(entry) for entry in self.pages],
        }
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary = self.log_folder / ".tmp-summary.json"
        temporary.write_bytes(as_utf8(text))
        temporary.replace(self.log_folder / "summary.json")
