"""Find the images that the options select, and report what does not exist."""

import logging
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from bids_deepseg.app.record import RunRecord
from bids_deepseg.bids.derivatives.saved import find_saved
from bids_deepseg.bids.image import DEFAULT_SUFFIXES, BidsImage
from bids_deepseg.bids.source.corrections import find_correction, unused_files
from bids_deepseg.bids.source.filters import check_labels, read_filters
from bids_deepseg.bids.source.given_centerline import closed_folders
from bids_deepseg.bids.source.query import QueryResult, Selection, find_images
from bids_deepseg.bids.source.volumes import expand_each
from bids_deepseg.bids.source.walk import FileIndex, has_index, read_index
from bids_deepseg.errors import DatasetError, SelectionError
from bids_deepseg.files.names import printable, shorten
from bids_deepseg.options.run import RunOptions

logger = logging.getLogger(__name__)

#: Files that one warning names.
_MOST_NAMED = 5

#: Values that exist nowhere that one message names.
_MOST_UNKNOWN = 20


def make_selection(options: RunOptions) -> Selection:
    """Turn options into a selection.

    Raises
    ------
    UsageError
        If the filter file is wrong or contradicts other options.
    """
    suffixes = options.suffixes or DEFAULT_SUFFIXES
    filters = read_filters(options.filter_file, suffixes) if options.filter_file else ()
    check_labels(filters, {"subject": options.participants, "session": options.sessions, "suffix": options.suffixes})
    return Selection(
        participants=frozenset(options.participants) or None,
        sessions=frozenset(options.sessions) or None,
        suffixes=frozenset(suffixes),
        filters=filters,
        excluded=frozenset(options.exclude_participants),
    )


def find_selected(options: RunOptions, record: RunRecord) -> QueryResult:
    """Find the images.

    Parameters
    ----------
    options : RunOptions
        What the user asked for.
    record : RunRecord
        Gets the participants without a usable image.

    Raises
    ------
    SelectionError
        If the selection leaves nothing, or a part of it exists nowhere and that was declared an error.
    DatasetError
        If no participant has a usable image.
    """
    found = find_images(options.bids_dir, make_selection(options), _index(options))
    if options.volume == "each":
        found = replace(found, images=expand_each(found.images))
    unknown = shorten(map(str, found.unknown), _MOST_UNKNOWN)
    if found.unknown and options.on_missing == "error":
        raise SelectionError(f"Not found in the data set: {unknown}. Correct the labels or the filters.")
    if found.unknown:
        logger.warning("Not found in the data set: %s.", unknown)
    record.without_input.update(found.without_images)
    if not found.images:
        named = list(found.without_images.items())[:_MOST_NAMED]
        reasons = "; ".join(f"sub-{printable(label)}: {reason.rstrip('.')}" for label, reason in named)
        raise DatasetError(f"No participant has a usable image ({reasons}). Give a data set with images of the spine.")
    return found


def _index(options: RunOptions) -> FileIndex | None:
    """Return the index that the options name; a dry run uses one that is there, and makes none."""
    folder = options.database_dir
    if folder is None or (options.dry_run and not has_index(folder)):
        return None
    return read_index(options.bids_dir, folder, reset=options.reset_database and not options.dry_run)


def log_selection(options: RunOptions, found: QueryResult) -> None:
    """Say what was not selected, and why."""
    for label, reason in found.without_images.items():
        logger.warning("sub-%s has no usable image: %s.", printable(label), reason.rstrip("."))
    for skipped in found.skipped:
        name = printable(skipped.path.relative_to(options.bids_dir))
        logger.warning("%s is not segmented: %s", name, skipped.reason)
    if found.unsupported:
        counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(found.unsupported.items()))
        logger.info("Not selected: %s.", counts)
    if options.filter_file:
        logger.info("Left out by %s: %d images.", options.filter_file.name, found.n_filtered)
    if options.sessions:
        logger.info("Images without a session are included.")
    _log_closed_folders(options, found.images)
    if options.settings.corrections is not None:
        _log_corrections(options.settings.corrections, found.images)


def log_orphans(options: RunOptions) -> None:
    """Name the results whose image is no longer in the data set; they stay."""
    gone = [
        result.source
        for result in find_saved(options.output_dir)
        if (not options.participants or result.subject in options.participants)
        and not os.path.lexists(options.bids_dir / result.source_file)
    ]
    if gone:
        logger.warning(
            "Results whose image is no longer in the data set: %d (%s). They stay in the output folder, and count "
            "at the group level. Remove their files if they are not wanted.",
            *(len(gone), shorten(gone, _MOST_NAMED)),
        )


def _log_closed_folders(options: RunOptions, images: tuple[BidsImage, ...]) -> None:
    """Say which folders of corrections, centerlines and levels cannot be entered: what is in them is not used."""
    named = [("--corrections", options.settings.corrections), ("--centerline-file", options.settings.centerline_file)]
    named += [(f"the derivatives {name}", folder) for name, folder in options.derivatives]
    for what, place in named:
        closed = closed_folders(images, place) if place is not None else ()
        for folder, problem in closed[:_MOST_NAMED]:
            logger.warning("Of %s, nothing in %s is used: %s", what, folder, problem)
        if len(closed) > _MOST_NAMED:
            logger.warning("Of %s, %d more folders cannot be used.", what, len(closed) - _MOST_NAMED)


def _log_corrections(folder: Path, images: tuple[BidsImage, ...]) -> None:
    """Say how many corrections there are, and which files look like one and belong to no image."""
    kinds = Counter(found.kind for found in (find_correction(image, folder) for image in images) if found)
    logger.info("Corrected by hand: %d masks, %d centerlines.", kinds["mask"], kinds["centerline"])
    unused = unused_files(images, folder)
    if unused:
        names = shorten((path.relative_to(folder) for path in unused), _MOST_NAMED)
        logger.warning("Corrections that belong to no selected image, and are not used: %s.", names)
