"""Run the app on brainlife.io: from ``config.json`` to ``mask/``, ``report/html/`` and ``product.json``.

Everything is in the folder in which the program is started. The images are those of the folder ``bids``; if it is not
there, it is made of links to the files that ``config.json`` names.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_deepseg.cli import main as cli
from bids_deepseg.errors import BidsDeepsegError, UsageError
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.options.image import CONTRASTS

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine

#: Keys of the configuration and the suffix of each.
_SUFFIXES = {"t1": "T1w", "t2": "T2w", "t2s": "T2starw", "dwi": "dwi"}

#: Name of the data set of links; one of another name was made by brainlife.
_DATASET_NAME = "Files of config.json"

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
        config = _read_config(Path(words[0] if words else "config.json"))
        if not _is_made_by_brainlife(data):
            build_dataset(config, data)
        contrast = _contrast(config)
    except BidsDeepsegError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        product = {"brainlife": [{"type": "error", "msg": str(error)}]}
        Path("product.json").write_text(json.dumps(product, indent=2) + "\n", encoding="utf-8")
        return error.exit_code
    options = ["--skip-bids-validation", "--contrast", contrast]
    code = cli.main([str(data), str(output), "participant", *options], engine=engine)
    from bids_deepseg.cli.brainlife_product import collect_outputs  # noqa: PLC0415 - loads numpy, as the app does itself

    with output_errors(Path.cwd()):
        collect_outputs(data, output, config)
    return code


def build_dataset(config: Mapping[str, Any], folder: Path) -> None:
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
        If no image is named, or a file is not there.
    """
    keys = [key for key in _SUFFIXES if config.get(key)]
    if not keys:
        raise UsageError(
            f"config.json names no image. One of the keys {', '.join(_SUFFIXES)} is expected, with the path of a "
            "NIfTI file, or a folder bids made by the hook bl2bids."
        )
    for old in (path for path in folder.glob("sub-*/**/*") if path.is_symlink()):
        old.unlink()
    for key in keys:
        suffix, stem, place = _place(config, key)
        source = _existing(config[key], key)
        ending = ".nii.gz" if source.name.endswith(".gz") else ".nii"
        _link(folder / place / f"{stem}_{suffix}{ending}", source)
        for name, extension in (("bvals", ".bval"), ("bvecs", ".bvec")):
            if key == "dwi" and config.get(name):
                _link(folder / place / f"{stem}_{suffix}{extension}", _existing(config[name], name))
    description = {"Name": _DATASET_NAME, "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    write_if_different(folder / "dataset_description.json", (json.dumps(description, indent=2) + "\n").encode())


def _is_made_by_brainlife(folder: Path) -> bool:
    """Tell whether the data set was made by the hook of brainlife and not by :func:`build_dataset`."""
    try:
        description = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return not (isinstance(description, dict) and description.get("Name") == _DATASET_NAME)


def _read_config(path: Path) -> Mapping[str, Any]:
    """Read the configuration."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}. A JSON object is expected.") from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} holds no JSON object. See brainlife/config.json.sample.")
    return config


def _contrast(config: Mapping[str, Any]) -> str:
    """Return the contrast that is recorded."""
    contrast = config.get("contrast") or CONTRASTS[0]
    if contrast not in CONTRASTS:
        raise UsageError(f"The contrast {contrast!r} in config.json does not exist. Choose: {', '.join(CONTRASTS)}.")
    return str(contrast)


def _place(config: Mapping[str, Any], key: str) -> tuple[str, str, Path]:
    """Return suffix, begin of the name and folder of one input."""
    inputs = config.get("_inputs")
    listed = [each for each in inputs if isinstance(each, dict)] if isinstance(inputs, list) else []
    found: dict[str, Any] = next((each for each in listed if each.get("id") == key), {})
    meta = found.get("meta") or {}
    tags = {str(tag).lower() for name in ("datatype_tags", "tags") for tag in found.get(name) or ()}
    suffix = "T2starw" if key == "t2" and tags & _T2STAR_TAGS else _SUFFIXES[key]
    subject, session = _label(meta.get("subject")) or "01", _label(meta.get("session"))
    parts = [f"sub-{subject}", *([f"ses-{session}"] if session else [])]
    return suffix, "_".join(parts), Path(*parts, "dwi" if key == "dwi" else "anat")


def _label(value: object) -> str:
    """Return the letters and digits of a label."""
    text = str(value or "").removeprefix("sub-").removeprefix("ses-")
    return "".join(char for char in text if char.isascii() and char.isalnum())


def _existing(value: object, key: str) -> Path:
    """Return the path of an input that is there."""
    path = Path(str(value))
    if not path.is_file():
        raise UsageError(f"The file {path}, which config.json names as {key!r}, does not exist. Correct the path.")
    return path.resolve()


def _link(path: Path, source: Path) -> None:
    """Make a link."""
    make_folder(path.parent)
    with output_errors(path):
        path.symlink_to(source)


if __name__ == "__main__":
    raise SystemExit(main())
