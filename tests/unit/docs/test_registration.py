"""What is said of the app to catalogues agrees with the app."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERSION = (ROOT / "version").read_text().strip()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_codemeta_agrees_with_the_project():
    meta = json.loads((ROOT / "codemeta.json").read_text())
    assert meta["version"] == VERSION
    assert (meta["name"], meta["description"]) == (PROJECT["name"], PROJECT["description"])
    assert meta["license"].rpartition("/")[2] == PROJECT["license"]
    assert meta["keywords"] == PROJECT["keywords"]
    assert [author["name"] for author in meta["author"]] == [author["name"] for author in PROJECT["authors"]]
    wanted = {requirement.partition(";")[0].strip() for requirement in PROJECT["dependencies"]}
    assert set(meta["softwareRequirements"]) == wanted - {"tensorflow>=2.19"}


def test_a15_the_entry_of_the_list_of_bids_apps_has_the_fields_of_the_list():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (entry,) = yaml.safe_load((ROOT / "docs" / "registration" / "apps.yml").read_text())
    keys = {"gh", "dh", "description", "status", "ds_type", "datatype", "ci", "branch", "workflow"}
    assert set(entry) == keys
    for key in ("gh", "dh"):
        assert re.fullmatch(r"[\w.-]+/bids_deepseg", entry[key])
    assert entry["status"] == "active"
    assert entry["ds_type"] == ["raw"]
    assert entry["datatype"] == ["anat", "dwi"]
    assert entry["ci"] == "gh"


def test_the_citation_file_and_the_brainlife_app_name_this_version():
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"docker://bids_deepseg:{VERSION}\n" in (ROOT / "brainlife" / "main").read_text()
