"""What is left out of the image is not used by the package, and the version is written once."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def load_script(path):
    """Return a script of the checkout as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lean():
    return load_script(ROOT / "container" / "lean.py")


def imported_names():
    """Return the dotted names of all modules that the package imports anywhere, with the names taken from them."""
    names = set()
    for path in (ROOT / "bids_deepseg").rglob("*.py"):
        if "training" in path.relative_to(ROOT).parts:
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


@pytest.fixture
def site(tmp_path, lean, monkeypatch):
    """Make a small environment of one package, of which a part is not needed."""
    monkeypatch.setattr(lean, "WITH_SYMBOLS", ())
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
