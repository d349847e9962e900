"""Fuzz everything that reads text: each file gives values, warnings or a named error, and what is written is valid."""

import functools
import json
import os
import tempfile
from contextlib import chdir
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_deepseg.bids.derivatives.description import describe_dataset
from bids_deepseg.bids.derivatives.judgements import read_review
from bids_deepseg.bids.derivatives.provenance import space_of
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.filters import read_filters
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.participants import read_source_participants
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.cli import brainlife
from bids_deepseg.errors import ImageError, NetworkError, UsageError
from bids_deepseg.files.tables import format_json, format_table
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.networks.legacy.h5 import read_legacy
from bids_deepseg.networks.legacy.layers import plan_of_json
from bids_deepseg.options.config_file import folders_of, read_config, words_of
from bids_deepseg.options.values import read_labels
from tests.fuzz.mutations import mutated_bytes, mutated_json, mutated_text
from tests.helpers.legacy_files import detection, random_weights, to_bytes

_DESCRIPTION = {
    **{"Name": "Étude", "BIDSVersion": "1.9.0", "License": "CC0", "Authors": ["A B", "C"], "DatasetDOI": "doi:10.1/x"},
    "DatasetLinks": {"raw": "../..", "atlas": "doi:10.5/y"},
}
_COLUMNS = {"age": {"Description": "Age", "Units": "year"}, "grp": {"Levels": {"a": "A", "b": {"Description": "B"}}}}
_PEOPLE = "participant_id\tage\tgrp\tsite\nsub-01\t33\ta\tMontréal\n02\t41\tb\tn/a\nsub-03\tn/a\ta\tx y\n"
_FILTERS = {"t2w": {"acquisition": "ax", "session": ["pre", None], "run": "*"}, "anat": {"suffix": "T2w"}}
_TOML = 'participant_label = ["01", "02"]\nn_cpus = 4\nno_probseg = true\nmem = "4G"\nbids_dir = "/a"\n'
_YAML = "FILES_SEG:\n- sub-01_T2w.nii.gz\n- 'sub-02_T1w'  # x\nFILES_GMSEG: []\n"
_POINTS = "x_mm\ty_mm\tz_mm\n" + "".join(f"0.5\t1.25\t{k}\n" for k in range(1, 7))
_CONFIG = {
    **{"t1": "t1.nii.gz", "t2": "t2.nii.gz", "dwi": "d.nii.gz", "bvals": "b", "bvecs": "b", "contrast": "auto"},
    "_inputs": [{"id": "t2", "meta": {"subject": "01", "session": "a"}, "tags": ["t2s"], "datatype_tags": ["x"]}],
}


def description(rng: np.random.Generator) -> str:
    """Describe the derivative data set from a damaged description of the source, and of an earlier run."""
    with tempfile.TemporaryDirectory() as name:
        source, output = Path(name, "in"), Path(name, "out")
        for folder in (source, output):
            folder.mkdir()
            _write(folder / "dataset_description.json", _damaged(rng, _DESCRIPTION))
        written = describe_dataset(output, source, version="1")
        assert all(isinstance(author, str) for author in written.get("Authors", []))
        _check_json(written)
    return "with licence" if "License" in written else "without"


def sidecar(rng: np.random.Generator) -> str:
    """Take the echo time from a damaged sidecar."""
    with tempfile.TemporaryDirectory() as name:
        image = BidsImage(
            Path(name, "sub-01_echo-1_MEGRE.nii.gz"), Path(name), {"subject": "01", "echo": "1"}, "MEGRE", "anat"
        )
        _write(Path(name, "sub-01_echo-1_MEGRE.json"), _damaged(rng, {"EchoTime": 0.01, "RepetitionTime": 1}))
        written = space_of(image)
        _check_json(written)
    return "with time" if "EchoTime" in written else "without"


def participants(rng: np.random.Generator) -> str:
    """Join damaged tables of participants."""
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name, "participants.tsv"), mutated_text(rng, _PEOPLE))
        _write(Path(name, "participants.json"), _damaged(rng, _COLUMNS))
        found = read_source_participants(Path(name))
        _check_json(dict(found.columns))
        rows = [[found.value(one, column) for column in found.columns] for one in found.rows]
        lines = format_table(list(found.columns), rows).decode().split("\n")
        assert not found.columns or {line.count("\t") for line in lines[:-1]} == {len(found.columns) - 1}
    return f"{len(found.rows)} participants"


