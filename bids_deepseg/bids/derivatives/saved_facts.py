"""Read the sidecars of our own results as typed values, or say what in them is not as this app writes it.

They may have been damaged, edited by hand, or written again by another program since. Nothing is guessed: a value of
another type or out of its range is named, and the result counts as damaged.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, cast

from bids_deepseg.bids.derivatives.provenance import SOURCE_LINK
from bids_deepseg.bids.derivatives.saved_values import (
    as_entry,
    take_flag,
    take_list,
    take_mapping,
    take_number,
    take_size,
    take_text,
    take_whole,
    wrong,
)
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts
from bids_deepseg.stages.extent import Extent
from bids_deepseg.stages.findings import Finding, Severity, Verdict

Scalar = str | int | float | bool | None

_VERDICTS = ("pass", "warn", "fail")
_SEVERITIES = ("info", "warn", "fail")

#: Larger values are none of a mean area in mm² and of a volume in mm³.
_MOST_MM2 = 1e6
_MOST_MM3 = 1e9

#: Axes of a NIfTI-2 image may be longer; no scanner makes such.
_MOST_SLICES = 2**20

#: What is segmented of a series, as the option ``volume`` in a sidecar states it.
_VOLUME_RULE = re.compile("auto|mean|first|each|[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Model:
    """A network: its name and the checksum of its weights."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A method that was tried on an image; its score is None where the judge gave none, its extent may be empty."""

    method: str
    verdict: str
    score: float | None
    reasons: tuple[str, ...]
    kept: bool
    extent: Extent = ()


def _source(sidecar: Facts) -> str:
    """Return the source file."""
    sources = take_list(sidecar, "Sources")
    first = sources[0] if sources else None
    if not isinstance(first, str) or not first.removeprefix(f"bids:{SOURCE_LINK}:").strip() or "\0" in first:
        raise wrong("Sources", sources, "a list that begins with the source image")
    return first.removeprefix(f"bids:{SOURCE_LINK}:")


def _options(sidecar: Facts) -> Mapping[str, Scalar]:
    """Return the options."""
    options = take_mapping(sidecar, "Options") if "Options" in sidecar else {}
    for name, value in options.items():
        if not isinstance(value, str | int | float | None):
            raise wrong(f"Options.{name}", value, "a text or a number")
    if not _VOLUME_RULE.fullmatch(str(options.get("volume", "auto"))):
        raise wrong("Options.volume", options["volume"], "mean or a number")
    return MappingProxyType(dict(options))


def _verdict(judged: Facts) -> Verdict:
    """Return the verdict."""
    verdict = judged.get("Verdict")
    if verdict not in _VERDICTS:
        raise wrong("Verdict", verdict, "pass, warn or fail")
    return cast("Verdict", verdict)


def _reasons(judged: Facts) -> tuple[Finding, ...]:
    """Return the findings and notes."""
    return tuple(_reason(as_entry(one)) for one in take_list(judged, "Reasons"))


def _reason(one: Facts) -> Finding:
    """Return one finding."""
    severity = take_text(one, "Severity")
    if severity not in _SEVERITIES:
        raise wrong("Severity", severity, "info, warn or fail")
    return Finding(take_text(one, "Code"), cast("Severity", severity), take_text(one, "Message"))


def _models(sidecar: Facts) -> tuple[Model, ...]:
    """Return the networks."""
    models = take_list(sidecar, "Model") if "Model" in sidecar else []
    return tuple(Model(take_text(as_entry(one), "Name"), take_text(as_entry(one), "SHA256")) for one in models)


def _tried(one: Facts) -> Tried:
    """Return one method that was tried."""
    reasons = take_list(one, "Reasons")
    if not all(isinstance(reason, str) for reason in reasons):
        raise wrong("Reasons", reasons, "a list of texts")
    score = float(take_number(one, "Score")) if "Score" in one else None
    method, verdict, kept = take_text(one, "Method"), take_text(one, "Verdict"), take_flag(one, "Kept")
    return Tried(method, verdict, score, tuple(reasons), kept, _extent(one))


def _extent(one: Facts) -> Extent:
    """Return how far the mask of a method reached; empty where that was not kept."""
    rows = take_list(one, "Extent") if "Extent" in one else []
    for row in rows:
        is_row = isinstance(row, list) and len(row) in (1, 5) and all(type(n) is int for n in row)
        if not is_row or not all(0 <= n < _MOST_SLICES for n in row):
            raise wrong("Extent", row, "a slice, or a slice and four voxels")
    return tuple(tuple(row) for row in rows)


def _judged(sidecar: Facts) -> Facts:
    """Return the judgement; empty where there is none."""
    return take_mapping(sidecar, "QC") if "QC" in sidecar else {}


def _volume(sidecar: Facts) -> int | None:
    return take_whole(sidecar, "Volume") if "Volume" in sidecar else None


def _mean_area(sidecar: Facts) -> float:
    measures = take_mapping(sidecar, "Measures")
    is_unknown = measures.get("MeanArea_mm2", "") is None
    return math.nan if is_unknown else take_size(measures, "MeanArea_mm2", _MOST_MM2)


