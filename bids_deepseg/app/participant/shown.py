"""Read what the page of a participant shows of one image, or say why it cannot be shown.

What is known of a run are the names and values of its options; folders are not kept with the results, so that words in
capitals stand for them.
"""

import math
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult
from bids_deepseg.bids.derivatives.saved_facts import StructureFacts, Tried
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import read_shares
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.bids.source.vertebrae import LEVEL_NAMES
from bids_deepseg.errors import BidsDeepsegError, DamagedResultError, ImageError
from bids_deepseg.execution.outcome import Failure, describe_failure
from bids_deepseg.files.facts import mapping_of, mappings_of, text_mapping_of, text_of
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.options.declare import Option, fields_of
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.options.run import RunOptions
from bids_deepseg.report.image import ReportImage
from bids_deepseg.structures.tasks import Task

#: What reading a file may raise, whatever is in it.
_UNREADABLE = (ImageError, OSError, MemoryError)

#: Failures after which an image is not read again for its picture: that alone might take more memory than there is.
_TOO_LARGE = frozenset({"out-of-memory", "killed"})

#: What stands for the folders of a run.
BIDS_DIR, OUTPUT_DIR = "BIDS_DIR", "OUTPUT_DIR"

#: Options that need a folder, by the values of others.
_FOLDERS = (
    ("weights", ("sct",), "--weights-dir"),
    ("centerline", ("file", "viewer"), "--centerline-file"),
)