def bval(rng: np.random.Generator) -> str:
    """Read a diffusion series with damaged b values."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "sub-01_dwi.nii.gz")
        nib.Nifti1Image(np.arange(81, dtype=np.int16).reshape(3, 3, 3, 3), np.eye(4)).to_filename(path)
        _write(Path(name, "sub-01_dwi.bval"), mutated_text(rng, "0 1000 1000\n"))
        try:
            read_image(BidsImage(path, Path(name), {"subject": "01"}, "dwi", "dwi"))
        except ImageError:
            return "refused"
    return "read"


def filters(rng: np.random.Generator) -> str:
    """Read a damaged filter file."""
    return _one_file(rng, _damaged(rng, _FILTERS), lambda path: read_filters(path, ("T2w",)))


def toml(rng: np.random.Generator) -> str:
    """Read a damaged configuration."""

    def read(path: Path) -> object:
        config = read_config(path)
        return folders_of(config), words_of(config, frozenset())

    return _one_file(rng, mutated_text(rng, _TOML), read)


def review(rng: np.random.Generator) -> str:
    """Read a damaged list of a review."""
    return _one_file(rng, mutated_text(rng, _YAML), lambda path: read_review(path.parent), "qc_fail.yml")


def labels(rng: np.random.Generator) -> str:
    """Read a damaged list of labels."""
    return _one_file(rng, mutated_text(rng, "01\nsub-02\n# three\n03\n"), lambda path: read_labels([str(path)], "sub-"))


def centerline(rng: np.random.Generator) -> str:
    """Read a damaged table of points."""
    text = _POINTS.replace("\t", str(rng.choice(["\t", ",", ";"])))
    grid = Grid((8, 8, 8), np.eye(4))
    return _one_file(rng, mutated_text(rng, text), lambda path: read_centerline(path, grid), "line.csv")


def config(rng: np.random.Generator) -> str:
    """Make the data set of links of a damaged configuration of brainlife."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        for each in ("t1.nii.gz", "t2.nii.gz", "d.nii.gz", "b"):
            Path(each).touch()
        _write(Path("config.json"), _damaged(rng, _CONFIG))
        try:
            made = brainlife.prepare(Path("config.json"), Path("bids"))
        except UsageError:
            return "refused"
        _check_json(made)
        return f"{len(list(Path('bids').rglob('*.nii.gz')))} images"


def network_json(rng: np.random.Generator) -> str:
    """Read damaged layers of a published network."""
    try:
        plan_of_json(_damaged(rng, detection(2, 1).model()).decode("latin-1"))
    except NetworkError:
        return "refused"
    return "read"


def network_bytes(rng: np.random.Generator) -> str:
    """Read damaged bytes of a published network."""
    try:
        read_legacy(mutated_bytes(rng, _network_file()))
    except NetworkError:
        return "refused"
    return "read"


@functools.cache
def _network_file() -> bytes:
    """Return a small network in the layout of the published ones."""
    net = detection(2, 1)
    return to_bytes(net, random_weights(net, np.random.default_rng(0)))


def _damaged(rng: np.random.Generator, content: object) -> bytes:
    """Damage the values or the text of a JSON file."""
    return mutated_json(rng, content) if rng.integers(2) else mutated_text(rng, json.dumps(content, indent=1))


def _one_file(rng: np.random.Generator, content: bytes, read, name: str = "file.txt") -> str:
    """Give one file to a reader that may refuse it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        _write(path, content, special=rng.integers(100) == 0)
        try:
            read(path)
        except (UsageError, ImageError):
            return "refused"
    return "read"


def _write(path: Path, content: bytes, *, special: bool = False) -> None:
    """Write a file, or make something else of its name."""
    if special:
        os.mkfifo(path)
    else:
        path.write_bytes(content)


def _check_json(content: dict[str, object]) -> None:
    """Make sure that JSON can hold what is written."""
    assert json.loads(format_json(content)) == content


TARGETS = {
    each.__name__: each
    for each in (description, sidecar, participants, bval, filters, toml, review, labels, centerline, config)
} | {"network_json": network_json, "network_bytes": network_bytes}
