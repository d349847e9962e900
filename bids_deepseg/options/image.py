"""Declare the options of one image: those that every run has, and those of ``bids_deepseg segment``."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.options.declare import option, switch
from bids_deepseg.options.method import MethodSettings

CONTRASTS = ("auto", "t1", "t2", "t2s", "dwi")
DEVICES = ("cpu", "gpu", "auto")
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

    contrast: str = field(
        default="auto",
        metadata=option(
            "--contrast",
            group="reading",
            choices=CONTRASTS,
            help="contrast that is recorded with the results",
            default="`auto`, from the suffix",
            more="The networks of this package are the same for all.",
        ),
    )
    volume: str = field(
        default="auto",
        metadata=option(
            "--volume",
            group="reading",
            metavar="VOLUME",
            help="what to segment of an anatomical file with several volumes: `mean`, `first`, number of one from 0, "
            "or `each`",
            default="mean of T2starw, T2star and MEGRE, first of others",
            more="See [inputs](inputs.md#anatomical-series).",
        ),
    )
    settings: MethodSettings = field(default_factory=MethodSettings)
    n_cpus: int | None = field(
        default=None,
        metadata=option(
            *("--n-cpus", "--nprocs", "--nthreads", "--n-procs"),
            group="resources",
            kind=int,
            metavar="N",
            help="processors of the whole run",
            default="all that it may use",
        ),
    )
    omp_nthreads: int | None = field(
        default=None,
        metadata=option(
            "--omp-nthreads",
            group="resources",
            kind=int,
            metavar="N",
            help="threads for one image",
            default="at most 2",
        ),
    )
    work_dir: Path | None = field(
        default=None,
        metadata=option(
            *("--work-dir", "-w"),
            group="resources",
            kind=Path,
            metavar="DIR",
            help="folder for temporary files, removed at the end",
            default="`$TMPDIR`, `/tmp` or the output folder",
        ),
    )
    keep_work: bool = field(
        default=False,
        metadata=switch("--keep-work", group="resources", help="leave the temporary files at the end"),
    )
    low_memory: bool = field(
        default=False,
        metadata=switch(
            "--low-mem",
            group="resources",
            help="less memory, slower: one image and one patch at a time",
            more="See [below](#processors-and-memory).",
        ),
    )
    device: str = field(
        default="cpu",
        metadata=option(
            "--device",
            group="resources",
            choices=DEVICES,
            help="where the networks run: `cpu` gives the same bytes everywhere, `auto` takes a GPU if there is one",
            more="`gpu` without a GPU is an error.",
        ),
    )
    probseg: bool = field(
        default=True,
        metadata=switch("--no-probseg", value=False, group="outputs", help="write no map of the probability"),
    )
    centerline: bool = field(
        default=True,
        metadata=switch("--no-centerline", value=False, group="outputs", help="write no centerline"),
    )
    verbosity: int = field(
        default=0,
        metadata=option(
            *("--verbose", "-v"),
            group="other",
            count="none",
            repeatable=True,
            write=lambda verbosity: max(0, verbosity),
            help="say more; twice for everything",
        )
        | switch("--quiet", "-q", value=-1, group="other", help="print warnings and the summary only"),
    )
    debug: bool = field(
        default=False,
        metadata=switch(
            "--debug",
            group="other",
            help="show where errors happen in the code, keep temporary files",
            more="Crash files then hold the traceback of every error.",
        ),
    )

    def __post_init__(self) -> None:
        if self.volume not in VOLUMES and not re.fullmatch("[0-9]{1,9}", self.volume):
            raise UsageError(f"--volume is {self.volume!r}. Choose from: mean, first, each, or a number from 0.")
        for name, count in (("--n-cpus", self.n_cpus), ("--omp-nthreads", self.omp_nthreads)):
            if count is not None and count < 1:
                raise UsageError(f"{name} is {count}. A number of at least 1 is expected.")
        if self.settings.is_soft and not self.probseg:
            raise UsageError("--threshold soft makes the probability the result. Leave out --no-probseg.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions(ImageOptions):
    """Options of ``bids_deepseg segment``, for one image outside of any data set."""

    path: Path = field(metadata=option("image", kind=Path, metavar="IMAGE", help="NIfTI image, .nii or .nii.gz"))
    output_dir: Path = field(
        default=Path(),
        metadata=option(
            *("--output", "-o"),
            group="image",
            kind=Path,
            metavar="DIR",
            help="folder of the results",
            default="the current one",
        ),
    )
    force: bool = field(
        default=False,
        metadata=switch(
            "--force", group="image", help="replace an earlier result; if the image fails now, that is gone"
        ),
    )
    report: bool = field(default=True, metadata=switch("--no-report", value=False, group="image", help="write no page"))

    @property
    def stem(self) -> str:
        """Name of the image without ``.nii`` or ``.nii.gz``, which all results begin with."""
        return self.path.name.removesuffix(".gz").removesuffix(".nii")
