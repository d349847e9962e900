"""A1 and A2: what is written is valid BIDS for two versions of the validator, with and without ignored files."""

import itertools
import json
import random

import numpy as np
import pytest

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.bids.naming import ENTITIES, derivative_path, find_collisions, parse_name
from bids_deepseg.bids.source.found import name_parser
from tests.helpers.fake_engine import cord, write_dataset, write_nifti
from tests.helpers.strategies import RAW_ENTITIES, build_image

PLAIN = (
    "sub-01/anat/sub-01_T1w",
    "sub-01/anat/sub-01_acq-ax_run-2_T2w",
    "sub-01/anat/sub-01_echo-1_part-mag_MEGRE",
    "sub-01/anat/sub-01_flip-1_mt-on_MTS",
    "sub-02/anat/sub-02_T2starw",
    "sub-02/anat/sub-02_chunk-1_PDw",
)
SESSIONS = ("sub-01/ses-pre/anat/sub-01_ses-pre_T2w", "sub-01/ses-post/anat/sub-01_ses-post_UNIT1")


@pytest.fixture
def data(tmp_path):
    """Return a raw data set with the facts of the source that the derivative repeats."""
    description = {
        "Name": "Source",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "Authors": ["A. One", "B. Two"],
        "License": "CC0",
        "DatasetDOI": "doi:10.18112/openneuro.ds000001.v1.0.0",
    }
    return write_dataset(tmp_path / "in", *PLAIN, description=description)


def with_dwi(data):
    """Add a diffusion series and the echo time of the multi-echo image."""
    image = cord()
    write_nifti(data / "sub-02" / "dwi" / "sub-02_dir-AP_dwi.nii.gz", np.stack([image, image * 0.5], -1))
    (data / "sub-02" / "dwi" / "sub-02_dir-AP_dwi.bval").write_text("0 1000")
    (data / "MEGRE.json").write_text('{"EchoTime": 0.004}')
    return data


def participant(run, data, out):
    assert run(with_dwi(data), out, "participant")[0] == 0


def participant_and_group(run, data, out):
    assert run(with_dwi(data), out, "participant", "group")[0] == 0


def partial(run, data, out):
    """One participant of two, one suffix, and without the products that can be left out."""
    words = ("--participant-label", "01", "--suffix", "T2w", "--no-probseg", "--no-centerline")
    assert run(with_dwi(data), out, "participant", *words)[0] == 0


def failed(run, data, out):
    """One participant whose only images fail, one with a failed image, one without any."""
    (data / "sub-01" / "anat" / "sub-01_T1w.nii.gz").write_bytes(b"")
    for path in (data / "sub-02").rglob("*.nii.gz"):
        path.write_bytes(b"no image")
    (data / "sub-03").mkdir()
    (data / "MEGRE.json").write_text('{"EchoTime": 0.004}')
    assert run(data, out, "participant", "group")[0] == 65


def sessions(run, data, out):
    for name in SESSIONS:
        write_nifti(data / f"{name}.nii.gz", cord())
    assert run(with_dwi(data), out, "participant", "group")[0] == 0


TREES = (participant, participant_and_group, partial, failed, sessions)


@pytest.mark.parametrize("make", TREES, ids=[make.__name__ for make in TREES])
def test_a01_trees_are_valid_for_both_validators(make, run, data, tmp_path, validate):
    out = tmp_path / "out"
    make(run, data, out)
    errors, warnings = validate(out)
    assert errors == []
    if validate.version == "3.0":
        assert warnings == []
    _remove_ignored(out)
    errors, warnings = validate(out)
    assert errors == []
    if validate.version == "3.0":
        assert warnings == []


def test_a01_a_tree_inside_of_its_source_is_valid(run, data, validate):
    participant_and_group(run, data, data / "derivatives" / "bids_deepseg")
    errors, warnings = validate(data / "derivatives" / "bids_deepseg")
    assert errors == []
    if validate.version == "3.0":
        assert warnings == []


def _remove_ignored(out):
    """Remove ``.bidsignore`` and all that it hides."""
    patterns = (out / ".bidsignore").read_text().split()
    assert patterns == ["*.html", "figures", "*_centerline.tsv", "*_centerline.json", "*_morph.tsv", "*_morph.json"]
    (out / ".bidsignore").unlink()
    for pattern in patterns:
        for path in out.rglob(pattern):
            path.unlink()


# ---- names ----------------------------------------------------------------------------------------------------------

_VALUES = {"mt": ("on", "off"), "hemi": ("L", "R")}
_NUMBERS = {"run", "echo", "flip", "inv", "split", "chunk"}


