"""Write one file per failed image that says everything needed to understand and repeat the failure."""

import platform
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.participant.repeat import changed_options, option_words
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.execution import Outcome
from bids_deepseg.files.names import as_utf8, fitting_name
from bids_deepseg.options.run import RunOptions

_PACKAGES = ("numpy", "scipy", "nibabel", "keras", "tensorflow-cpu", "tensorflow")


def write_crash_file(outcome: Outcome, image: BidsImage, options: RunOptions, folder: Path) -> Path:
    """Describe the failure of one image.

    Parameters
    ----------
    outcome : Outcome
        A failed one.
    image : BidsImage
        The image.
    options : RunOptions
        Options of the run.
    folder : Path
        Folder of the logs.

    Returns
    -------
    Path
        ``crash-<image>.txt``.
    """
    failure = outcome.error
    if failure is None:
        raise ValueError(f"{image.name} did not fail.")
    lines = [
        f"image:    {image.key}",
        f"status:   {failure.status}",
        f"stage:    {failure.stage or 'unknown'}",
        f"cause:    {failure.message}",
        f"seconds:  {outcome.seconds:.1f}",
        f"versions: {', '.join(_versions())}",
        f"repeat:   {redo_command(image, options)}",
    ]
    if not failure.is_expected or options.debug:
        lines += ["", failure.traceback.rstrip()]
    path = folder / fitting_name(f"crash-{re.sub(r'[^a-zA-Z0-9_-]', '-', _short_name(image))}.txt")
    path.write_bytes(as_utf8("\n".join(lines) + "\n"))
    return path


def _short_name(image: BidsImage) -> str:
    """Return the name of an image for the name of a file."""
    return image.name if image.volume is None else f"{image.name}-{image.volume}"


def redo_command(image: BidsImage, options: RunOptions) -> str:
    """Return the command that processes the participant of one image again."""
    words = ["run.py", str(options.bids_dir), str(options.output_dir), "participant"]
    words += ["--participant-label", image.subject]
    words += ["--session-label", image.session] if image.session else []
    words += ["--suffix", image.suffix, *option_words(changed_options(options)), "--debug"]
    settings = options.settings
    folders = (settings.weights_dir, settings.centerline_file, settings.corrections)
    for name, folder in zip(("--weights-dir", "--centerline-file", "--corrections"), folders, strict=True):
        words += [] if folder is None else [name, str(folder)]
    return shlex.join(words)


def _versions() -> list[str]:
    """Return the versions of the app, of Python and of the packages that matter, without importing them."""
    found = [f"bids_deepseg {__version__}", f"Python {sys.version.split()[0]}", platform.platform()]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
