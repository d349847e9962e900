"""Declare the options that choose images of a data set.

Labels are stored without their prefix (``01``, not ``sub-01``) and in the order in which they were given.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bids_deepseg.options.declare import flag, option, setting, switch
from bids_deepseg.options.image import ImageOptions
from bids_deepseg.options.values import parse_places, read_labels


def _labels(*names: str, prefix: str, metavar: str = "LABEL", **more: Any) -> tuple[str, ...]:
    """Return a field that an option with several labels sets, which may be repeated."""
    read = partial(read_labels, prefix=prefix)
    return setting((), *names, group="selection", count="many", metavar=metavar, read=read, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOptions(ImageOptions):
    """Options about which images of a data set are segmented, and how it is read.

    The metadata of a field tells what it is; values that need no text of their own are explained there.

    Attributes
    ----------
    participants, exclude_participants, sessions : tuple of str
        Labels without prefix; empty for all (or none, for the excluded).
    suffixes : tuple of str
        Suffixes of the images to segment; empty for every kind that can be.
    derivatives : tuple of (str, Path)
        Names and folders of derivative data sets with labels of the vertebral levels.
    """

    participants: tuple[str, ...] = _labels(
        *("--participant-label", "--participant-labels", "--subject-label"),
        prefix="sub-",
        help="participants to process, with or without `sub-`, or a text file with one label per line",
        default="all",
    )
    exclude_participants: tuple[str, ...] = _labels(
        "--exclude-participant-label", prefix="sub-", help="participants to leave out, given in the same way"
    )
    sessions: tuple[str, ...] = _labels(
        *("--session-label", "--session-id"),
        prefix="ses-",
        help="sessions to process, with or without `ses-`; images without a session are always included",
        default="all",
    )
    suffixes: tuple[str, ...] = _labels(
        "--suffix",
        prefix="",
        metavar="SUFFIX",
        help="suffixes of the images to segment",
        default="T1w UNIT1 T2w T2starw T2star MEGRE PDw MTS dwi",
        more="`bold` selects the series in `func`, of each of which the mean is segmented.",
    )
    on_missing: str = setting(
        "warn",
        "--on-missing",
        group="selection",
        choices=("warn", "error"),
        help="what to do if a label, suffix or filter value does not exist in the data set",
        default="`warn`",
        more="Each is reported with the most similar one that exists. `error` ends the run with code 18, also a "
        "dry run.",
    )
    filter_file: Path | None = setting(
        None,
        "--bids-filter-file",
        group="selection",
        kind=Path,
        metavar="FILE",
        help='JSON file that selects images by entities: `{"t2w": {"acquisition": "ax", "run": null}}`',
        more="See [below](#filter-file).",
    )
    derivatives: tuple[tuple[str, Path], ...] = setting(
        (),
        *("--derivatives", "-d"),
        group="selection",
        count="many",
        metavar="[NAME=]DIR",
        read=parse_places,
        write=lambda places: [f"{name}={path.absolute()}" for name, path in places],
        help="derivative data sets with labels of vertebral levels, which are added to the tables",
        more="See [outputs](outputs.md#vertebral-levels).",
    )
    database_dir: Path | None = setting(
        None,
        "--bids-database-dir",
        group="selection",
        kind=Path,
        metavar="DIR",
        help="folder of pybids' index of the data set, created if it does not exist; faster on drives where "
        "listing folders is slow",
        more="It only pays off if pybids has an index already. A dry run does not create one. Files added to the "
        "data set after the index was made are not found.",
    )
    reset_database: bool = flag("--reset-database", group="selection", help="make that index again")
    validation: str = field(
        default="warn",
        metadata=option(
            "--bids-validation",
            group="validation",
            choices=("warn", "error", "off"),
            help="what to do about an invalid data set: warn, end with code 16, or do not validate",
            default="`warn`",
            more="The BIDS validator checks only the selected participants. With `error`, the run also ends if the "
            "data set cannot be validated.",
        )
        | switch(
            *("--skip-bids-validation", "--skip-bids-validator"),
            value="off",
            written=False,
            group="validation",
            contradicts="--bids-validation error",
            help="the same as `--bids-validation off`",
        ),
    )
