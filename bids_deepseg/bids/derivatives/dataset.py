"""Write the files that describe the derivative data set, from what is in it.

Nothing is remembered from the run: every file is made again from the results and the recorded failures in the output
directory, and replaced only when it differs. Runs that write to one directory at the same time therefore end in the
same files as one run after the other: whoever writes last looks once more whether what it wrote still holds.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from bids_deepseg.bids.derivatives.description import dataset_files
from bids_deepseg.bids.derivatives.failures import DamagedRecord, find_records, read_failures
from bids_deepseg.bids.derivatives.ownership import DESCRIPTION, SCANS_MARKS, own_marks
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult, find_results, find_saved
from bids_deepseg.bids.naming import ENTITIES, parse_name
from bids_deepseg.bids.source.participants import OWN_COLUMNS, Participants, read_source_participants
from bids_deepseg.files.atomic import leads_through_link, make_folder, write_if_different
from bids_deepseg.files.own import is_own, remove_own
from bids_deepseg.files.tables import format_json, format_number, format_table
from bids_deepseg.files.text import warn_once

logger = logging.getLogger(__name__)

#: Rounds of looking again while other processes write; each round but the last saw a change.
_MAX_ROUNDS = 20

_SEVERITY = {"pass": 0, "warn": 1, "fail": 2}

_VERDICTS = {
    "pass": "No check found a problem",
    "warn": "Look at the report before using it",
    "fail": "Do not use it without correction",
}

_SCANS = {
    "Description": "Spinal cord masks with the verdict of the quality checks",
    "filename": {"Description": "Mask, relative to the folder of this table"},
    "qc": {"Description": "Verdict of the quality checks", "Levels": _VERDICTS},
    "qc_reasons": {"Description": "Codes of the findings, see the JSON file of the mask"},
    "csa_mean": {"Description": "Mean cross-sectional area of the cord over all slices with a mask", "Units": "mm^2"},
    "n_slices": {"Description": "Number of slices with a mask"},
}

_PARTICIPANTS = {
    "Description": "Participants with results or failures",
    "participant_id": {"Description": "Identifier of the participant"},
    "n_images": {"Description": "Number of images with a result"},
    "n_failed": {"Description": "Number of images without result, see logs/failed"},
    "qc": {"Description": "Worst verdict of the results", "Levels": _VERDICTS},
}

_DESCRIPTIONS = {
    "Description": "Values of the entity desc: the kind of source image that was segmented",
    "desc_id": {"Description": "Entity desc with its value"},
    "description": {"Description": "Source image"},
}


def write_dataset_files(
    output_dir: Path,
    bids_dir: Path,
    *,
    version: str,
    links: Mapping[str, str] | None = None,
) -> None:
    """Bring the files of the data set up to date.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    bids_dir : Path
        Source; only its ``dataset_description.json`` is read.
    version : str
        Version of the app.
    links : mapping of str to str, optional
        Links stated by the user (``--dataset-link``).

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    make_folder(output_dir)
    for name, content in dataset_files(output_dir, bids_dir, version=version, links=links).items():
        _update(output_dir / name, content)
    _warn_of_damage(output_dir)
    participants = read_source_participants(bids_dir)
    for _ in range(_MAX_ROUNDS):
        if not _update_tables(output_dir, participants):
            return


def _warn_of_damage(output_dir: Path) -> None:
    """Name the results and records of other runs that cannot be read, and are in no table therefore."""
    for found in (*find_results(output_dir), *find_records(output_dir)):
        if isinstance(found, DamagedResult | DamagedRecord):
            warn_once(found.message)


def _update_tables(output_dir: Path, participants: Participants) -> bool:
    """Make all tables from the results that are there now; return whether one changed."""
    results = list(find_saved(output_dir))
    changed = [
        _update(output_dir / name, content) for name, content in _root_tables(output_dir, results, participants).items()
    ]
    tables = {folder / _scans_name(folder): list(group) for folder, group in groupby(results, _scans_folder)}
    changed += [_update(path, _scans_table(path.parent, group)) for path, group in tables.items()]
    found = {*output_dir.glob("sub-*/sub-*_scans.tsv"), *output_dir.glob("sub-*/ses-*/sub-*_scans.tsv")}
    for stale in found - set(tables):
        if not leads_through_link(output_dir, stale):
            remove_own(stale, SCANS_MARKS)
    return any(changed)


