"""Tell an output folder of this app from somebody else's folder, before anything is written.

A folder is *ours* if its ``dataset_description.json`` says that this app made it. A folder without that file is taken
if it holds nothing but what a run of ours that was interrupted may have left, what operating systems and data
management programs put into every folder, and logs. Everything else is *foreign*: another data set, or a folder of
somebody's files.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bids_deepseg.bids.naming import ALL_PRODUCTS, parse_name
from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import leads_to_folder, open_regular
from bids_deepseg.files.own import read_head

APP_NAME = "bids_deepseg"

DESCRIPTION = "dataset_description.json"

#: File that marks a folder for temporary files as one of this app's.
WORK_MARK = ".bids_deepseg-work"

#: Bytes of a description that are read; it is a page of text.
_MOST_READ = 1_000_000

#: Entries of the root that say nothing about whose folder it is, and are never touched: of operating systems and
#: drives, of data management programs, of us, and logs to which the output of a command is redirected. In
#: ``sourcedata`` the group level looks for the table of participants.
_HARMLESS = re.compile(
    r"lost\+found|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.directory|\.fuse_hidden.*|\.nfs.*|\.Trash.*|\.snapshots?|"
    r"\.fseventsd|\.Spotlight-V100|\.TemporaryItems|\.DocumentRevisions-V100|\$RECYCLE\.BIN|System Volume Information|"
    r"@eaDir|#recycle|#snapshot|\.git|\.gitattributes|\.gitignore|\.gitmodules|\.gitkeep|\.keep|\.datalad|sourcedata|"
    r"\.tmp-.*|\.work-.*|\.bids_deepseg.*|layout_index\.sqlite|layout_args\.json|\.command\..*|\.exitcode|.*\.(log|out|err)|.*\.[oe][0-9]+"
)

#: What is found at the beginning of the files that we write into the root and the logs, by name.
_OWN_TEXTS = (
    (re.compile(r"README\.md"), b"# Spinal cord segmentation by bids_deepseg"),
    (re.compile(r"CHANGES"), b"Made by bids_deepseg"),
    (re.compile(r"\.bidsignore"), b"*.html\nfigures\n*_centerline.tsv"),
    (re.compile(r"(sub-[^/]+|group)\.html"), b'<meta name="generator" content="bids_deepseg '),
    (re.compile(r"participants\.tsv"), b"participant_id\tn_images\tn_failed\tqc"),
    (re.compile(r"participants\.json"), b'"Participants with results or failures"'),
    (re.compile(r"descriptions\.tsv"), b"desc_id\tdescription"),
    (re.compile(r"descriptions\.json"), b'"Values of the entity desc: the kind of source image'),
    (re.compile(r"scans\.json"), b'"Spinal cord masks with the verdict of the quality checks"'),
    (re.compile(r"group_label-[A-Za-z]+(_desc-[a-z]+)?_morph\.tsv"), b"participant_id\t"),
    (re.compile(r"group_label-[A-Za-z]+(_desc-[a-z]+)?_morph\.json"), b"{"),
    (re.compile(r"CITATION\.(md|html)"), b"bids_deepseg"),
)

#: First columns of our tables of scans.
SCANS_MARKS = (b"filename\tqc\tqc_reasons\t",)

#: Keys of which a description of a data set has at least one.
_TELLING = frozenset({"Name", "BIDSVersion", "DatasetType", "GeneratedBy", "PipelineDescription"})

#: Sidecars that are looked at for our name.
_MOST_SIDECARS = 5

_FIGURE = re.compile(r"[0-9a-f]{16}\.(png|jpg)")


def check_ours(output_dir: Path) -> None:
    """Make sure that an output folder is ours, new, or empty.

    Parameters
    ----------
    output_dir : Path
        Folder that will be written to; it need not exist.

    Raises
    ------
    UsageError
        If it holds another data set or files of somebody else; the message names what was found.
    """
    found = find_foreign(output_dir)
    if found is not None:
        raise UsageError(
            f"The output folder {output_dir} holds {found}. Nothing was written: a new or empty folder, or one with "
            f"results of {APP_NAME}, is expected. Give a folder of its own, for example {output_dir / APP_NAME}."
        )


def find_foreign(output_dir: Path) -> str | None:
    """Return what is in an output folder that is not ours, in words; None if there is nothing."""
    if not leads_to_folder(output_dir):
        # Nothing, or what the creation of the folder will name.
        return None
    description = output_dir / DESCRIPTION
    content = _read_object(description)
    if content.keys() & _TELLING:
        return None if _is_ours(content) else _describe(content)
    # Our results tell that a description which says nothing is damaged, and not that of somebody else.
    sidecars = islice(output_dir.glob("sub-*/**/*_mask.json"), _MOST_SIDECARS)
    if any(is_made_by_us(_read_object(sidecar)) for sidecar in sidecars):
        return None
    if os.path.lexists(description) and read_head(description).strip(b"\0"):
        return f"a {DESCRIPTION} that cannot be read"
    foreign = next(_foreign_entries(output_dir), None)
    return None if foreign is None else f"{foreign}, and no {DESCRIPTION} of {APP_NAME}"


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object as far as it can be; nothing that can be read is an answer, too."""
    head = read_head(path, _MOST_READ)
    try:
        content = json.loads(head) if head.strip(b"\0") else None
    except (ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {}


def _is_ours(description: dict[str, Any]) -> bool:
    """Return whether a ``dataset_description.json`` is that of results of this app, of whichever version."""
    return is_made_by_us(description) and description.get("DatasetType", "derivative") == "derivative"


def is_made_by_us(described: dict[str, Any]) -> bool:
    """Return whether a description of a data set or the sidecar of a mask names this app among its makers."""
    makers = described.get("GeneratedBy")
    return isinstance(makers, list) and any(isinstance(each, dict) and each.get("Name") == APP_NAME for each in makers)


def _describe(description: dict[str, Any]) -> str:
    """Say which data set another one is."""
    makers = description.get("GeneratedBy") or description.get("PipelineDescription") or ()
    makers = [makers] if isinstance(makers, dict) else makers if isinstance(makers, list) else []
    names = [str(maker.get("Name")) for maker in makers if isinstance(maker, dict) and maker.get("Name")]
    name = str(description.get("Name") or "without a name")[:100]
    kind = "a raw data set" if description.get("DatasetType", "raw") == "raw" and not names else "another data set"
    return f"{kind} ({name}" + (f", made by {', '.join(names)[:100]})" if names else ")")


def own_marks(name: str) -> tuple[bytes, ...]:
    """Return what is found at the beginning of a file of ours with a name, relative to the root or to the logs."""
    return tuple(mark for names, mark in _OWN_TEXTS if names.fullmatch(name))


def _is_result_name(name: str) -> bool:
    """Return whether a file name is one that we give to a product of an image, or to its sidecar."""
    parsed = parse_name(name)
    labels = {kind.label for kind in ALL_PRODUCTS.values()}
    kinds = {kind.suffix for kind in ALL_PRODUCTS.values()}
    if parsed is None or parsed.extension not in {".json", ".nii.gz", ".tsv"} or parsed.suffix not in kinds:
        return False
    found = parsed.entities
    return found.get("space") == "orig" and found.get("label") in labels and "desc" in found


def is_own_unnamed(relative: str, path: Path) -> bool:
    """Return whether a page, a figure or a table for which BIDS has no name is ours.

    Parameters
    ----------
    relative : str
        Path relative to the root, in the layout ``bids``.
    path : Path
        The file.
    """
    name = relative.rpartition("/")[2]
    if path.is_symlink() and not path.is_file():
        return False
    if "/" not in relative:
        return _is_own_text(path)
    if "/figures/" in relative:
        return bool(_FIGURE.fullmatch(name)) and is_named_after_content(path)
    return _is_result_name(name)


def is_named_after_content(path: Path) -> bool:
    """Return whether the name of a file begins with its checksum, as those of our figures do."""
    try:
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError:
        return False
    return digest.hexdigest().startswith(path.stem)


def _foreign_entries(folder: Path) -> Iterator[str]:
    """Yield the entries of a root that are not ours, relative to it."""
    for entry in _entries(folder):
        path, name = Path(entry.path), entry.name
        if name == DESCRIPTION or _HARMLESS.fullmatch(name):
            continue
        if not entry.is_dir(follow_symlinks=False):
            if entry.is_symlink() or not _is_own_text(path):
                yield name
            continue
        kind = "sub-" if name.startswith("sub-") else name
        is_own = {"sub-": _is_result, "logs": _is_log, "docs": _is_in_docs}.get(kind, _is_nothing)
        yield from (f"{name}/{found}" for found in _foreign_files(path, is_own))


def _foreign_files(folder: Path, is_own: Callable[[str, Path], bool]) -> Iterator[str]:
    """Yield the files below a folder that are not ours; empty folders, and ours for temporary files, are fine."""
    waiting = [folder]
    while waiting:
        entries = _entries(waiting.pop())
        if any(entry.name == WORK_MARK for entry in entries):
            continue
        for entry in entries:
            path = Path(entry.path)
            relative = path.relative_to(folder).as_posix()
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif not _HARMLESS.fullmatch(entry.name) and not is_own(relative, path):
                yield relative


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted by name; nothing of one that cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_own_text(path: Path) -> bool:
    """Return whether a file of the root, of ``logs`` or of ``docs`` is ours, or what is left of one of ours."""
    marks = own_marks(path.name)
    head = read_head(path)
    return bool(marks) and (any(mark in head for mark in marks) or not head.strip(b"\0"))


def _is_nothing(_relative: str, _path: Path) -> bool:
    """Tell that nothing of ours is in a folder of another name."""
    return False


def _is_result(relative: str, path: Path) -> bool:
    """Return whether a file in the folder of a participant is ours."""
    name = relative.rpartition("/")[2]
    if name.endswith("_scans.tsv"):
        return any(mark in read_head(path) for mark in SCANS_MARKS)
    return is_own_unnamed(f"sub/{relative}", path)


def _is_log(relative: str, path: Path) -> bool:
    """Return whether a file in ``logs`` is ours, or of a name that we do not use."""
    if relative.startswith("CITATION."):
        return _is_own_text(path.with_suffix(".md"))
    return not relative.startswith("failed/") or b'"Source"' in read_head(path)


def _is_in_docs(relative: str, path: Path) -> bool:
    """Return whether a file in ``docs`` is ours."""
    if relative == "README.md":
        return b"`--output-layout strict`" in read_head(path)
    return is_own_unnamed(relative, path)
