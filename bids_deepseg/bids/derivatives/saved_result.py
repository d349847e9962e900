"""Hold the complete result of one image as it is in the output directory, or say what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.products import is_as_written, names_of
from bids_deepseg.bids.derivatives.saved_facts import (
    MaskFacts,
    StructureFacts,
    Tried,
    mask_facts,
    structure_facts,
)
from bids_deepseg.bids.derivatives.saved_values import Columns, read_morph, read_points
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts
from bids_deepseg.files.structured import read_strict_json
from bids_deepseg.files.text import TextError
from bids_deepseg.stages.findings import Finding, Verdict
from bids_deepseg.structures.tasks import TASKS, Task


class _Labelled:
    """What the name of a result says; ``entities`` are its short keys and values."""

    __slots__ = ()
    entities: Mapping[str, str]

    @property
    def subject(self) -> str:
        """Label without ``sub-``."""
        return self.entities["sub"]

    @property
    def session(self) -> str | None:
        """Label without ``ses-``."""
        return self.entities.get("ses")

    @property
    def description(self) -> str:
        """Value of ``desc``: suffix and folded entities of the source."""
        return self.entities["desc"]


@dataclass(frozen=True, slots=True, eq=False)
class SavedResult(_Labelled):
    """The complete result of one image as it is in the output directory.

    Attributes
    ----------
    files : ResultFiles
        Where its files are.
    entities : mapping of str to str
        Short entity keys and values of the mask's name; empty outside a data set.
    sidecar : mapping
        Contents of the mask's JSON sidecar.
    facts : MaskFacts
        What it states.

    Raises
    ------
    DamagedResultError
        If the sidecar is not as this app writes it.
    """

    files: ResultFiles
    entities: Mapping[str, str]
    sidecar: Mapping[str, Any]
    facts: MaskFacts = field(init=False)
    #: The table of measures once it was read: the group level needs it for each of its tables.
    _morph: list[Columns] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", mask_facts(self.sidecar))

    @property
    def name(self) -> str:
        """Name of the mask without extension."""
        return self.mask.name.removesuffix(".nii.gz")

    @property
    def mask(self) -> Path:
        """The mask of the cord."""
        return self.files.path("mask")

    @property
    def source(self) -> str:
        """Source image as in :attr:`BidsImage.key`: its path relative to its data set, and the volume if it is one."""
        volume = self.facts.volume
        return self.source_file + ("" if volume is None else f"#{volume}")

    @property
    def source_file(self) -> str:
        """Path of the source file relative to its data set."""
        return self.facts.source_file

    @property
    def verdict(self) -> Verdict:
        """One of pass, warn and fail."""
        return self.facts.verdict

    @property
    def reasons(self) -> tuple[Finding, ...]:
        """Findings and notes."""
        return self.facts.reasons

    @property
    def tries(self) -> tuple[Tried, ...]:
        """Methods that were tried where the first did not content the judge; empty for a sidecar without them."""
        return self.facts.tries

    @property
    def csa_mean(self) -> float:
        """Mean cross-sectional area in mm², NaN when unknown."""
        return self.facts.csa_mean

    @property
    def n_slices(self) -> int:
        """Number of slices with a mask."""
        return self.facts.n_slices

    @property
    def is_edited(self) -> bool:
        """Whether the mask is another one than was written: a person edited it."""
        return self.mask.name in names_of(self.sidecar) and not is_as_written(self.mask, self.sidecar)

    @property
    def probseg(self) -> Path | None:
        """Probability map, None when it was not asked for."""
        return self.files.find("probseg")

    @property
    def heatmap(self) -> Path | None:
        """What the detection network saw, None without it."""
        return self.files.find("heatmap")

    @property
    def task(self) -> Task | None:
        """What was segmented inside the cord, None for the cord alone."""
        return TASKS.get(str(self.facts.options.get("task")))

    @property
    def structure_mask(self) -> Path | None:
        """Mask of the structure inside the cord, None without one."""
        return None if self.task is None else self.files.find(self.task.products[2])

    def structure(self) -> StructureFacts | None:
        """Read the sidecar of that mask; None without one.

        Raises
        ------
        DamagedResultError
            If it cannot be read; as all methods below.
        """
        if self.task is None or self.structure_mask is None:
            return None
        sidecar = self.files.sidecar(self.task.products[2])
        return structure_facts(read_sidecar(sidecar)) if sidecar.exists() else structure_facts({})

    def structure_morph(self) -> Columns:
        """Read the table of measures of the structure as :meth:`morph` does; empty without one."""
        path = None if self.task is None else self.files.find(self.task.products[1])
        return read_morph(path) if path else {}

    @property
    def centerline_mask(self) -> Path | None:
        """Centerline as an image, None when it was not asked for."""
        return self.files.find("centerline_mask")

    def morph(self) -> Columns:
        """Read the table of measures once: columns by name, NaN for ``n/a``; empty when it was not asked for."""
        if not self._morph:
            self._morph.append(self._read_morph())
        return self._morph[0]

    def _read_morph(self) -> Columns:
        """Read the table of measures."""
        path = self.files.find("morph")
        if path is None:
            listed = names_of(self.sidecar)
            if listed and self.files.path("morph").name not in listed:
                return {}
            raise DamagedResultError("its table of measures (morph.tsv) is not there")
        table = read_morph(path)
        present = int(np.isfinite(table["area_mm2"]).sum())
        if present != self.n_slices:
            raise DamagedResultError(
                f"{path.name} has {present} slices with a mask, the sidecar of the mask states {self.n_slices}"
            )
        return table

    def centerline(self) -> NDArray[np.float64]:
        """Read the centerline, (N, 3) RAS mm; (0, 3) when it was not asked for."""
        path = self.files.find("centerline_tsv")
        return read_points(path) if path else np.empty((0, 3))


@dataclass(frozen=True, slots=True)
class DamagedResult(_Labelled):
    """A result that was damaged or changed, so that it cannot be used.

    Attributes
    ----------
    mask : Path
        Where its mask is, or should be.
    entities : mapping of str to str
        Short entity keys and values of its name.
    known_source : str or None
        Source image as in :attr:`BidsImage.key`, if its sidecar still states it.
    problem : str
        What is wrong.
    """

    mask: Path
    entities: Mapping[str, str]
    known_source: str | None
    problem: str

    @property
    def place(self) -> str:
        """Path of the mask relative to the output directory."""
        return "/".join(self.mask.parts[-4 if self.session else -3 :])

    @property
    def source(self) -> str:
        """Source image; where it is not known, the mask."""
        return self.known_source or self.place

    @property
    def message(self) -> str:
        """What happened and what to do."""
        return (
            f"The result {self.place} is damaged or was changed: {self.problem}. It was left out. Run the participant "
            "level again to replace it."
        )


def check_tables(saved: SavedResult) -> SavedResult | DamagedResult:
    """Read the tables and further sidecars of a result once; return it, or what is wrong with it."""
    try:
        for read in (saved.morph, saved.centerline, saved.structure_morph, saved.structure):
            read()
    except DamagedResultError as error:
        return DamagedResult(saved.mask, dict(saved.entities), saved.source, str(error))
    return saved


def read_sidecar(path: Path) -> Facts:
    """Read a sidecar that this app wrote.

    Raises
    ------
    DamagedResultError
        If it is not there, cannot be read, or holds what this app does not write.
    """
    try:
        return read_strict_json(path)
    except FileNotFoundError as error:
        raise DamagedResultError(f"{path.name} is not there") from error
    except TextError as error:
        raise DamagedResultError(f"{path.name} cannot be read: {error}") from error
