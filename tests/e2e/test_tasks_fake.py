"""The whole app with a task beside the cord, on phantoms and without networks."""

import json
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ALL_PRODUCTS, PRODUCTS, STRUCTURE_PRODUCTS, derivative_path, parse_name
from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_columns, read_rows
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.options.run import RunOptions
from bids_deepseg.structures.tasks import TASK_NAMES, TASKS, task_of
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

pytestmark = pytest.mark.slow
IMAGES = ("sub-01/anat/sub-01_T2w", "sub-01/anat/sub-01_T2starw")


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "in", *IMAGES)


def run(dataset, *words):
    out = dataset.parent / "out"
    code = cli.main(
        [str(dataset), str(out), "participant", "--skip-bids-validation", "--n-cpus", "1", *words], engine=FakeEngine()
    )
    return code, out


def load(out, product, suffix="T2w"):
    return nib.load(out / f"sub-01/anat/sub-01_space-orig_{product.replace('DESC', f'desc-{suffix}')}")


def test_the_task_writes_the_cord_and_the_structure_inside_of_it(dataset):
    code, out = run(dataset, "--task", "gm")
    assert code == 0
    for suffix in ("T2w", "T2starw"):
        outer, grey = (load(out, f"label-{label}_DESC_mask.nii.gz", suffix) for label in ("SC", "GM"))
        probability = load(out, "label-GM_DESC_probseg.nii.gz", suffix).get_fdata()
        np.testing.assert_array_equal(outer.affine, grey.affine)
        assert grey.get_data_dtype() == np.uint8
        inside, found = outer.get_fdata() > 0, grey.get_fdata() > 0
        assert found.any()
        assert not found[~inside].any()
        assert not probability[~inside].any()
        np.testing.assert_array_equal(found, inside & (probability >= 0.5))


def test_the_table_counts_the_voxels_of_the_mask(dataset):
    _code, out = run(dataset, "--task", "gm")
    table = read_columns(out / "sub-01/anat/sub-01_space-orig_label-GM_desc-T2w_morph.tsv")
    mask = load(out, "label-GM_DESC_mask.nii.gz").get_fdata() > 0
    np.testing.assert_allclose(table["area_uncorrected_mm2"], mask.sum((0, 1))[table["slice"].astype(int)])
    sidecar = json.loads((out / "sub-01/anat/sub-01_space-orig_label-GM_desc-T2w_morph.json").read_text())
    assert set(table) <= set(sidecar)


def test_the_sidecar_names_the_network_the_verdict_and_the_cord(dataset):
    _code, out = run(dataset, "--task", "gm")
    sidecar = json.loads((out / "sub-01/anat/sub-01_space-orig_label-GM_desc-T2w_mask.json").read_text())
    assert sidecar["Model"] == [{"Name": "inner", "Contrast": "any", "SHA256": "0" * 64}]
    assert sidecar["QC"]["Verdict"] == "pass"
    assert sidecar["Type"] == "ROI"
    assert sidecar["Sources"][1] == "bids::sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz"
    mask = load(out, "label-GM_DESC_mask.nii.gz").get_fdata()
    assert sidecar["Measures"]["Volume_mm3"] == pytest.approx(mask.sum())
    outer = json.loads((out / "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.json").read_text())
    assert outer["Options"]["task"] == "gm"
    assert [model["Name"] for model in outer["Model"]] == ["fake"]


def test_the_group_has_a_table_of_the_structure_as_long_as_there_is_one(dataset):
    _code, out = run(dataset, "--task", "gm")
    words = [str(dataset), str(out), "group", "--skip-bids-validation"]
    assert cli.main(words, engine=FakeEngine()) == 0
    rows = read_rows(out / "group_label-GM_morph.tsv")
    assert [row["image"] for row in rows] == [f"{name}.nii.gz" for name in sorted(IMAGES)]
    mask = load(out, "label-GM_DESC_mask.nii.gz").get_fdata()
    with_grey = mask.sum((0, 1))[mask.any((0, 1))]
    row = next(row for row in rows if row["desc"] == "T2w")
    assert float(row["volume_mm3"]) == pytest.approx(mask.sum())
    assert int(row["n_slices"]) == len(with_grey)
    assert float(row["area_mean_mm2"]) == pytest.approx(with_grey.mean(), rel=1e-3)
    assert 0 < float(row["cord_fraction_mean"]) < 1
    assert (row["verdict"], row["verdict_image"]) == ("pass", "pass")
    assert set(row) <= set(json.loads((out / "group_label-GM_morph.json").read_text()))
    assert "group_label-GM_morph.tsv" in (out / "group.html").read_text()
    assert not (out / "group_label-L_morph.tsv").exists()
    run(dataset)
    assert cli.main(words, engine=FakeEngine()) == 0
    assert not list(out.glob("group_label-GM*"))


def test_the_same_command_again_does_nothing_and_another_task_replaces_the_result(dataset, capsys):
    _code, out = run(dataset, "--task", "gm")
    before = files_of(out)
    run(dataset, "--task", "gm")
    assert files_of(out) == before
    capsys.readouterr()
    run(dataset)
    assert summary_of(capsys.readouterr().out)["done"] == len(IMAGES)
    assert not list(out.rglob("*label-GM*"))


