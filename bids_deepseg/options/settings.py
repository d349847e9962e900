"""State how images are segmented: the settings of the method, and what is known of one image.

The settings travel from the command line to the engine and from there into every stage, into the stamp that decides on
a second run, into the sidecars and into the methods text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.errors import UsageError
from bids_deepseg.structures.tasks import CORD, TASK_NAMES, TASKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CENTERLINES = ("cnn", "svm", "file", "viewer")
PROPSEG_INITS = ("optic", "hough")
KERNELS = ("2d", "3d")
BRAINS = ("auto", "yes", "no")
WEIGHTS = ("own", "sct")
METHODS = ("deepseg", "propseg")
RESCUES = ("auto", "off")
PROFILES = ("default", "sct")
QUIRKS = ("fixed", "all")

#: Word for the centerline that the method has by default.
_AUTO = "auto"

#: Word for a result that stays a probability.
SOFT = "soft"

_CHOICES = {
    "centerline": CENTERLINES,
    "kernel": KERNELS,
    "brain": BRAINS,
    "weights": WEIGHTS,
    "method": METHODS,
    "propseg_init": PROPSEG_INITS,
    "profile": PROFILES,
    "sct_quirks": QUIRKS,
    "task": TASK_NAMES,
    "rescue": RESCUES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSettings:
    """Everything the user can choose about the method; hashable, and it survives pickling.

    Attributes
    ----------
    centerline : {"cnn", "svm", "file", "viewer"}
        Where the centerline comes from: the detection network, a linear detector on gradients (OptiC), a file, or
        points that a person clicked (a file as well). ``auto`` becomes ``svm`` with PropSeg and ``cnn`` otherwise.
    kernel : {"2d", "3d"}
        Segmentation network that sees slice by slice, or stacks of slices.
    threshold : float, "soft" or None
        Probability in [0, 1] from which a voxel is cord; None for that of the network; ``soft`` takes that of the
        network and leaves the mask as it comes out, without any clean-up.
    brain : {"auto", "yes", "no"}
        Whether the image may show other things than cord above it or below it. With ``no``, all slices between the
        first and the last one that the detection network marks are kept.
    weights : {"own", "sct"}
        Networks of this package, or the published ones in ``weights_dir``.
    method : {"deepseg", "propseg"}
        Networks, or a tube along the centerline, whose border is found without a network.
    propseg_init : {"optic", "hough"}
        Where PropSeg's tube begins: on the centerline that ``centerline`` names, or on circles in the image.
    profile : {"default", "sct"}
        This package's method, or the reference method as it runs, with its published networks.
    sct_quirks : {"fixed", "all"}
        Whether known faults of the reference method are mended or repeated; of the profile ``sct`` only.
    task : str
        What is segmented inside of the cord beside it, a word of
        :data:`bids_deepseg.structures.tasks.TASK_NAMES`; ``cord`` for nothing more.
    smoothness : float or None
        Weight of the slope of the detection network's centerline; None for the default. No option sets it: the rescue
        tries another one.
    ensemble : bool
        Whether each network is asked about changed patches, too. No option sets it: the rescue does.
    view : float
        How much wider the part of the image is that a network sees than it was made for. No option sets it: the rescue
        does.
    rescue : {"auto", "off"}
        Whether other methods are tried where the judge is not content with the first.
    weights_dir : Path or None
        Folder of published networks. What decides on a result is their checksum, not the folder.
    centerline_file : Path or None
        File, or folder in which the file of each image is looked up. What decides on a result is its content.
    corrections : Path or None
        Folder in which masks and centerlines corrected by hand are looked up. What decides on a result is their
        content.

    Raises
    ------
    UsageError
        If a value is unknown, or values contradict each other.
    """

    centerline: str = _AUTO
    kernel: str = "2d"
    threshold: float | str | None = None
    brain: str = "auto"
    weights: str = "own"
    method: str = "deepseg"
    propseg_init: str = "optic"
    profile: str = "default"
    sct_quirks: str = "fixed"
    task: str = CORD
    smoothness: float | None = None
    ensemble: bool = False
    view: float = 1.0
    rescue: str = "auto"
    weights_dir: Path | None = None
    centerline_file: Path | None = None
    corrections: Path | None = None

    def __post_init__(self) -> None:
        if self.centerline == _AUTO:
            object.__setattr__(self, "centerline", "svm" if self.method == "propseg" else "cnn")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)!r}. Expected: {', '.join(known)}."
                )
        limit = self.threshold
        if not (limit is None or limit == SOFT or (isinstance(limit, float) and 0 <= limit <= 1)):
            raise UsageError(f"--threshold is {limit}. A number from 0 to 1 is expected, or the word {SOFT}.")
        given = self.centerline in ("file", "viewer")
        if given and self.centerline_file is None:
            clicks = " 'bids_deepseg viewer IMAGE' writes a page on which a person clicks it."
            raise UsageError(
                f"--centerline {self.centerline} needs --centerline-file with the centerline."
                f"{clicks if self.centerline == 'viewer' else ''}"
            )
        if not given and self.centerline_file is not None:
            raise UsageError(f"--centerline {self.centerline} and --centerline-file contradict each other. Choose one.")
        if self.brain != "auto" and self.centerline != "cnn":
            raise UsageError(
                f"--brain {self.brain} has no effect with --centerline {self.centerline}: only the detection network "
                "decides where the cord begins and ends. Leave one of them out."
            )
        self._check_propseg()
        self._check_weights()

    def _check_propseg(self) -> None:
        """Refuse what PropSeg does not look at, and what only PropSeg looks at."""
        if self.method != "propseg":
            if self.propseg_init != "optic":
                raise UsageError(
                    f"--propseg-init {self.propseg_init} is about --method propseg. Give both, or neither."
                )
            return
        unused = {
            f"--brain {self.brain}": self.brain != "auto",
            f"--kernel {self.kernel}": self.kernel != "2d",
            f"--profile {self.profile}": self.profile != "default",
        }
        for words, given in unused.items():
            if given:
                raise UsageError(f"--method propseg and {words} contradict each other. Choose one.")
        if self.propseg_init == "hough" and self.centerline_file is not None:
            raise UsageError(
                "--propseg-init hough and --centerline-file contradict each other: circles find the cord without a "
                "centerline. Choose one."
            )

    def _check_weights(self) -> None:
        """Refuse combinations of networks that do not exist."""
        if (self.weights_dir is not None) != (self.weights == "sct"):
            raise UsageError(
                "--weights sct and --weights-dir belong together: the published networks are not part of this package. "
                "Give both, or neither; 'bids_deepseg weights' tells where they are found."
            )
        if self.task in TASKS and TASKS[self.task].own_network is None and self.weights != "sct":
            raise UsageError(
                f"--task {self.task} has no network in this package: it needs published ones. Give --weights sct and "
                "--weights-dir; 'bids_deepseg weights' tells which there are."
            )
        if self.profile == "sct":
            self._check_sct()
        elif self.sct_quirks != "fixed":
            raise UsageError("--sct-quirks is about --profile sct. Give both, or neither.")
        elif self.weights == "sct" and self.kernel == "3d":
            raise UsageError("--weights sct has a --kernel 3d with --profile sct only. Choose one of them.")

    def _check_sct(self) -> None:
        """Refuse what the reference method has not."""
        if self.weights != "sct":
            raise UsageError(
                "--profile sct runs the published networks, which are not part of this package. Give their folder with "
                "--weights-dir; 'bids_deepseg weights' tells where they are found."
            )

    @property
    def is_soft(self) -> bool:
        """Tell whether the result is left as it comes out of the network."""
        return self.threshold == SOFT

    def along(self, centerline: Path) -> "MethodSettings":
        """Return the same settings with the centerline of a file."""
        return replace(self, centerline="file", brain="auto", propseg_init="optic", centerline_file=centerline)

    def facts(self) -> dict[str, str | float]:
        """Return the settings that change results and are not as by default, for stamps and sidecars; no path."""
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _PATHS}
        defaults = default_facts()
        return {name: value for name, value in found.items() if value != defaults[name]}


_PATHS = ("weights_dir", "centerline_file", "corrections")


def default_facts() -> Mapping[str, str | None]:
    """Return the defaults of the settings that change results."""
    defaults = MethodSettings()
    return {field.name: getattr(defaults, field.name) for field in fields(defaults) if field.name not in _PATHS}


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """What is known of one image beside its voxels.

    Attributes
    ----------
    contrast : str or None
        t1, t2, t2s or dwi; None if unknown. Only methods with models per contrast need it.
    points_mm : (N, 3) float array or None
        Points of a given centerline in RAS+ mm.
    """

    contrast: str | None = None
    points_mm: "NDArray[np.float64] | None" = None
