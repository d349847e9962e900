"""Hold the complete result of one image as it is in the output directory, or say what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.derivatives.products import is_as_written, names_of
from bids_deepseg.bids.derivatives.saved_facts import (
    MaskFacts,
    Reason,
    StructureFacts,
    Tried,
    Verdict,
    mask_facts,
    structure_facts,
)
from bids_deepseg.bids.derivatives.saved_tables import Columns, read_morph, read_points
from bids_deepseg.bids.naming import sidecar_name
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts
from bids_deepseg.files.structured import read_strict_json
from bids_deepseg.files.text import TextError
from bids_deepseg.structures.tasks import TASKS, Task


@dataclass(frozen=True, slots=True, eq=False)
class SavedResult:
    """The complete result of one image as it is in the output directory.

    Attributes
    ----------
    mask : Path
        The mask; its other files are beside it.
    entities : mapping of str to str
        Short entity keys and values of its name.
    sidecar : mapping
        Contents of the mask's JSON sidecar.
    facts : MaskFacts
        What it states.

    Raises
    ------
    DamagedResultError
        If the sidecar is not as this app writes it.
    """

    mask: Path
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
        return self.mask.name.partition(".")[0]

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
    def reasons(self) -> tuple[Reason, ...]:
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
        return self._beside("SC", "probseg.nii.gz")

    @property
    def task(self) -> Task | None:
        """What was segmented inside the cord, None for the cord alone."""
        return TASKS.get(str(self.facts.options.get("task")))

    @property
    def structure_mask(self) -> Path | None:
        """Mask of the structure inside the cord, None without one."""
        return None if self.task is None else self._beside(self.task.label, "mask.nii.gz")

    def structure(self) -> StructureFacts | None:
        """Read the sidecar of that mask; None without one.

        Raises
        ------
        DamagedResultError
            If it cannot be read; as all methods below.
        """
        mask = self.structure_mask
        if mask is None:
            return None
        sidecar = mask.with_name(sidecar_name(mask.name))
        return structure_facts(read_sidecar(sidecar)) if sidecar.exists() else structure_facts({})

    def structure_morph(self) -> Columns:
        """Read the table of measures of the structure as :meth:`morph` does; empty without one."""
        path = None if self.task is None else self._beside(self.task.label, "morph.tsv")
        return read_morph(path) if path else {}

    @property
    def centerline_mask(self) -> Path | None:
        """Centerline as an image, None when it was not asked for."""
        return self._beside("SCcenterline", "mask.nii.gz")

    def morph(self) -> Columns:
        """Read the table of measures once: columns by name, NaN for ``n/a``; empty when it was not asked for."""
        if not self._morph:
            self._morph.append(self._read_morph())
        return self._morph[0]

    def _read_morph(self) -> Columns:
        """Read the table of measures."""
        path = self._beside("SC", "morph.tsv")
        if path is None:
            listed = names_of(self.sidecar)
            if listed and self.name.removesuffix("mask") + "morph.tsv" not in listed:
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
        path = self._beside("SC", "centerline.tsv")
        return read_points(path) if path else np.empty((0, 3))

    def _beside(self, label: str, ending: str) -> Path | None:
        """Return another product of the same image if it exists, in the layout of the folder."""
        name = self.mask.name.replace("_label-SC_", f"_label-{label}_").replace("mask.nii.gz", ending)
        output_dir = self.mask.parents[3 if self.session else 2]
        path = place(output_dir, self.mask.with_name(name).relative_to(output_dir).as_posix())
        return path if path.exists() or path.is_symlink() else None


@dataclass(frozen=True, slots=True)
class DamagedResult:
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
    def subject(self) -> str:
        """Label without ``sub-``."""
        return self.entities["sub"]

    @property
    def session(self) -> str | None:
        """Label without ``ses-``."""
        return self.entities.get("ses")

    @property
    def description(self) -> str:
        """Value of ``desc``."""
        return self.entities["desc"]

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
