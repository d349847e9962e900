"""Read the sidecars of our own results as typed values, or say what in them is not as this app writes it.

They may have been damaged, edited by hand, or written again by another program since. Nothing is guessed: a value of
another type or out of its range is named, and the result counts as damaged.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, cast

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

Verdict = Literal["pass", "warn", "fail"]
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
class Reason:
    """A finding or a note: its code, ``info``, ``warn`` or ``fail``, and a sentence."""

    code: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Model:
    """A network: its name and the checksum of its weights."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A method that was tried on an image; the score of the judge is None where it gave none."""

    method: str
    verdict: str
    score: float | None
    reasons: tuple[str, ...]
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts:
    """What the sidecar of the mask of a cord states.

    Attributes
    ----------
    source_file : str
        Path of the source file relative to its data set.
    volume : int or None
        Number of the volume, if it is an image of its own.
    verdict : {"pass", "warn", "fail"}
        Judgement.
    reasons : tuple of Reason
        Findings and notes.
    csa_mean : float
        Mean cross-sectional area in mm², NaN when unknown.
    n_slices : int
        Slices with a mask.
    manual : bool
        Whether a person drew the mask.
    version : str or None
        Version of the app that made it.
    models : tuple of Model
        Networks.
    backend : str
        Library that computed them, empty if none is stated.
    threshold : int, float or None
        Probability from which a voxel counts as cord.
    options : mapping of str to (str, int, float, bool or None)
        Options that change results.
    is_mean : bool
        Whether volumes of a series were averaged.
    tries : tuple of Tried
        Methods that were tried.
    """

    source_file: str
    volume: int | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    csa_mean: float
    n_slices: int
    manual: bool
    version: str | None
    models: tuple[Model, ...]
    threshold: int | float | None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    is_mean: bool = False
    backend: str = ""
    tries: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFacts:
    """What the sidecar of the mask of a structure inside the cord states.

    Attributes
    ----------
    verdict : {"pass", "warn", "fail"} or None
        Judgement; None if there is none.
    reasons : tuple of Reason
        Findings.
    area_mm2, volume_mm3 : float or None
        Mean area and volume.
    n_slices, n_objects : int or None
        Slices with the structure, and its separate parts.
    models : tuple of Model
        Networks.
    """

    verdict: Verdict | None
    reasons: tuple[Reason, ...]
    area_mm2: float | None
    volume_mm3: float | None
    n_slices: int | None
    n_objects: int | None
    models: tuple[Model, ...]


def mask_facts(sidecar: Facts) -> MaskFacts:
    """Read the sidecar of the mask of a cord.

    Raises
    ------
    DamagedResultError
        If a value is missing or is none that this app writes.
    """
    judged, measures = take_mapping(sidecar, "QC"), take_mapping(sidecar, "Measures")
    makers = take_list(sidecar, "GeneratedBy") if "GeneratedBy" in sidecar else []
    options = _options(sidecar)
    return MaskFacts(
        source_file=_source(sidecar),
        volume=take_whole(sidecar, "Volume") if "Volume" in sidecar else None,
        verdict=_verdict(judged),
        reasons=_reasons(judged),
        csa_mean=math.nan
        if measures.get("MeanArea_mm2", "") is None
        else take_size(measures, "MeanArea_mm2", _MOST_MM2),
        n_slices=take_whole(measures, "Slices", _MOST_SLICES),
        manual=take_flag(sidecar, "Manual") if "Manual" in sidecar else False,
        version=next(
            (take_text(as_entry(maker), "Version") for maker in makers[:1] if "Version" in as_entry(maker)), None
        ),
        models=_models(sidecar),
        threshold=take_number(sidecar, "Threshold") if sidecar.get("Threshold") is not None else None,
        options=options,
        is_mean="VolumesUsed" in sidecar,
        backend=take_text(sidecar, "Backend") if "Backend" in sidecar else "",
        tries=tuple(_tried(as_entry(one)) for one in take_list(sidecar, "Rescue")) if "Rescue" in sidecar else (),
    )


def structure_facts(sidecar: Facts) -> StructureFacts:
    """Read the sidecar of the mask of a structure inside the cord.

    Raises
    ------
    DamagedResultError
        If a value is none that this app writes.
    """
    judged = take_mapping(sidecar, "QC") if "QC" in sidecar else {}
    measures = take_mapping(sidecar, "Measures") if "Measures" in sidecar else {}

    def known(name: str) -> bool:
        return measures.get(name) is not None

    return StructureFacts(
        verdict=_verdict(judged) if judged else None,
        reasons=_reasons(judged) if judged else (),
        area_mm2=take_size(measures, "MeanArea_mm2", _MOST_MM2) if known("MeanArea_mm2") else None,
        volume_mm3=take_size(measures, "Volume_mm3", _MOST_MM3) if known("Volume_mm3") else None,
        n_slices=take_whole(measures, "Slices", _MOST_SLICES) if known("Slices") else None,
        n_objects=take_whole(measures, "Objects") if known("Objects") else None,
        models=_models(sidecar),
    )


def source_of(sidecar: Facts) -> str | None:
    """Return the source image of a sidecar in which anything else may be wrong, None if it states none."""
    try:
        volume = take_whole(sidecar, "Volume") if "Volume" in sidecar else None
        return _source(sidecar) + ("" if volume is None else f"#{volume}")
    except DamagedResultError:
        return None


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


def _reasons(judged: Facts) -> tuple[Reason, ...]:
    """Return the findings and notes."""
    return tuple(_reason(as_entry(one)) for one in take_list(judged, "Reasons"))


def _reason(one: Facts) -> Reason:
    """Return one finding."""
    severity = take_text(one, "Severity")
    if severity not in _SEVERITIES:
        raise wrong("Severity", severity, "info, warn or fail")
    return Reason(take_text(one, "Code"), severity, take_text(one, "Message"))


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
    return Tried(take_text(one, "Method"), take_text(one, "Verdict"), score, tuple(reasons), take_flag(one, "Kept"))
