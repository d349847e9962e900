"""Run the app on brainlife.io: from ``config.json`` to ``mask/``, ``report/html/`` and ``product.json``.

Everything is in the folder in which the program is started. The images are those of the folder ``bids``; if it is not
there, it is made of links to the files that ``config.json`` names.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_deepseg.cli import main as cli
from bids_deepseg.errors import BidsDeepsegError, UsageError
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.files.facts import Facts, mapping_of, mappings_of, text_of, texts_of
from bids_deepseg.files.structured import read_json_object, read_strict_json
from bids_deepseg.files.text import TextError
from bids_deepseg.options.image import CONTRASTS

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine

#: Keys of the configuration and the suffix of each.
_SUFFIXES = {"t1": "T1w", "t2": "T2w", "t2s": "T2starw", "dwi": "dwi"}

#: Name of the data set of links; one of another name was made by brainlife.
_DATASET_NAME = "Files of config.json"

#: Most characters of a label; names of files have at most 255.
_MOST_CHARACTERS = 64

#: brainlife asks for a small product.json.
_MOST_OF_MESSAGE = 1000

_T2STAR_TAGS = frozenset({"t2star", "t2*", "t2s", "t2starw"})


def main(argv: Sequence[str] | None = None, *, engine: "Engine | None" = None) -> int:
    """Run the app as ``config.json`` says; the program ``bids_deepseg-brainlife``.

    Parameters
    ----------
    argv : sequence of str, optional
        The path of the configuration, ``config.json`` by default; those of the process by default.
    engine : Engine, optional
        Segmentation method; the package's networks by default.

    Returns
    -------
    int
        Exit code of the app.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    data = Path("bids")
    output = data / "derivatives" / "bids_deepseg"
    try:
        config = prepare(Path(words[0] if words else "config.json"), data)
        contrast = _contrast(config)
    except BidsDeepsegError as error:
        return _fail(error)
    options = ["--skip-bids-validation", "--contrast", contrast]
    code = cli.main([str(data), str(output), "participant", *options], engine=engine)
    from bids_deepseg.cli.brainlife_product import collect_outputs  # noqa: PLC0415 - loads numpy, as the app does itself

    try:
        with output_errors(Path.cwd()):
            collect_outputs(data, output, config)
    except BidsDeepsegError as error:
        return _fail(error)
    return code


def _fail(error: BidsDeepsegError) -> int:
    """Tell an error on the terminal and in ``product.json``; return the exit code."""
    sys.stderr.write(f"ERROR: {error}\n")
    product = {"brainlife": [{"type": "error", "msg": str(error)[:_MOST_OF_MESSAGE]}]}
    Path("product.json").write_text(json.dumps(product, indent=2) + "\n", encoding="utf-8")
    return error.exit_code


def prepare(path: Path, data: Path) -> dict[str, Any]:
    """Read the configuration, and make the data set of links unless brainlife has made one.

    Parameters
    ----------
    path : Path
        ``config.json``.
    data : Path
        Data set.

    Returns
    -------
    dict of str to object
        Content of ``config.json``.

    Raises
    ------
    UsageError
        If it cannot be read, or a value is none that is expected.
    """
    config = _read_config(path)
    _contrast(config)
    if not _is_made_by_brainlife(data):
        build_dataset(config, data)
    return dict(config)


