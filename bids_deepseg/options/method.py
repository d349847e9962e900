"""Declare the options of the method: how images are segmented.

Most stand for an option of ``sct_deepseg_sc``; ``docs/reference-options.md`` has the table. The settings travel from
the command line to the engine and from there into every stage, into the cache key that decides on a second run, into
the sidecars and into the methods text.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from bids_deepseg.options.combinations import check_combinations, existing_corrections
from bids_deepseg.options.declare import check_choices, setting
from bids_deepseg.options.values import SOFT, parse_threshold
from bids_deepseg.structures.tasks import CORD, TASK_NAMES, TASKS

#: Word for the centerline that the method has by default.
_AUTO = "auto"

_Value = TypeVar("_Value")

_STRUCTURES = ", ".join(f"{task.noun} (`{task.name}`)" for task in TASKS.values())


def _setting(usual: _Value, /, name: str, **more: Any) -> _Value:
    """Return a field that an option of the method sets."""
    return setting(usual, name, group="method", **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSettings:
    """Everything the user can choose about the method; hashable, and it survives pickling.

    The metadata of a field tells what it is; values that need no text of their own are explained there. Those without
    metadata are set by no option: the rescue does.

    Attributes
    ----------
    threshold : float, "soft" or None
        Probability in [0, 1] from which a voxel is cord; None for that of the network; ``soft`` takes that of the
        network and leaves the mask as it comes out, without any clean-up.
    brain : {"auto", "yes", "no"}
        With ``no``, all slices between the first and the last one that the detection network marks are kept.
    smoothness : float or None
        Weight of the slope of the detection network's centerline; None for the default.
    ensemble : bool
        Whether each network is asked about changed patches, too.
    view : float
        How much wider the part of the image is that a network sees than it was made for.
    weights_dir, centerline_file, corrections : Path or None
        What decides on a result is the content of their files, not the path.

    Raises
    ------
    UsageError
        If a value is unknown, or values contradict each other.
    """

    task: str = _setting(
        CORD,
        "--task",
        choices=TASK_NAMES,
        help=f"what to segment inside the cord, in addition to it: nothing (`cord`, the default), {_STRUCTURES}",
        more="Lesions need published networks. See [tasks](tasks.md).",
    )
    centerline: str = _setting(
        _AUTO,
        "--centerline",
        choices=("cnn", "svm", "file", "viewer"),
        help="how the centerline is found: by the detection network (`cnn`, the default), by gradients and OptiC "
        "(`svm`, the default of `--profile sct` and `--method propseg`), or given by you as a mask or points "
        "(`file`) or as clicked points (`viewer`; see 'bids_deepseg viewer --help')",
        more="For this option and the next six, see [reference-options.md](reference-options.md).",
    )
    centerline_file: Path | None = _setting(
        None,
        "--centerline-file",
        kind=Path,
        metavar="PATH",
        replaces="--centerline",
        help="your centerline: a mask with one voxel per slice, or points (CSV, TSV), on any grid; for a data set, "
        "a folder with the centerline of each image under its name",
    )
    kernel: str = _setting(
        "2d",
        "--kernel",
        choices=("2d", "3d"),
        help="segmentation network that sees single slices (`2d`, the default) or stacks of slices (`3d`)",
    )
    threshold: float | str | None = _setting(
        None,
        "--threshold",
        metavar="P",
        read=parse_threshold,
        write=lambda threshold: None if threshold is None else str(threshold),
        help=f"probability (0 to 1) from which a voxel counts as cord, or `{SOFT}`: the probability is the result, "
        "and the mask is not cleaned up",
        default="that of the network",
    )
    brain: str = _setting(
        "auto",
        "--brain",
        choices=("auto", "yes", "no"),
        help="whether the image may show something beyond the cord, such as brain (`auto` and `yes`), or not "
        "(`no`: everything between the first and the last slice with cord is kept)",
    )
    weights: str = _setting(
        "own",
        "--weights",
        choices=("own", "sct"),
        help="networks of this package (`own`, the default) or the published ones of `--weights-dir` (`sct`)",
    )
    weights_dir: Path | None = _setting(
        None,
        "--weights-dir",
        kind=Path,
        metavar="DIR",
        replaces="--weights",
        help="folder of published networks; see 'bids_deepseg weights'",
    )
    border: str = _setting(
        "image",
        "--border",
        choices=("image", "network"),
        help="outline of the cord where the image shows its border (`image`), which makes areas of all contrasts "
        "alike, or where the network draws it (`network`)",
        more="See [method](method.md#4-probability-and-mask).",
    )
    rescue: str = _setting(
        "auto",
        "--rescue",
        choices=("auto", "off"),
        help="what to do about a doubtful result: try other methods and keep the result that the judge scores best "
        "(`auto`, the default), or keep it as it is (`off`); what was tried is recorded",
        more="See [rescue](rescue.md).",
    )
    method: str = _setting(
        "deepseg",
        "--method",
        choices=("deepseg", "propseg"),
        help="networks (`deepseg`, the default), or a tube along the cord whose border is found without a network "
        "(`propseg`)",
        more="See [propseg.md](propseg.md).",
    )
    propseg_init: str = _setting(
        "optic",
        "--propseg-init",
        choices=("optic", "hough"),
        help="with `--method propseg`: begin on the centerline (`optic`, the default), which is that by gradients "
        "and OptiC unless `--centerline` names another one, or on circles in the image (`hough`)",
    )
    profile: str = _setting(
        "default",
        "--profile",
        choices=("default", "sct"),
        help="the method of this package (`default`), or the reference method with its published networks from "
        "`--weights-dir` (`sct`)",
        more="See [sct-profile.md](sct-profile.md).",
    )
    sct_quirks: str = _setting(
        "fixed",
        "--sct-quirks",
        choices=("fixed", "all"),
        help="with `--profile sct`: fix the faults of the reference that only do harm (`fixed`, the default), or "
        "repeat all of them (`all`)",
    )
    smoothness: float | None = None
    ensemble: bool = False
    view: float = 1.0
    corrections: Path | None = _setting(
        None,
        "--corrections",
        kind=Path,
        metavar="DIR",
        read=existing_corrections,
        help="folder with masks and centerlines corrected by hand; each replaces the automatic one for its image "
        "([docs/corrections.md](corrections.md))",
    )

    def __post_init__(self) -> None:
        if self.centerline == _AUTO:
            object.__setattr__(self, "centerline", "svm" if self.method == "propseg" else "cnn")
        check_choices(self)
        check_combinations(self)

    @property
    def is_soft(self) -> bool:
        """Return whether the result is left as it comes out of the network."""
        return self.threshold == SOFT

    def along(self, centerline: Path) -> "MethodSettings":
        """Return the same settings with the centerline of a file."""
        return replace(self, centerline="file", brain="auto", propseg_init="optic", centerline_file=centerline)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "MethodSettings":
        """Return the settings with these values and what they imply."""
        return cls(**{**values, **cls.implied(values)})

    @staticmethod
    def implied(values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what options say about others that were not given."""
        implied: dict[str, Any] = {}
        if "centerline" not in values and values.get("centerline_file"):
            implied["centerline"] = "file"
        elif "centerline" not in values and values.get("profile") == "sct":
            implied["centerline"] = "svm"
        if "weights" not in values and values.get("weights_dir"):
            implied["weights"] = "sct"
        return implied

    def facts(self) -> dict[str, str | float]:
        """Return the settings that change results and are not as by default, for cache keys and sidecars; no path."""
        return {name: getattr(self, name) for name, usual in default_facts().items() if getattr(self, name) != usual}


def default_facts() -> Mapping[str, Any]:
    """Return the defaults of the settings that change results; a path does not, the content of its files does."""
    usual = MethodSettings()
    return {each.name: getattr(usual, each.name) for each in fields(MethodSettings) if _kind(each) is not Path}


def _kind(each: Field[Any]) -> Callable[[str], Any] | None:
    """Return what the values of a field are made by; None if no option sets it."""
    return next((option.kind for option in each.metadata.values()), None)