def _version(sidecar: Facts) -> str | None:
    makers = take_list(sidecar, "GeneratedBy") if "GeneratedBy" in sidecar else []
    return next((take_text(as_entry(maker), "Version") for maker in makers[:1] if "Version" in as_entry(maker)), None)


def _tries(sidecar: Facts) -> tuple[Tried, ...]:
    return tuple(_tried(as_entry(one)) for one in take_list(sidecar, "Rescue")) if "Rescue" in sidecar else ()


def _size(sidecar: Facts, name: str, most: float) -> float | None:
    """Return a measure; None where it is not known."""
    measures = take_mapping(sidecar, "Measures") if "Measures" in sidecar else {}
    return take_size(measures, name, most) if measures.get(name) is not None else None


def _count(sidecar: Facts, name: str) -> int | None:
    """Return a number of slices or objects; None where it is not known."""
    measures = take_mapping(sidecar, "Measures") if "Measures" in sidecar else {}
    most = (_MOST_SLICES,) if name == "Slices" else ()
    return take_whole(measures, name, *most) if measures.get(name) is not None else None


def _by(read: Callable[[Facts], object]) -> dict[str, Callable[[Facts], object]]:
    """Return the metadata of a field that is read from a sidecar by a function."""
    return {"read": read}


def _read_all(kind: type["MaskFacts | StructureFacts"], sidecar: Facts) -> dict[str, Any]:
    return {each.name: each.metadata["read"](sidecar) for each in fields(kind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts:
    """What the sidecar of the mask of a cord states; each value is declared once, with the way it is read."""

    #: Path of the source file relative to its data set.
    source_file: str = field(metadata=_by(_source))
    #: Number of the volume that is an image of its own.
    volume: int | None = field(metadata=_by(_volume))
    verdict: Verdict = field(metadata=_by(lambda sidecar: _verdict(take_mapping(sidecar, "QC"))))
    #: Findings and notes.
    reasons: tuple[Finding, ...] = field(metadata=_by(lambda sidecar: _reasons(take_mapping(sidecar, "QC"))))
    #: Mean cross-sectional area in mm², NaN when unknown.
    csa_mean: float = field(metadata=_by(_mean_area))
    #: Slices with a mask.
    n_slices: int = field(
        metadata=_by(lambda sidecar: take_whole(take_mapping(sidecar, "Measures"), "Slices", _MOST_SLICES))
    )
    #: Whether a person drew the mask.
    manual: bool = field(metadata=_by(lambda sidecar: take_flag(sidecar, "Manual") if "Manual" in sidecar else False))
    #: Version of the app that made it.
    version: str | None = field(metadata=_by(_version))
    models: tuple[Model, ...] = field(metadata=_by(_models))
    #: Library that computed them, empty if none is stated.
    backend: str = field(metadata=_by(lambda sidecar: take_text(sidecar, "Backend") if "Backend" in sidecar else ""))
    #: Probability from which a voxel counts as cord.
    threshold: float | None = field(
        metadata=_by(
            lambda sidecar: take_number(sidecar, "Threshold") if sidecar.get("Threshold") is not None else None
        )
    )
    #: Options that change results.
    options: Mapping[str, Scalar] = field(metadata=_by(_options))
    #: Whether volumes of a series were averaged.
    is_mean: bool = field(metadata=_by(lambda sidecar: "VolumesUsed" in sidecar))
    #: Methods that were tried.
    tries: tuple[Tried, ...] = field(metadata=_by(_tries))


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFacts:
    """What the sidecar of the mask of a structure inside the cord states; what it does not state is None or empty."""

    verdict: Verdict | None = field(
        metadata=_by(lambda sidecar: _verdict(judged) if (judged := _judged(sidecar)) else None)
    )
    reasons: tuple[Finding, ...] = field(
        metadata=_by(lambda sidecar: _reasons(judged) if (judged := _judged(sidecar)) else ())
    )
    #: Mean area.
    area_mm2: float | None = field(metadata=_by(lambda sidecar: _size(sidecar, "MeanArea_mm2", _MOST_MM2)))
    volume_mm3: float | None = field(metadata=_by(lambda sidecar: _size(sidecar, "Volume_mm3", _MOST_MM3)))
    #: Slices with the structure.
    n_slices: int | None = field(metadata=_by(lambda sidecar: _count(sidecar, "Slices")))
    #: Its separate parts.
    n_objects: int | None = field(metadata=_by(lambda sidecar: _count(sidecar, "Objects")))
    models: tuple[Model, ...] = field(metadata=_by(_models))


def mask_facts(sidecar: Facts) -> MaskFacts:
    """Read the sidecar of the mask of a cord.

    Raises
    ------
    DamagedResultError
        If a value is missing or is none that this app writes.
    """
    return MaskFacts(**_read_all(MaskFacts, sidecar))


def structure_facts(sidecar: Facts) -> StructureFacts:
    """Read the sidecar of the mask of a structure inside the cord.

    Raises
    ------
    DamagedResultError
        If a value is none that this app writes.
    """
    return StructureFacts(**_read_all(StructureFacts, sidecar))


def source_of(sidecar: Facts) -> str | None:
    """Return the source image of a sidecar in which anything else may be wrong, None if it states none."""
    try:
        volume = _volume(sidecar)
        return _source(sidecar) + ("" if volume is None else f"#{volume}")
    except DamagedResultError:
        return None
