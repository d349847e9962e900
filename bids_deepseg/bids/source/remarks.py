"""Describe what a data set has, for messages about what it lacks."""

from collections import Counter
from collections.abc import Iterable

from bids_deepseg.bids.source.folders import USUAL_FOLDERS
from bids_deepseg.bids.source.walk import FoundFile
from bids_deepseg.files.names import printable


def tell_found(files: Iterable[FoundFile], folders: tuple[str, ...] = USUAL_FOLDERS) -> str:
    """Say what a participant has instead of selected images, in the folders that were looked into."""
    found = [file for file in files if file.suffix or file.refusal]
    if not found:
        return f"no NIfTI image in its {' and '.join(folders)} folders"
    counts = Counter(file.suffix or "file with an unreadable name" for file in found if file.datatype)
    sessions = sorted({file.entities["session"] for file in found if "session" in file.entities})
    told = [f"found only {', '.join(f'{n} {suffix}' for suffix, n in sorted(counts.items()))}"] if counts else []
    told[:1] = [each + (f" in the sessions {shorten(sessions)}" if sessions else "") for each in told[:1]]
    told += [_refusal(file) for file in found if file.refusal][:1]
    return "; ".join(told)


def shorten(labels: Iterable[str], most: int = 10) -> str:
    """Join labels for a message, not more than ``most`` of them."""
    labels = [printable(label) for label in labels]
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return (", ".join(labels[:most]) or "(none)") + more


def _refusal(file: FoundFile) -> str:
    """Say why a file is refused; the folder of the participant, of whom the message is, needs no name."""
    is_participant = not file.datatype and file.path.name.startswith("sub-") and "." not in file.path.name
    return str(file.refusal) if is_participant else f"{printable(file.path.name)}: {file.refusal}"
