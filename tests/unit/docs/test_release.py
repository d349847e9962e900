"""What is left out of the image is not used by the package, and the version is written once."""

import ast
import importlib.util
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.helpers.scripts import load_script

ROOT = Path(__file__).parents[3]


@pytest.fixture
def lean():
    return load_script(ROOT / "container" / "lean.py")


def imported_names():
    """Return the dotted names of all modules that the package imports anywhere, with the names taken from them."""
    return names_in(ROOT / "bids_deepseg", leave_out="training")


def names_in(folder, leave_out=""):
    """Return the dotted names of all modules that are imported below a folder, with the names taken from them."""
    names = set()
    for path in folder.rglob("*.py"):
        if leave_out in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_package_imports_nothing_that_the_image_leaves_out(lean):
    patterns = [pattern for rows in lean.NOT_NEEDED.values() for pattern, _ in rows if "*" not in pattern]
    left_out = {pattern.removesuffix(".py").replace("/", ".") for pattern in patterns}
    used = imported_names()
    assert not {name for name in used for gone in left_out if f"{name}.".startswith(f"{gone}.")}


def test_every_thing_that_is_left_out_has_a_reason(lean):
    assert all(reason.strip() for rows in lean.NOT_NEEDED.values() for _, reason in rows)
    assert all(reason.strip() for reason in lean.EMPTIED.values())


def test_the_package_imports_nothing_that_the_image_has_only_as_an_empty_module(lean):
    emptied = {module.replace("/", ".") for module in lean.EMPTIED}
    assert not {name for name in imported_names() for gone in emptied if f"{name}.".startswith(f"{gone}.")}


@pytest.fixture
def site(tmp_path, lean, monkeypatch):
    """Make a small environment of one package, of which a part is not needed."""
    monkeypatch.setattr(lean, "WITH_SYMBOLS", ())
    monkeypatch.setattr(lean, "EMPTIED", {})
    monkeypatch.setattr(lean, "NOT_NEEDED", {"other": (("other/tests", "tests"),), "absent": (("absent/x", "no"),)})
    for name in ("other/__init__.py", "other/tests/test_it.py", "bids_deepseg/__init__.py", "single.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("VALUE = 3\n", encoding="utf-8")
    return tmp_path


def test_packages_of_others_keep_their_bytecode_and_ours_its_source(lean, site, monkeypatch):
    assert lean.main(site) == 0
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    cached = f"bids_deepseg/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    assert files == {"other/__init__.pyc", "single.pyc", "bids_deepseg/__init__.py", cached}
    monkeypatch.syspath_prepend(site)
    spec = importlib.util.find_spec("single")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == 3


@pytest.mark.parametrize(("machine", "code"), [("x86_64", 1), ("aarch64", 0)])
def test_a_pattern_that_matches_nothing_ends_the_build_where_it_was_measured(
    lean, site, capsys, monkeypatch, machine, code
):
    monkeypatch.setattr(lean.platform, "machine", lambda: machine)
    lean.NOT_NEEDED["other"] += (("other/gone", "was there once"),)
    assert lean.main(site) == code
    assert "nothing matches other/gone" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["package", "module", "library"])
def test_a_module_that_is_emptied_can_be_imported_and_has_nothing(lean, site, monkeypatch, kind):
    (site / "tensorflow").mkdir()
    place = {"package": "part/__init__.py", "module": "part.py", "library": "part.so"}[kind]
    (site / "other" / place).parent.mkdir(exist_ok=True)
    (site / "other" / place).write_text("raise SystemExit\n")
    monkeypatch.setattr(lean, "EMPTIED", {"other/part": "telephones"})
    assert lean.main(site) == 0
    assert {path.name for path in (site / "other").iterdir()} == {"__init__.pyc", "part.pyc"}
    spec = importlib.util.spec_from_file_location("part", site / "other" / "part.pyc")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not [name for name in vars(module) if not name.startswith("__")]


def test_a_module_to_be_emptied_that_is_not_there_ends_the_build(lean, site, capsys, monkeypatch):
    (site / "tensorflow").mkdir()
    monkeypatch.setattr(lean.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(lean, "EMPTIED", {"other/gone": "telephones"})
    assert lean.main(site) == 1
    assert "nothing matches other/gone" in capsys.readouterr().err


def test_a_library_that_came_twice_is_there_once_and_another_of_its_name_stays(lean, site):
    for folder, content in (("numpy.libs", "same"), ("scipy.libs", "same"), ("pillow.libs", "another")):
        (site / folder).mkdir()
        (site / folder / "libgfortran-1.so").write_text(content)
    assert lean.main(site) == 0
    assert not (site / "numpy.libs" / "libgfortran-1.so").is_symlink()
    assert (site / "scipy.libs" / "libgfortran-1.so").readlink() == Path("../numpy.libs/libgfortran-1.so")
    assert (site / "scipy.libs" / "libgfortran-1.so").read_text() == "same"
    assert not (site / "pillow.libs" / "libgfortran-1.so").is_symlink()


def test_what_needs_a_compiler_or_checks_types_is_left_out_of_every_package(lean, site):
    for name in ("types.pyi", "fast.c", "fast.cpp", "data.json"):
        (site / "other" / name).write_text("{}")
    assert lean.main(site) == 0
    assert {path.name for path in (site / "other").iterdir()} == {"__init__.pyc", "data.json"}


def test_the_list_of_a_package_names_what_is_there(lean, site):
    metadata = site / "other-1.dist-info"
    (metadata / "licenses").mkdir(parents=True)
    (metadata / "licenses" / "LICENSE, short").write_text("MIT")
    rows = ["other/tests/test_it.py,sha256=x,9", '"other-1.dist-info/licenses/LICENSE, short",sha256=y,3']
    (metadata / "RECORD").write_text("\n".join([*rows, "other-1.dist-info/RECORD,,", ""]))
    assert lean.main(site) == 0
    assert (metadata / "RECORD").read_text().splitlines() == [rows[1], "other-1.dist-info/RECORD,,"]


def test_the_job_of_other_versions_installs_what_the_tests_import():
    script = (ROOT / "tests" / "versions" / "run.sh").read_text(encoding="utf-8")
    installed = set(re.search(r"grep -E '\^\(([a-z0-9|-]+)\)=='", script)[1].split("|"))
    top_level = {name.split(".")[0] for name in names_in(ROOT / "tests")}
    of_package = packages_distributions()
    imported = {distribution.lower() for name in top_level for distribution in of_package.get(name, ())}
    development = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {re.match(r"[\w-]+", each)[0] for each in development["optional-dependencies"]["dev"]}
    assert imported & named - {"bids-validator-deno", "openvino"} <= installed


def test_the_version_is_the_same_everywhere():
    assert load_script(ROOT / "tests" / "release" / "version.py").wrong_places(ROOT) == []


def test_a_new_version_is_written_everywhere(tmp_path):
    version = load_script(ROOT / "tests" / "release" / "version.py")
    for name in {name for name, _ in version.PLACES}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "version").write_text("7.8.9\n", encoding="utf-8")
    assert len(version.wrong_places(tmp_path)) == len(version.PLACES)
    version.wrong_places(tmp_path, write=True)
    assert version.wrong_places(tmp_path) == []
