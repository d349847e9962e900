"""Say what to do about an image without result; the statuses are those of :mod:`bids_deepseg.errors`."""


def what_to_do(status: str) -> str:
    """Return advice for a person who meets ``status`` in a report."""
    advice = {
        "bad-image": "Open the image in a viewer. Repair its header or convert it again from DICOM, then run again.",
        "not-fetched": "The file is a link to content that is not on this machine. Fetch it (datalad get), "
        "then run again.",
        "damaged-result": "Run the participant level again: it replaces this result. If you changed the file on "
        "purpose, see docs/corrections.md.",
        "changed": "The image, or a file given for it, changed while it was segmented. Run again when it is complete.",
        "network-error": "Install the app again, or check the folder given with --weights-dir.",
        "cord-not-found": "Check whether the image shows the cord at all. If it does, crop it to the neck or the "
        "chest, check the orientation in its header, and run again; else leave it out.",
        "empty-mask": "A cord seemed to be there, but no voxel was sure enough. Look at the probability map; a lower "
        "--threshold may help.",
        "out-of-memory": "Run again with more memory (--mem), or crop the image.",
        "cannot-write": "Make room in the output folder and check its permissions, then run again.",
        "not-shown": "The image or a file of its result was changed or damaged after the run. Run this image again.",
        "no-input": "Check that the file exists and has a suffix that the app takes.",
    }
    general = "Look into the crash file of this image in the folder logs, then run this image again."
    return advice.get(status, general)
