"""Gather what the page of a participant states about how a result was made, from the sidecar of its mask."""

from typing import cast

from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.files.facts import mapping_of, mappings_of, text_mapping_of, text_of
from bids_deepseg.stages.findings import Finding, Severity


def reasons_of(saved: SavedResult) -> tuple[Finding, ...]:
    """Return the reasons of the verdict, and notes."""
    return tuple(Finding(one.code, cast("Severity", one.severity), one.message) for one in saved.reasons)


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
