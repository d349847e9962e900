"""Read back what was written, to resume a run, to fill the tables and for the reports."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.inheritance import read_json
from bids_deepseg.bids.layout import place
from bids_deepseg.bids.naming import derivative_path, parse_name, sidecar_path
from bids_deepseg.bids.products import damaged_files, is_as_written, is_edited_mask, names_of
from bids_deepseg.bids.provenance import SOURCE_LINK, RunStamp, source_fingerprint, source_size
from bids_deepseg.bids.query import BidsImage
from bids_deepseg.bids.tables import read_columns
from bids_deepseg.files.locks import holding
from bids_deepseg.tasks import TASKS, Task

#: How long to wait for another run that writes a result: with locks, without them, and between looks.
_PATIENCE_S, _BLIND_PATIENCE_S, _PAUSE_S = 60.0, 5.0, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SavedResult:
    """The complete result of one image as it stands in the output directory.

    Attributes
    ----------
    mask : Path
        The mask; its other files stand beside it.
    entities : mapping of str to str
        Short entity keys and values of its name.
    sidecar : mapping
        Contents of the mask's JSON sidecar.
    """

    mask: Path
    entities: Mapping[str, str]
    sidecar: Mapping[str, Any]

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
        volume = self.sidecar.get("Volume")
        return self.source_file + ("" if volume is None else f"#{volume}")

    @property
    def source_file(self) -> str:
        """Path of the source file relative to its data set."""
        return str(self.sidecar["Sources"][0]).removeprefix(f"bids:{SOURCE_LINK}:")

    @property
    def verdict(self) -> str:
        """One of pass, warn and fail."""
        return str(self.sidecar["QC"]["Verdict"])

    @property
    def reasons(self) -> tuple[Mapping[str, str], ...]:
        """Findings and notes, each with ``Code``, ``Severity`` and ``Message``."""
        return tuple(self.sidecar["QC"]["Reasons"])

    @property
    def tries(self) -> tuple[Mapping[str, Any], ...]:
        """Methods that were tried where the first did not content the judge; empty for a sidecar without them."""
        tries = self.sidecar.get("Rescue")
        keys = {"Method", "Verdict", "Reasons", "Kept"}
        return (
            tuple(one for one in tries if isinstance(one, dict) and keys <= set(one)) if isinstance(tries, list) else ()
        )

    @property
    def csa_mean(self) -> float:
        """Mean cross-sectional area in mm², NaN when unknown."""
        area = self.sidecar["Measures"]["MeanArea_mm2"]
        return math.nan if area is None else float(area)

    @property
    def n_slices(self) -> int:
        """Number of slices with a mask."""
        return int(self.sidecar["Measures"]["Slices"])

    @property
    def probseg(self) -> Path | None:
        """Probability map, None when it was not asked for."""
        return self._beside("SC", "probseg.nii.gz")

    @property
    def task(self) -> Task | None:
        """What was segmented inside of the cord, None for the cord alone."""
        options = self.sidecar.get("Options")
        return TASKS.get(str(options.get("task"))) if isinstance(options, Mapping) else None

    @property
    def structure_mask(self) -> Path | None:
        """Mask of the structure inside of the cord, None without one."""
        return None if self.task is None else self._beside(self.task.label, "mask.nii.gz")

    @property
    def structure_sidecar(self) -> Mapping[str, Any]:
        """Contents of the JSON sidecar of that mask, empty without one."""
        mask = self.structure_mask
        return {} if mask is None else read_json(mask.with_name(mask.name.removesuffix(".nii.gz") + ".json"))

    def structure_morph(self) -> dict[str, NDArray[np.float64]]:
        """Read the table of measures of the structure as :meth:`morph` does; empty without one."""
        path = None if self.task is None else self._beside(self.task.label, "morph.tsv")
        return read_columns(path) if path else {}

    @property
    def centerline_mask(self) -> Path | None:
        """Centerline as an image, None when it was not asked for."""
        return self._beside("SCcenterline", "mask.nii.gz")

    @property
    def is_edited(self) -> bool:
        """Whether the mask is another one than was written: a person edited it."""
        return self.mask.name in names_of(self.sidecar) and not is_as_written(self.mask, self.sidecar)

    def morph(self) -> dict[str, NDArray[np.float64]]:
        """Read the table of measures: columns by name, NaN for ``n/a``; empty when it was not asked for."""
        path = self._beside("SC", "morph.tsv")
        return read_columns(path) if path else {}

    def centerline(self) -> NDArray[np.float64]:
        """Read the centerline, (N, 3) RAS mm; (0, 3) when it was not asked for."""
        path = self._beside("SC", "centerline.tsv")
        return np.column_stack(list(read_columns(path).values())) if path else np.empty((0, 3))

    def _beside(self, label: str, ending: str) -> Path | None:
        """Return another product of the same image if it exists, in the layout of the folder."""
        name = self.mask.name.replace("_label-SC_", f"_label-{label}_").replace("mask.nii.gz", ending)
        output_dir = self.mask.parents[3 if self.session else 2]
        path = place(output_dir, self.mask.with_name(name).relative_to(output_dir).as_posix())
        return path if path.is_file() else None


def is_current(image: BidsImage, output_dir: Path, stamp: RunStamp) -> bool:
    """Tell whether the result of an image is complete and would come out the same again.

    Parameters
    ----------
    image : BidsImage
        Source.
    output_dir : Path
        Root of the derivative data set.
    stamp : RunStamp
        App, networks and options of this run.

    Returns
    -------
    bool
        True when all products are there as they were written (a mask may be edited since then), and source, networks
        and options are those of the sidecar. The source is read only when everything else agrees.
    """
    saved = read_saved(image, output_dir)
    if saved is None or saved.sidecar.get("ConfigHash") != stamp.config_hash:
        return False
    wanted = [derivative_path(image, product) for product in stamp.products]
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
    """Read the result of one image, None when there is no complete one."""
    return _read_result(output_dir / sidecar_path(derivative_path(image, "mask")))


def read_settled(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image as :func:`read_saved`, and wait for another run that writes it at this moment."""
    return read_saved(image, output_dir) if is_there(image, output_dir) else None


def is_there(image: BidsImage, output_dir: Path) -> bool:
    """Tell whether an image has a result, after another run has written it that does so at this moment."""
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
    """Find all complete results of an output directory, sorted by path."""
    sidecars = [
        path
        for level in ("sub-*/anat", "sub-*/dwi", "sub-*/ses-*/anat", "sub-*/ses-*/dwi")
        for path in output_dir.glob(f"{level}/*_label-SC_desc-*_mask.json")
    ]
    for sidecar in sorted(sidecars):
        saved = _read_result(sidecar)
        if saved is not None:
            yield saved


def _read_result(sidecar: Path) -> SavedResult | None:
    """Read the result whose mask has this sidecar, None when it is incomplete or not of this app."""
    name = parse_name(sidecar.name)
    content = read_json(sidecar)
    mask = sidecar.with_suffix(".nii.gz")
    if name is None or not mask.is_file():
        return None
    saved = SavedResult(mask, dict(name.entities), content)
    return saved if _has_all_parts(saved) else None


def _has_all_parts(saved: SavedResult) -> bool:
    """Tell whether everything can be read; a sidecar of another program, or edited by hand, may lack something."""
    try:
        parts = [saved.subject, saved.description, saved.source, saved.verdict, saved.csa_mean, saved.n_slices]
        parts += [reason[key] for reason in saved.reasons for key in ("Code", "Severity", "Message")]
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    return None not in parts