def build_dataset(config: Facts, folder: Path) -> None:
    """Make a BIDS data set of links to the files that the configuration names.

    Parameters
    ----------
    config : mapping
        Content of ``config.json``.
    folder : Path
        Data set to be made; its description is written last.

    Raises
    ------
    UsageError
        If no image is named, a file is not there, or two images would have one name.
    """
    keys = [key for key in _SUFFIXES if config.get(key)]
    if not keys:
        raise UsageError(
            f"config.json names no image. One of the keys {', '.join(_SUFFIXES)} is expected, with the path of a "
            "NIfTI file, or a folder bids made by the hook bl2bids."
        )
    links: dict[Path, Path] = {}
    for key in keys:
        suffix, stem, place = _place(config, key)
        source = _existing(config, key)
        ending = ".nii.gz" if source.name.endswith(".gz") else ".nii"
        image = folder / place / f"{stem}_{suffix}"
        if image.with_name(f"{image.name}.nii.gz") in links or image.with_name(f"{image.name}.nii") in links:
            raise UsageError(f"Two images of config.json are both {image.name}. Change a tag or a subject.")
        links[image.with_name(image.name + ending)] = source
        for name, extension in (("bvals", ".bval"), ("bvecs", ".bvec")):
            if key == "dwi" and config.get(name):
                links[folder / place / f"{stem}_{suffix}{extension}"] = _existing(config, name)
    for old in (path for path in folder.glob("sub-*/**/*") if path.is_symlink()):
        old.unlink()
    for path, source in links.items():
        _link(path, source)
    description = {"Name": _DATASET_NAME, "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    write_if_different(folder / "dataset_description.json", (json.dumps(description, indent=2) + "\n").encode())


def _is_made_by_brainlife(folder: Path) -> bool:
    """Return whether the data set was made by the hook of brainlife and not by :func:`build_dataset`."""
    try:
        description = read_json_object(folder / "dataset_description.json")
    except (OSError, TextError):
        return False
    return description.content.get("Name") != _DATASET_NAME


def _read_config(path: Path) -> Facts:
    """Read the configuration."""
    try:
        return read_strict_json(path)
    except FileNotFoundError as error:
        raise UsageError(f"There is no {path}. A JSON object is expected, see brainlife/config.json.sample.") from error
    except TextError as error:
        raise UsageError(
            f"{path} cannot be read: {error}. A JSON object is expected, see brainlife/config.json.sample."
        ) from error


def _contrast(config: Facts) -> str:
    """Return the contrast that is recorded."""
    contrast = config.get("contrast") or CONTRASTS[0]
    if contrast not in CONTRASTS:
        raise UsageError(f"The contrast {contrast!r} in config.json does not exist. Choose: {', '.join(CONTRASTS)}.")
    return str(contrast)


def _place(config: Facts, key: str) -> tuple[str, str, Path]:
    """Return suffix, begin of the name and folder of one input."""
    found = next((each for each in mappings_of(config, "_inputs") if each.get("id") == key), {})
    meta = mapping_of(found, "meta")
    tags = {tag.lower() for name in ("datatype_tags", "tags") for tag in texts_of(found, name)}
    suffix = "T2starw" if key == "t2" and tags & _T2STAR_TAGS else _SUFFIXES[key]
    subject, session = _label(meta, "subject") or "01", _label(meta, "session")
    parts = [f"sub-{subject}", *([f"ses-{session}"] if session else [])]
    return suffix, "_".join(parts), Path(*parts, "dwi" if key == "dwi" else "anat")


def _label(meta: Facts, name: str) -> str:
    """Return the letters and digits of a label, an empty text if there is none."""
    value = meta.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"The {name} of an input in config.json is {_short(value)}. A text is expected.")
    text = str(value).removeprefix("sub-").removeprefix("ses-")
    label = "".join(char for char in text if char.isascii() and char.isalnum())
    if len(label) > _MOST_CHARACTERS:
        raise UsageError(
            f"The {name} {_short(value)} in config.json has {len(label)} characters. At most {_MOST_CHARACTERS} are "
            "expected."
        )
    return label


def _existing(config: Facts, key: str) -> Path:
    """Return the path of an input that is there."""
    name = text_of(config, key)
    if name is None:
        raise UsageError(f"config.json has {_short(config[key])} for {key!r}. The path of a file is expected.")
    path = Path(name)
    try:
        is_there = path.is_file()
    except OSError:
        # A name that is too long, say.
        is_there = False
    if not is_there:
        raise UsageError(
            f"The file {_short(name)}, which config.json names as {key!r}, does not exist. Correct the path."
        )
    return path.resolve()


def _short(value: object) -> str:
    """Write a value so that it fits into a message."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _link(path: Path, source: Path) -> None:
    """Make a link."""
    make_folder(path.parent)
    with output_errors(path):
        path.symlink_to(source)


if __name__ == "__main__":
    raise SystemExit(main())