#: Options of the image that decide on its result, beside those of the method.
_OF_IMAGE = ("contrast", "volume")


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image whose result stands in the output folder and cannot be shown, and why."""

    image: BidsImage
    failure: Failure


def show_image(image: BidsImage, found: SavedResult | DamagedResult) -> ReportImage | Unusable:
    """Return an image with its result, or say why that cannot be shown."""
    problem: Exception
    try:
        if isinstance(found, SavedResult):
            return segmented_image(image, found)
        problem = DamagedResultError(found.message)
    except DamagedResultError as error:
        problem = DamagedResultError(DamagedResult(found.mask, found.entities, found.source, str(error)).message)
    except (BidsDeepsegError, MemoryError) as error:
        problem = error
    except OSError as error:
        problem = ImageError(f"A file cannot be read: {error}")
    return Unusable(image, describe_failure(problem))


def failed_image(
    image: BidsImage, status: str, message: str, options: Mapping[str, object] = MappingProxyType({})
) -> ReportImage:
    """Return an image without result, with its picture if it can be read; not if it is too large for the memory.

    Parameters
    ----------
    image : BidsImage
        The image.
    status, message : str
        What happened, as in :class:`bids_deepseg.bids.derivatives.failures.FailureRecord`.
    options : mapping of str to object, optional
        Options of the run that are not as by default, for the command that repeats the image.
    """
    volume = None
    if status not in _TOO_LARGE:
        with suppress(*_UNREADABLE):
            volume = read_image(image).volume
    command = _repeat_command(image, options)
    return ReportImage(image.key, volume, status=status, messages=(message,), command=command)


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
    threshold = "" if stated.threshold is None else str(stated.threshold)
    facts = {"Networks": networks, "Threshold": threshold}
    task, structure, about = saved.task, None, saved.structure()
    if task is not None and about is not None and (path := saved.structure_mask) is not None:
        structure = _read_like(path, volume, np.uint8)
        facts |= _structure_facts(task, about)
    heat = None if saved.heatmap is None else _read_heat(saved.heatmap)
    return ReportImage(
        image.key,
        volume,
        _read_like(saved.mask, volume, np.uint8),
        probability,
        saved.centerline(),
        saved.morph(),
        saved.verdict,
        facts={name: value for name, value in facts.items() if value},
        reasons=saved.reasons,
        options=options_of(saved),
        provenance=provenance_of(saved),
        command=_repeat_command(image, stated.options, corrected="Correction" in saved.sidecar),
        level_names=LEVEL_NAMES,
        tries=tuple(map(_describe_try, saved.tries)),
        structure=structure,
        structure_noun=task.noun if task is not None and structure is not None else "",
        heat=heat,
        heat_note="" if heat is not None else why_no_heat(saved),
    )


def _describe_try(one: Tried) -> Mapping[str, object]:
    """Return one method that was tried as the page takes it."""
    score = {} if one.score is None else {"Score": one.score}
    return {
        "Method": one.method,
        "Verdict": one.verdict,
        "Reasons": one.reasons,
        "Kept": one.kept,
        "Extent": one.extent,
        **score,
    }


def _structure_facts(task: Task, about: StructureFacts) -> dict[str, str]:
    """Return the rows of the table of facts about a structure inside the cord."""
    noun = task.noun[0].upper() + task.noun[1:]
    area, volume, count = about.area_mm2, about.volume_mm3, about.n_objects
    facts = {
        f"{noun}: mean area": "" if area is None else f"{area:.1f} mm² in {about.n_slices} slices",
        f"{noun}: volume": "" if volume is None else f"{volume:.0f} mm³",
        f"{noun}: objects": "" if count is None else str(count),
        f"{noun}: network": ", ".join(model.name for model in about.models),
    }
    return {name: value for name, value in facts.items() if value}


def why_no_heat(saved: SavedResult) -> str:
    """Say why a result has no heat of the detection network."""
    stated = saved.facts
    kept = next((one.method for one in stated.tries if one.kept), "")
    if stated.manual:
        return "The mask was drawn by hand, so there is no heat of the detection network."
    if "Correction" in saved.sidecar or stated.options.get("centerline") in ("file", "viewer"):
        return "The centerline was given, so there is no heat of the detection network."
    if saved.probseg is None or saved.centerline_mask is None:
        return "The heat of the detection network was not written (--no-probseg or --no-centerline)."
    method = kept or _way(stated.options)
    if method:
        return f"This method ({method}) does not give the heat of the detection network."
    return (
        "The heat of the detection network was not written: the names of the results would be too long, or an earlier "
        "version of the app made them."
    )


def _way(options: Mapping[str, object]) -> str:
    """Return the options that choose another way to the centerline than the detection network."""
    named = (f"--{name} {options[name]}" for name in ("method", "profile", "centerline") if options.get(name))
    return " ".join(named)


def _read_heat(path: Path) -> Volume:
    """Read what the detection network saw, on a grid of its own."""
    try:
        values, header = read_shares(path, "The heat of the detection network")
    except ImageError as error:
        raise DamagedResultError(str(error)) from error
    if values.ndim != 3:
        raise DamagedResultError(f"{path.name} does not hold one value for each of its voxels")
    n_i, n_j, n_k = values.shape
    return Volume(values, Grid((n_i, n_j, n_k), header.affine))


def _read_like(path: Path, volume: Volume, dtype: type[np.generic]) -> Volume:
    """Read a derivative that has the voxels of ``volume``."""
    try:
        values, header = read_shares(path, "The derivative")
    except ImageError as error:
        raise DamagedResultError(str(error)) from error
    if math.prod(header.shape) != math.prod(volume.grid.shape):
        raise DamagedResultError(f"{path.name} does not have the voxels of its image")
    return Volume(values.reshape(volume.grid.shape).astype(dtype, copy=False), volume.grid)


def options_of(saved: SavedResult) -> dict[str, str]:
    """Return the options of a result that its sidecar states, and the threshold."""
    stated = {name: str(value) for name, value in saved.facts.options.items() if value is not None}
    threshold = {} if saved.facts.threshold is None else {"threshold of the probability": str(saved.facts.threshold)}
    return stated | threshold


def provenance_of(saved: SavedResult) -> dict[str, str]:
    """Return where a result comes from: source, app, networks, and what a person gave."""
    sidecar, stated = saved.sidecar, saved.facts
    correction, given = text_mapping_of(sidecar, "Correction"), text_mapping_of(sidecar, "GivenInputs")
    found = {
        "Source": stated.source_file,
        "Checksum of the source (sha256)": text_of(mapping_of(sidecar, "SourceFingerprint"), "SHA256"),
        "Made by": ", ".join(" ".join(_maker(maker)) for maker in mappings_of(sidecar, "GeneratedBy")),
        **{f"Network {model.name} (sha256)": model.sha256 for model in stated.models},
        "Corrected by hand": ", ".join(f"{name} {value}" for name, value in correction.items()),
        "Given inputs": ", ".join(f"{name} {value}" for name, value in given.items()),
        "Checksum of the settings": text_of(sidecar, "ConfigHash"),
        "Mask": saved.mask.name,
    }
    return {name: value for name, value in found.items() if value}


def _maker(maker: object) -> list[str]:
    """Return the words about a program or a person who made a result."""
    facts = maker if isinstance(maker, dict) else {}
    return [text for text in (text_of(facts, name) for name in ("Name", "Version", "Author", "Date")) if text]


def changed_options(options: RunOptions) -> dict[str, str | float]:
    """Return the options of a run that change results and are not as by default; no path."""
    image = {name: getattr(options, name) for name in _OF_IMAGE if getattr(options, name) != "auto"}
    return {**options.settings.facts(), **image}


def _repeat_command(image: BidsImage, facts: Mapping[str, object], *, corrected: bool = False) -> str:
    """Return the command that processes an image again, and images of its kind that only other entities tell apart."""
    words = ["bids_deepseg", BIDS_DIR, OUTPUT_DIR, "participant", "--participant-label", image.subject]
    words += ["--session-label", image.session] if image.session else []
    words += ["--suffix", image.suffix, *option_words(facts)]
    for name, values, folder in _FOLDERS:
        words += [folder, "DIR"] if facts.get(name) in values else []
    words += ["--corrections", "DIR"] if corrected else []
    return shlex.join([*words, "--rerun", "all"])


def option_words(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield the words of the options that are not as by default.

    Parameters
    ----------
    facts : mapping of str to object
        Values by the names of the fields.
    """
    usual = MethodSettings()
    for name, option in _options().items():
        value = facts.get(name)
        if isinstance(value, str | int | float) and value not in (getattr(usual, name, "auto"), ""):
            yield f"{option.names[0]}={value}"


def _options() -> dict[str, Option]:
    """Return the options that decide on a result, by the names of their fields."""
    own = {field.name for field, _ in fields_of(MethodSettings)}
    return {
        field.name: options[0]
        for field, options in fields_of(RunOptions)
        if options and options[0].count == "one" and (field.name in _OF_IMAGE or field.name in own)
    }
