"""Read back what was written, to resume a run, to fill the tables and for the reports."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.derivatives.products import damaged_files, is_edited_mask, names_of
from bids_deepseg.bids.derivatives.provenance import CacheKey
from bids_deepseg.bids.derivatives.saved_facts import source_of
from bids_deepseg.bids.derivatives.saved_result import DamagedResult, SavedResult, check_tables, read_sidecar
from bids_deepseg.bids.image import DATATYPES, BidsImage
from bids_deepseg.bids.naming import OPTIONAL_PRODUCTS, parse_name
from bids_deepseg.bids.source.reader import source_fingerprint
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts, mappings_of, text_of
from bids_deepseg.files.locks import holding

__all__ = [
    "DamagedResult",
    "SavedResult",
    "check_tables",
    "find_results",
    "find_saved",
    "is_current",
    "is_there",
    "read_result",
    "read_saved",
    "read_settled",
    "saved_volumes",
    "undisturbed",
]

#: How long to wait for another run that writes a result: with locks, without them, and between looks.
_PATIENCE_S, _BLIND_PATIENCE_S, _PAUSE_S = 60.0, 5.0, 0.1


def is_current(image: BidsImage, output_dir: Path, cache_key: CacheKey) -> bool:
    """Return whether the result of an image is complete and would come out the same again.

    Parameters
    ----------
    image : BidsImage
        Source.
    output_dir : Path
        Root of the derivative data set.
    cache_key : CacheKey
        App, networks and options of this run.

    Returns
    -------
    bool
        True when all products are there as they were written (a mask may be edited since then), and source, networks
        and options are those of the sidecar. The source is read only when everything else agrees.
    """
    saved = read_saved(image, output_dir)
    if saved is None or saved.sidecar.get("ConfigHash") != cache_key.config_hash:
        return False
    files = saved.files
    needed = set(cache_key.products) - OPTIONAL_PRODUCTS
    paths = {path for product in needed for path in (files.path(product), files.sidecar(product))}
    if not {path.name for path in paths - {files.sidecar("mask")}} <= names_of(saved.sidecar):
        return False
    damaged = damaged_files(saved.sidecar, files)
    # A mask that a person edited stays.
    if damaged and not (damaged == [saved.mask] and is_edited_mask(saved.mask)):
        return False
    known = saved.sidecar.get("SourceFingerprint")
    try:
        same_size = isinstance(known, dict) and known.get("Size") == image.path.stat().st_size
        return same_size and known == source_fingerprint(image)
    except OSError:
        return False


def read_saved(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image, None when there is no complete and undamaged one."""
    found = read_result(image, output_dir)
    return found if isinstance(found, SavedResult) else None


def read_result(image: BidsImage, output_dir: Path) -> "SavedResult | DamagedResult | None":
    """Read the result of one image, or what is wrong with it; None when there is none."""
    files = ResultFiles.of_image(output_dir, image)
    is_there = files.path("mask").exists() or files.sidecar("mask").exists()
    return _read_result(files) if is_there else None


def read_settled(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image as :func:`read_saved`, and wait for another run that writes it at this moment."""
    with undisturbed(ResultFiles.of_image(output_dir, image), is_due=True):
        return read_saved(image, output_dir)


def is_there(image: BidsImage, output_dir: Path) -> bool:
    """Return whether an image has a result, after another run has written it that does so at this moment."""
    files = ResultFiles.of_image(output_dir, image)
    if files.sidecar("mask").exists():
        return True
    with undisturbed(files, is_due=True):
        return files.sidecar("mask").exists()


@contextmanager
def undisturbed(files: ResultFiles, *, is_due: bool = False) -> Iterator[None]:
    """Keep other runs from writing a result while it is read, after one that does so at this moment.

    Parameters
    ----------
    files : ResultFiles
        Names of its files, which need not be there.
    is_due : bool, optional
        There should be a result. Otherwise, where there are no locks, only a mask that stands there alone is a sign of
        another run at work.
    """
    mask = files.path("mask")
    with holding(mask.parent, patience_s=_PATIENCE_S) as is_held:
        if not is_held and (mask.exists() or (is_due and mask.parent.is_dir())):
            _await(files.sidecar("mask"))
        yield


def _await(sidecar: Path) -> None:
    """Wait a while for the last file that another run writes, where there are no locks."""
    until = time.monotonic() + _BLIND_PATIENCE_S
    while not sidecar.exists() and time.monotonic() < until:
        time.sleep(_PAUSE_S)


def saved_volumes(image: BidsImage, output_dir: Path) -> set[int]:
    """Return the numbers of the volumes of a series that have a complete result of their own."""
    whole = ResultFiles.of_image(output_dir, image).path("mask")
    start, end = whole.name.removesuffix("_mask.nii.gz") + "vol", "_mask.json"
    names = [path.name for path in whole.parent.glob(f"{start}*{end}")]
    numbers = (name[len(start) : -len(end)] for name in names)
    return {int(number) for number in numbers if number.isdecimal()}


def find_saved(output_dir: Path, subject: str = "*") -> Iterator[SavedResult]:
    """Find all complete and undamaged results of an output directory, or of one participant in it, sorted by path."""
    return (found for found in find_results(output_dir, subject) if isinstance(found, SavedResult))


def find_results(
    output_dir: Path,
    subject: str = "*",
    check: "Callable[[SavedResult], SavedResult | DamagedResult] | None" = None,
) -> "Iterator[SavedResult | DamagedResult]":
    """Find all results of an output directory, those that cannot be read among them, sorted by path.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    subject : str, optional
        Label of the only participant to look at.
    check : callable, optional
        Reads more of a result, such as :func:`check_tables`, while no other run writes it.
    """
    stems = {
        path.with_name(path.name.partition(".")[0])
        for level in (f"{session}{datatype}" for session in ("", "ses-*/") for datatype in DATATYPES)
        for ending in (".json", ".nii.gz")
        for path in output_dir.glob(f"sub-{subject}/{level}/sub-*_label-SC_desc-*_mask{ending}")
    }
    for stem in sorted(stems):
        files = ResultFiles.of_mask(stem.with_name(f"{stem.name}.nii.gz"))
        with undisturbed(files):
            found = _read_result(files)
            if check is not None and isinstance(found, SavedResult):
                found = check(found)
        if found is not None:
            yield found


def _read_result(files: ResultFiles) -> SavedResult | DamagedResult | None:
    """Read a result, or say why it cannot be used; None for what another program made."""
    mask = files.path("mask")
    name = parse_name(mask.name)
    if name is None or not {"sub", "desc"} <= set(name.entities):
        return None
    entities: dict[str, str] = dict(name.entities)
    content: Facts = {}
    try:
        content = read_sidecar(files.sidecar("mask"))
        if _is_foreign(content):
            return None
        saved = SavedResult(files, entities, content)
    except DamagedResultError as error:
        return DamagedResult(mask, entities, source_of(content), str(error))
    return saved if mask.is_file() else DamagedResult(mask, entities, saved.source, f"{mask.name} is not there")


def _is_foreign(sidecar: Facts) -> bool:
    """Return whether a sidecar says that another program made the file."""
    names = [text_of(maker, "Name") for maker in mappings_of(sidecar, "GeneratedBy")]
    return any(names) and APP_NAME not in names
