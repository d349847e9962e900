"""List the options of the method, and turn their values into settings.

Each stands for an option of ``sct_deepseg_sc``; ``docs/reference-options.md`` has the table.
"""

import argparse
from pathlib import Path
from typing import Any

from bids_deepseg.errors import UsageError
from bids_deepseg.options.declare import Option, choice
from bids_deepseg.options.settings import (
    BRAINS,
    CENTERLINES,
    KERNELS,
    METHODS,
    PROFILES,
    PROPSEG_INITS,
    QUIRKS,
    RESCUES,
    SOFT,
    WEIGHTS,
    MethodSettings,
)
from bids_deepseg.structures.tasks import TASK_NAMES, TASKS


def method_options() -> tuple[Option, ...]:
    """Return the options that choose how images are segmented."""
    return (*_steps(), *_variants())


def _steps() -> tuple[Option, ...]:
    """Return the options about the steps of the method."""
    structures = ", ".join(f"{task.noun} ({task.name})" for task in TASKS.values())
    return (
        choice(
            "--task",
            choices=TASK_NAMES,
            group="method",
            text=f"what to segment beside the cord and inside of it: nothing (cord, the default), {structures}",
        ),
        Option(
            ("--centerline",),
            "method",
            "centerline by the detection network (cnn, the default), by gradients and OptiC (svm, the default of "
            "--profile sct and --method propseg), or given by a person: a mask or points (file), clicked points "
            "(viewer; see 'bids_deepseg viewer --help')",
            settings={"choices": CENTERLINES},
        ),
        Option(
            ("--centerline-file",),
            "method",
            "centerline that a person gave: a mask, one voxel per slice, or points (CSV, TSV), on any grid; for a data "
            "set a folder, in which that of each image is looked up by its name",
            settings={"metavar": "PATH", "type": Path},
        ),
        choice(
            "--kernel",
            choices=KERNELS,
            group="method",
            text="segmentation network that sees slice by slice (2d, the default) or stacks of slices (3d)",
        ),
        Option(
            ("--threshold",),
            "method",
            f"probability from 0 to 1 from which a voxel is cord (default: that of the network), or {SOFT}: the "
            "probability is the result, and the mask is left without clean-up",
            settings={"metavar": "P"},
        ),
        choice(
            "--brain",
            choices=BRAINS,
            group="method",
            text="whether something other than cord may follow it in the image, such as brain (auto and yes), or not "
            "(no: everything between the first and the last slice with cord is kept)",
        ),
        choice(
            "--weights",
            choices=WEIGHTS,
            group="method",
            text="networks of this package (own, the default) or the published ones of --weights-dir (sct)",
        ),
        Option(
            ("--weights-dir",),
            "method",
            "folder of published networks; see 'bids_deepseg weights'",
            settings={"metavar": "DIR", "type": Path},
        ),
    )


def _variants() -> tuple[Option, ...]:
    """Return the options about other methods and about what a person corrected."""
    return (
        choice(
            "--rescue",
            choices=RESCUES,
            group="method",
            text="what to do where something speaks against a result: try other methods and keep the best by the same "
            "judge (auto, the default), or leave it (off); what was tried is written down",
        ),
        choice(
            "--method",
            choices=METHODS,
            group="method",
            text="networks (deepseg, the default), or a tube along the cord whose border is found without a network "
            "(propseg)",
        ),
        choice(
            "--propseg-init",
            choices=PROPSEG_INITS,
            group="method",
            text="with --method propseg: begin on the centerline (optic, the default), which is that by gradients and "
            "OptiC unless --centerline names another one, or on circles in the image (hough)",
        ),
        choice(
            "--profile",
            choices=PROFILES,
            group="method",
            text="the method of this package (default), or the reference method as it runs, with its published "
            "networks from --weights-dir (sct)",
        ),
        choice(
            "--sct-quirks",
            choices=QUIRKS,
            group="method",
            text="with --profile sct: mend those faults of the reference that only do harm (fixed, the default), or "
            "repeat all",
        ),
        Option(
            ("--corrections",),
            "method",
            "folder with masks and centerlines that were corrected by hand; each replaces the automatic one of its "
            "image (docs/corrections.md)",
            settings={"metavar": "DIR", "type": Path},
        ),
    )


def settings_of(found: argparse.Namespace) -> MethodSettings:
    """Return the settings that the values of the options stand for.

    Raises
    ------
    UsageError
        If they contradict each other.
    """
    return MethodSettings(
        task=found.task,
        centerline=_centerline(found),
        centerline_file=found.centerline_file,
        kernel=found.kernel,
        threshold=parse_threshold(found.threshold),
        brain=found.brain,
        method=found.method,
        propseg_init=found.propseg_init,
        profile=found.profile,
        sct_quirks=found.sct_quirks,
        weights="sct" if found.weights == "own" and found.weights_dir else found.weights,
        weights_dir=found.weights_dir,
        rescue=found.rescue,
        corrections=_existing(found.corrections),
    )


def _centerline(found: argparse.Namespace) -> str:
    """Return where the centerline comes from: a file says it by itself, and some methods have another default."""
    if found.centerline is None:
        by_default = "svm" if found.profile == "sct" or found.method == "propseg" else "cnn"
        return "file" if found.centerline_file else by_default
    return str(found.centerline)


def _existing(corrections: Path | None) -> Path | None:
    """Return the folder of corrections, which must be there: one that is not would pass for one without corrections."""
    if corrections is not None and not corrections.is_dir():
        raise UsageError(f"The folder of --corrections {corrections} does not exist. Correct its name.")
    return corrections


def parse_threshold(text: str | None) -> float | str | None:
    """Turn the text of ``--threshold`` into a number, ``soft`` or None.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if text is None or text.lower() == SOFT:
        return None if text is None else SOFT
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"--threshold is {text!r}. A number from 0 to 1 is expected, or the word {SOFT}.") from error


def config_values(settings: MethodSettings) -> dict[str, Any]:
    """Return the values of the options for a configuration file; None where an option has no value."""
    place, folder, threshold = settings.centerline_file, settings.weights_dir, settings.threshold
    return {
        "task": settings.task,
        "centerline": settings.centerline,
        "centerline_file": place and str(place.absolute()),
        "kernel": settings.kernel,
        "threshold": None if threshold is None else str(threshold),
        "brain": settings.brain,
        "method": settings.method,
        "propseg_init": settings.propseg_init,
        "profile": settings.profile,
        "sct_quirks": settings.sct_quirks,
        "weights": settings.weights,
        "rescue": settings.rescue,
        "weights_dir": folder and str(folder.absolute()),
        "corrections": settings.corrections and str(settings.corrections.absolute()),
    }