def test_the_cord_is_the_same_with_and_without_a_task(dataset):
    _code, out = run(dataset)
    alone = {name: content for name, (content, _time) in files_of(out).items() if name.endswith((".nii.gz", ".tsv"))}
    run(dataset, "--task", "gm")
    beside = {name: content for name, (content, _time) in files_of(out).items()}
    assert all(beside[name] == content for name, content in alone.items())


def test_no_probseg_writes_no_probability_of_the_structure_either(dataset):
    _code, out = run(dataset, "--task", "gm", "--no-probseg")
    assert not list(out.rglob("*probseg*"))
    assert list(out.rglob("*label-GM*_mask.nii.gz"))


def test_the_dry_run_names_the_files_of_the_structure(dataset, capsys):
    run(dataset, "--task", "gm", "--dry-run", "--log-format", "json")
    preview = json.loads(next(line for line in capsys.readouterr().out.splitlines() if line.startswith("{")))
    outputs = [name for image in preview["images"] for name in image["outputs"]]
    assert sum("label-GM" in name for name in outputs) == 2 * 6


def test_an_unknown_task_is_refused(dataset, capsys):
    code, out = run(dataset, "--task", "liver")
    assert code == 64
    assert "gm" in capsys.readouterr().err
    assert not out.exists()


def test_the_words_of_the_command_line_stand_for_tasks():
    assert TASK_NAMES[0] == "cord"
    assert task_of("cord") is None
    assert all(task_of(name) is TASKS[name] for name in TASK_NAMES[1:])
    assert "task" not in MethodSettings().facts()


def test_structures_have_names_of_their_own():
    image = BidsImage(Path("/d/sub-01/anat/sub-01_T2w.nii.gz"), Path("/d"), {"subject": "01"}, "T2w", "anat")
    names = [derivative_path(image, key).name for key in ALL_PRODUCTS]
    assert len(set(names)) == len(ALL_PRODUCTS) == len(PRODUCTS) + len(STRUCTURE_PRODUCTS)
    for name, key in zip(names, ALL_PRODUCTS, strict=True):
        parsed = parse_name(name)
        assert parsed.entities["label"] == ALL_PRODUCTS[key].label
        assert (key in STRUCTURE_PRODUCTS) == (parsed.entities["label"] not in ("SC", "SCcenterline"))


def test_options_carry_the_task():
    assert RunOptions.__dataclass_fields__["settings"].default_factory().task == "cord"


def test_the_report_outlines_the_structure_and_tells_its_size(dataset):
    _code, out = run(dataset, "--task", "gm", "--suffix", "T2w")
    page = (out / "sub-01.html").read_text()
    assert page.count('class="outline inner" d="M') > 4
    assert "grey matter</li>" in page
    area = json.loads((out / "sub-01/anat/sub-01_space-orig_label-GM_desc-T2w_mask.json").read_text())["Measures"]
    assert f"{area['MeanArea_mm2']:.1f} mm² in {area['Slices']} slices" in page
    run(dataset, "--suffix", "T2w")
    assert "outline inner" not in (out / "sub-01.html").read_text().partition("<body>")[2]


def test_one_image_has_the_results_of_the_task_beside_those_of_the_cord(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = write_nifti(tmp_path / "in" / "scan.nii.gz", cord())
    assert cli.main(["segment", str(image), "-o", str(tmp_path / "out"), "--task", "gm"], engine=FakeEngine()) == 0
    inner, outer = (nib.load(tmp_path / "out" / f"scan_label-{label}_mask.nii.gz") for label in ("GM", "SC"))
    assert inner.get_fdata().any()
    assert not inner.get_fdata()[outer.get_fdata() == 0].any()
    sidecar = json.loads((tmp_path / "out" / "scan_label-GM_mask.json").read_text())
    assert sidecar["Sources"] == ["scan.nii.gz", "scan_label-SC_mask.nii.gz"]
    assert "outline inner" in (tmp_path / "out" / "scan_report.html").read_text().partition("<body>")[2]


def test_the_methods_text_names_the_structure_and_its_network(dataset):
    _code, out = run(dataset, "--task", "gm")
    text = (out / "logs" / "CITATION.md").read_text()
    assert "A further network marked grey matter around the middle of the cord in 2 images" in text
    assert "`inner`" in text
    run(dataset)
    assert "grey matter" not in (out / "logs" / "CITATION.md").read_text()


class OwnThreshold(FakeEngine):
    """An engine whose network of the structure is thresholded on its own pixels, as published ones are."""

    def structure_specs(self, contrast=None):
        return tuple(SimpleNamespace(**vars(spec) | {"threshold": 0.999}) for spec in super().structure_specs(contrast))


def test_the_threshold_of_a_network_on_its_own_pixels_is_told(dataset):
    for engine, expected in ((OwnThreshold(), 0.999), (FakeEngine(), None)):
        out = dataset.parent / type(engine).__name__
        words = [str(dataset), str(out), "participant", "--skip-bids-validation", "--n-cpus", "1", "--task", "gm"]
        assert cli.main([*words, "--suffix", "T2w"], engine=engine) == 0
        sidecar = json.loads((out / "sub-01/anat/sub-01_space-orig_label-GM_desc-T2w_mask.json").read_text())
        assert (sidecar["Threshold"], sidecar.get("NetworkThreshold")) == (0.5, expected)
