"""Write the command that processes one image again.

What is known of a run are the names and values of its options; folders are not kept with the results, so that words in
capitals stand for them.
"""

import shlex
from collections.abc import Iterator, Mapping

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.options.declare import Option, fields_of
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.options.run import RunOptions

#: What stands for the folders of a run.
BIDS_DIR, OUTPUT_DIR = "BIDS_DIR", "OUTPUT_DIR"

#: Options that need a folder, by the values of others.
_FOLDERS = (
    ("weights", ("sct",), "--weights-dir"),
    ("centerline", ("file", "viewer"), "--centerline-file"),
)

#: Options of the image that decide on its result, beside those of the method.
_OF_IMAGE = ("contrast", "volume")


def changed_options(options: RunOptions) -> dict[str, str | float]:
    """Return the options of a run that change results and are not as by default; no path."""
    image = {name: getattr(options, name) for name in _OF_IMAGE if getattr(options, name) != "auto"}
    return {**options.settings.facts(), **image}


def repeat_command(image: BidsImage, facts: Mapping[str, object], *, corrected: bool = False) -> str:
    """Return the command that processes an image again, and images of its kind that only other entities tell apart.

    Parameters
    ----------
    image : BidsImage
        The image.
    facts : mapping of str to object
        Options by the names of their fields; unknown ones and those that no option sets are left out.
    corrected : bool, optional
        Whether a person corrected its mask or centerline.
    """
    words = ["bids_deepseg", BIDS_DIR, OUTPUT_DIR, "participant", "--participant-label", image.subject]
    words += ["--session-label", image.session] if image.session else []
    words += ["--suffix", image.suffix, *option_words(facts)]
    for name, values, folder in _FOLDERS:
        words += [folder, "DIR"] if facts.get(name) in values else []
    words += ["--corrections", "DIR"] if corrected else []
    return shlex.join([*words, "--rerun", "all"])


def option_words(facts: Mapping[str, object]) -> Iterator[str]:
    """Yield the words of the options that are not as by default.

    Parameters
    ----------
    facts : mapping of str to object
        Values by the names of the fields.
    """
    usual = MethodSettings()
    for name, option in _options().items():
        value = facts.get(name)
        if isinstance(value, str | int | float) and value not in (getattr(usual, name, "auto"), ""):
            yield f"{option.names[0]}={value}"


def _options() -> dict[str, Option]:
    """Return the options that decide on a result, by the names of their fields."""
    own = {field.name for field, _ in fields_of(MethodSettings)}
    return {
        field.name: options[0]
        for field, options in fields_of(RunOptions)
        if options and options[0].count == "one" and (field.name in _OF_IMAGE or field.name in own)
    }
