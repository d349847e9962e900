"""Declare the options of one image: those that every run has, and those of ``bids_deepseg segment``."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.options.declare import flag, option, setting, switch
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.options.page import PageOptions

CONTRASTS = ("auto", "t1", "t2", "t2s", "dwi")
DEVICES = ("cpu", "gpu", "auto")
BACKENDS = ("auto", "tensorflow", "openvino")
VOLUMES = ("auto", "mean", "first", "each")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """Options that mean the same for a data set and for one image; an option declared here is one of both commands.

    The metadata of a field tells what it is; values that need no text of their own are explained there.

    Attributes
    ----------
    contrast : str
        Contrast that is recorded, ``auto`` for that of the suffix.
    volume : {"auto", "mean", "first", "each"} or str
        What is segmented of an anatomical series; a number is that of a volume, from 0.
    settings : MethodSettings
        How images are segmented.
    verbosity : int
        -1 (quiet) to 2 (everything).

    Raises
    ------
    UsageError
        If a value is wrong, or values contradict each other.
    """

    contrast: str = setting(
        "auto",
        "--contrast",
        group="reading",
        choices=CONTRASTS,
        help="contrast that is recorded with the results",
        default="`auto`, from the suffix",
        more="The networks of this package are the same for all contrasts.",
    )
    volume: str = setting(
        "auto",
        "--volume",
        group="reading",
        metavar="VOLUME",
        help="what to segment in a file with several volumes: `mean`, `first`, the number of a volume "
        "(from 0), or `each`",
        default="the mean for T2starw, T2star, MEGRE and bold, the first for others",
        more="See [inputs](inputs.md#anatomical-series).",
    )
    settings: MethodSettings = field(default_factory=MethodSettings)
    n_cpus: int | None = setting(
        None,
        *("--n-cpus", "--nprocs", "--nthreads", "--n-procs"),
        group="resources",
        kind=int,
        metavar="N",
        help="processors for the whole run",
        default="all that are available to it",
    )
    omp_nthreads: int | None = setting(
        None,
        "--omp-nthreads",
        group="resources",
        kind=int,
        metavar="N",
        help="threads for one image",
        default="at most 2",
    )
    work_dir: Path | None = setting(
        None,
        *("--work-dir", "-w"),
        group="resources",
        kind=Path,
        metavar="DIR",
        help="folder for temporary files, removed at the end",
        default="`$TMPDIR`, `/tmp` or the output folder",
    )
    keep_work: bool = flag("--keep-work", group="resources", help="keep the temporary files at the end")
    low_memory: bool = flag(
        "--low-mem",
        group="resources",
        help="use less memory but more time: one image and one patch at a time",
        more="See [below](#processors-and-memory).",
    )
    device: str = setting(
        "cpu",
        "--device",
        group="resources",
        choices=DEVICES,
        help="where the networks run: `cpu` gives the same bytes everywhere, `auto` uses a GPU if there is one",
        more="`gpu` is an error if there is no GPU.",
    )
    backend: str = setting(
        "auto",
        "--backend",
        group="resources",
        choices=BACKENDS,
        help="library that computes the networks: `auto` takes that of the variable `KERAS_BACKEND`, else OpenVINO "
        "if it is installed, else TensorFlow",
        more="Only TensorFlow uses a GPU. See [below](#backends).",
    )
    probseg: bool = flag(
        "--no-probseg",
        value=False,
        group="outputs",
        help="do not write probabilities, nor the heat of the detection network",
    )
    centerline: bool = flag(
        "--no-centerline",
        value=False,
        group="outputs",
        help="do not write the centerline, nor the heat of the detection network",
    )
    verbosity: int = field(
        default=0,
        metadata=option(
            *("--verbose", "-v"),
            group="other",
            count="none",
            repeatable=True,
            write=lambda verbosity: max(0, verbosity),
            help="print more; give it twice to print everything",
        )
        | switch("--quiet", "-q", value=-1, group="other", help="print only warnings and the summary"),
    )
    debug: bool = flag(
        "--debug",
        group="other",
        help="show where in the code errors happen, and keep temporary files",
        more="Crash files then contain the traceback of every error.",
    )

    def __post_init__(self) -> None:
        if self.volume not in VOLUMES and not re.fullmatch("[0-9]{1,9}", self.volume):
            raise UsageError(f"--volume is {self.volume!r}. Choose from: mean, first, each, or a number from 0.")
        for name, count in (("--n-cpus", self.n_cpus), ("--omp-nthreads", self.omp_nthreads)):
            if count is not None and count < 1:
                raise UsageError(f"{name} is {count}. A number of at least 1 is expected.")
        if self.device == "gpu" and self.backend == "openvino":
            raise UsageError("--device gpu needs TensorFlow. Leave out --backend openvino, or choose --device cpu.")
        if self.settings.is_soft and not self.probseg:
            raise UsageError("With --threshold soft, the probability is the result. Leave out --no-probseg.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions(ImageOptions):
    """Options of ``bids_deepseg segment``, for one image outside any data set."""

    path: Path = field(metadata=option("image", kind=Path, metavar="IMAGE", help="NIfTI image, .nii or .nii.gz"))
    output_dir: Path = setting(
        Path(),
        *("--output", "-o"),
        group="image",
        kind=Path,
        metavar="DIR",
        help="folder for the results",
        default="the current folder",
    )
    force: bool = flag(
        "--force", group="image", help="replace an earlier result; if the image fails now, the earlier one is lost"
    )
    page: PageOptions = field(default_factory=PageOptions)
    report: bool = flag("--no-report", value=False, group="image", help="do not write the HTML page")

    @property
    def stem(self) -> str:
        """Name of the image without ``.nii`` or ``.nii.gz``, which all results begin with."""
        return self.path.name.removesuffix(".gz").removesuffix(".nii")
