"""Read back what was written, to resume a run, to fill the tables and for the reports."""

import time
from collections.abc import Iterator
from pathlib import Path

from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.derivatives.products import damaged_files, is_edited_mask, names_of
from bids_deepseg.bids.derivatives.provenance import CacheKey, source_fingerprint, source_size
from bids_deepseg.bids.derivatives.saved_facts import source_of
from bids_deepseg.bids.derivatives.saved_result import DamagedResult, SavedResult, check_tables, read_sidecar
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import derivative_path, parse_name, sidecar_name, sidecar_path
from bids_deepseg.bids.source.folders import DATATYPES
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
    wanted = [derivative_path(image, product) for product in cache_key.products]
    names = {name for path in wanted for name in (path.name, sidecar_path(path).name)} - {f"{saved.name}.json"}
    if not names <= names_of(saved.sidecar):
        return False
    damaged = damaged_files(saved.sidecar, output_dir, wanted[0].parent)
    # A mask that a person edited stays.
    if damaged and not (damaged == [saved.mask] and is_edited_mask(saved.mask)):
        return False
    known = saved.sidecar.get("SourceFingerprint")
    try:
        same_size = isinstance(known, dict) and known.get("Size") == source_size(image)
        return same_size and known == source_fingerprint(image)
    except OSError:
        return False


def read_saved(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image, None when there is no complete and undamaged one."""
    found = read_result(image, output_dir)
    return found if isinstance(found, SavedResult) else None


def read_result(image: BidsImage, output_dir: Path) -> "SavedResult | DamagedResult | None":
    """Read the result of one image, or what is wrong with it; None when there is none."""
    mask = output_dir / derivative_path(image, "mask")
    return _read_result(mask) if mask.exists() or mask.with_name(sidecar_name(mask.name)).exists() else None


def read_settled(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image as :func:`read_saved`, and wait for another run that writes it at this moment."""
    return read_saved(image, output_dir) if is_there(image, output_dir) else None


def is_there(image: BidsImage, output_dir: Path) -> bool:
    """Return whether an image has a result, after another run has written it that does so at this moment."""
    sidecar = output_dir / sidecar_path(derivative_path(image, "mask"))
    if sidecar.exists() or not sidecar.parent.is_dir():
        return sidecar.exists()
    with holding(sidecar.parent, patience_s=_PATIENCE_S) as is_held:
        until = time.monotonic() + (0 if is_held else _BLIND_PATIENCE_S)
        while not sidecar.exists() and time.monotonic() < until:
            time.sleep(_PAUSE_S)
        return sidecar.exists()


def saved_volumes(image: BidsImage, output_dir: Path) -> set[int]:
    """Return the numbers of the volumes of a series that have a complete result of their own."""
    whole = output_dir / derivative_path(image, "mask")
    start, end = whole.name.removesuffix("_mask.nii.gz") + "vol", "_mask.json"
    names = [path.name for path in whole.parent.glob(f"{start}*{end}")]
    numbers = (name[len(start) : -len(end)] for name in names)
    return {int(number) for number in numbers if number.isdecimal()}


def find_saved(output_dir: Path) -> Iterator[SavedResult]:
    """Find all complete and undamaged results of an output directory, sorted by path."""
    return (found for found in find_results(output_dir) if isinstance(found, SavedResult))


def find_results(output_dir: Path) -> "Iterator[SavedResult | DamagedResult]":
    """Find all results of an output directory, those that cannot be read among them, sorted by path."""
    stems = {
        path.with_name(path.name.partition(".")[0])
        for level in (f"sub-*/{session}{datatype}" for session in ("", "ses-*/") for datatype in DATATYPES)
        for ending in (".json", ".nii.gz")
        for path in output_dir.glob(f"{level}/sub-*_label-SC_desc-*_mask{ending}")
    }
    found = (_read_result(stem.with_name(f"{stem.name}.nii.gz")) for stem in sorted(stems))
    return (each for each in found if each is not None)


def _read_result(mask: Path) -> SavedResult | DamagedResult | None:
    """Read the result of a mask, or say why it cannot be used; None for what another program made."""
    sidecar, name = mask.with_name(sidecar_name(mask.name)), parse_name(mask.name)
    if name is None or not {"sub", "desc"} <= set(name.entities):
        return None
    entities: dict[str, str] = dict(name.entities)
    content: Facts = {}
    try:
        content = read_sidecar(sidecar)
        if _is_foreign(content):
            return None
        saved = SavedResult(mask, entities, content)
    except DamagedResultError as error:
        return DamagedResult(mask, entities, source_of(content), str(error))
    return saved if mask.is_file() else DamagedResult(mask, entities, saved.source, f"{mask.name} is not there")


def _is_foreign(sidecar: Facts) -> bool:
    """Return whether a sidecar says that another program made the file."""
    names = [text_of(maker, "Name") for maker in mappings_of(sidecar, "GeneratedBy")]
    return any(names) and APP_NAME not in names