def _sources_of_the_schema(random_numbers):
    """Return raw images: for each rule of the schema that has one of our suffixes, every set of entities it allows.

    Suffixes and labels are drawn.
    """
    schema = pytest.importorskip("bidsschematools.schema", reason="bidsschematools is absent").load_schema()
    short = {long: entity.name for long, entity in schema.objects.entities.items()}
    found = []
    for datatype in ("anat", "dwi"):
        for rule in schema.rules.files.raw[datatype].values():
            suffixes = sorted(set(rule.suffixes) & set(DEFAULT_SUFFIXES))
            free = [short[name] for name, level in rule.entities.items() if level == "optional"]
            needed = [short[name] for name, level in rule.entities.items() if level == "required"]
            for present in _subsets(free) if suffixes else ():
                entities = {ENTITIES[key]: _value(key, random_numbers) for key in (*needed, *present)}
                suffix = random_numbers.choice(suffixes)
                found.append(build_image(entities | {"subject": f"{len(found):05d}"}, suffix, datatype))
    return found


def _subsets(keys):
    """Return all subsets."""
    return itertools.chain.from_iterable(itertools.combinations(keys, n) for n in range(len(keys) + 1))


def _value(key, random_numbers):
    """Draw the value of an entity."""
    if key in _VALUES:
        return random_numbers.choice(_VALUES[key])
    if key == "part":
        return "mag"
    if key in _NUMBERS:
        return str(random_numbers.randint(1, 99))
    return "".join(random_numbers.choices("abcXYZ019", k=random_numbers.randint(1, 4)))


def _any_images(random_numbers, number):
    """Return raw images with any entities, also those that the schema does not allow together or does not know."""
    images = []
    for n in range(number):
        keys = random_numbers.sample(RAW_ENTITIES, random_numbers.randint(0, 8))
        short = {long: key for key, long in ENTITIES.items()}
        entities = {"subject": f"x{n}"} | {name: _value(short.get(name, name), random_numbers) for name in keys}
        datatype = random_numbers.choice(["anat", "dwi"])
        suffix = "dwi" if datatype == "dwi" else random_numbers.choice(DEFAULT_SUFFIXES[:-1])
        images.append(build_image(entities, suffix, datatype))
    return images


def _write_empty(folder, names):
    """Write files without content under the names of derivatives, each with an empty sidecar."""
    folder.mkdir()
    (folder / "dataset_description.json").write_text(
        json.dumps({"Name": "x", "BIDSVersion": "1.11.1", "DatasetType": "derivative", "GeneratedBy": [{"Name": "x"}]})
    )
    for name in names:
        (folder / name.parent).mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
        (folder / name.with_name(name.name.partition(".")[0])).with_suffix(".json").write_text("{}")


def test_a02_every_combination_of_entities_gives_a_valid_unique_name_that_reads_back(tmp_path, validate):
    random_numbers = random.Random(20261122)
    images = [*_sources_of_the_schema(random_numbers), *_any_images(random_numbers, 300)]
    assert len(images) > 1000
    names = {derivative_path(image, product): image for image in images for product in ("mask", "probseg")}
    assert len(names) == 2 * len(images)
    assert find_collisions(images) == {}
    parse = name_parser()
    for name, image in names.items():
        read = parse_name(name.name)
        assert read.format() == name.name
        # Every entity of the source is in the name: by itself, or folded into desc.
        long = parse(read, image.datatype)
        for entity, value in image.entities.items():
            assert long.get(entity) == value or value in long["desc"], (name, entity)
    masks = [name for name in names if name.name.endswith("_mask.nii.gz")]
    _write_empty(tmp_path / "out", [*masks, *random_numbers.sample(sorted(set(names) - set(masks)), 200)])
    errors, _ = validate(tmp_path / "out")
    # The files are empty on purpose; nothing about their names may be wrong.
    wrong = {issue["code"] for issue in errors} - {"EMPTY_FILE", "SIDECAR_KEY_REQUIRED", "NIFTI_HEADER_UNREADABLE"}
    assert wrong == set(), [issue for issue in errors if issue["code"] in wrong][:5]


def test_a02_a_wrong_name_would_be_found(tmp_path, validate):
    image = build_image({"subject": "01", "echo": "1"}, "T2w", "anat")
    name = derivative_path(image, "mask")
    _write_empty(tmp_path / "out", [name.with_name(name.name.replace("_label-SC", "_flip-1_label-SC"))])
    errors, _ = validate(tmp_path / "out")
    assert {"EMPTY_FILE", "SIDECAR_KEY_REQUIRED"} < {issue["code"] for issue in errors}