def _update(path: Path, content: bytes | Mapping[str, Any]) -> bool:
    """Write bytes or a JSON object unless the file has that content; return whether it was written.

    What is there and is not ours stays, with a warning.
    """
    new = content if isinstance(content, bytes) else format_json(content)
    marks = SCANS_MARKS if path.name.endswith("_scans.tsv") else own_marks(path.name)
    if path.name != DESCRIPTION and not is_own(path, marks, new):
        logger.warning("%s was not made by this app and is left as it is.", path)
        return False
    return write_if_different(path, new)


def _root_tables(
    output_dir: Path, results: Sequence[SavedResult], participants: Participants
) -> dict[str, bytes | Mapping[str, Any]]:
    """Return the tables of the root by name."""
    return {
        "participants.tsv": _participants_table(output_dir, results, participants),
        "participants.json": _PARTICIPANTS | {_joined(name): facts for name, facts in participants.columns.items()},
        "descriptions.tsv": _descriptions_table(results),
        "descriptions.json": _DESCRIPTIONS,
        "scans.json": _SCANS,
    }


def _joined(name: str) -> str:
    """Return the name of a column of the source in ``participants.tsv``."""
    return f"source_{name}" if name in OWN_COLUMNS else name


def _participants_table(output_dir: Path, results: Sequence[SavedResult], participants: Participants) -> bytes:
    """List every participant that has a folder, as BIDS demands, and those with failures only."""
    verdicts: dict[str, list[str]] = {path.name[4:]: [] for path in output_dir.glob("sub-*") if path.is_dir()}
    failed: dict[str, int] = {}
    done = {result.source for result in results}
    for failure in (failure for failure in read_failures(output_dir) if failure.source not in done):
        failed[failure.subject] = failed.get(failure.subject, 0) + 1
        verdicts.setdefault(failure.subject, [])
    for result in results:
        verdicts.setdefault(result.subject, []).append(result.verdict)
    rows = [
        (
            *(f"sub-{subject}", str(len(found)), str(failed.get(subject, 0)), max(found, key=_severity, default="")),
            *(participants.value(f"sub-{subject}", name) for name in participants.columns),
        )
        for subject, found in sorted(verdicts.items())
    ]
    return format_table((*OWN_COLUMNS, *map(_joined, participants.columns)), rows)


def _severity(verdict: str) -> int:
    """Return the rank of a verdict."""
    return _SEVERITY.get(verdict, len(_SEVERITY))


def _descriptions_table(results: Iterable[SavedResult]) -> bytes:
    """List every value of ``desc`` with the kind of image it stands for."""
    described: dict[str, str] = {}
    for result in results:
        described.setdefault(f"desc-{result.description}", _describe_source(result))
    return format_table(("desc_id", "description"), sorted(described.items()))


def _describe_source(result: SavedResult) -> str:
    """Say from which kind of image a result comes, with the entities that became part of ``desc``."""
    source = parse_name(Path(result.source_file).name)
    if source is None:
        return "Spinal cord segmented on the source image"
    folded = [f"{ENTITIES.get(k, k)} {value}" for k, value in source.entities.items() if k not in result.entities]
    volume = result.facts.volume
    folded += [] if volume is None else [f"volume {volume} of the series, from 0"]
    return f"Spinal cord segmented on {source.suffix}" + (f" with {', '.join(folded)}" if folded else "")


def _scans_folder(result: SavedResult) -> Path:
    """Return the folder of the participant or session of a result."""
    return result.mask.parent.parent


def _scans_name(folder: Path) -> str:
    """Return the name of the table of scans in a folder of a participant or session."""
    parts = (folder.parent.name, folder.name) if folder.name.startswith("ses-") else (folder.name,)
    return "_".join((*parts, "scans.tsv"))


def _scans_table(folder: Path, results: Iterable[SavedResult]) -> bytes:
    """List the masks of one participant or session; BIDS forbids files that do not exist."""
    rows = [
        (
            result.mask.relative_to(folder).as_posix(),
            result.verdict,
            ",".join(dict.fromkeys(reason.code for reason in result.reasons)),
            format_number(result.csa_mean, 2),
            str(result.n_slices),
        )
        for result in results
    ]
    return format_table(("filename", "qc", "qc_reasons", "csa_mean", "n_slices"), rows)
