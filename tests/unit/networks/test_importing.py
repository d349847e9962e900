"""A library is imported without what it does not need, and nobody else notices."""

import importlib
import sys
import threading

import pytest

from bids_deepseg.networks.importing import sparing


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Write modules of a folder of their own: a library, what it does without, and what it uses late."""
    folder = tmp_path / "modules"
    (folder / "spared_package").mkdir(parents=True)
    (folder / "spared_package" / "__init__.py").write_text("")
    (folder / "spared_package" / "late.py").write_text(
        "import spared_log\nspared_log.loaded.append('late')\nvalue = 7\n"
    )
    (folder / "spared_log.py").write_text("loaded = []\n")
    (folder / "spared_optional.py").write_text("import spared_log\nspared_log.loaded.append('optional')\n")
    (folder / "spared_library.py").write_text(
        "import spared_package.late\n"
        "try:\n    import spared_optional\nexcept ImportError:\n    spared_optional = None\n"
        "def value():\n    return spared_package.late.value\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("spared_"):
            del sys.modules[name]


def loaded():
    return importlib.import_module("spared_log").loaded


def test_what_is_not_needed_is_not_loaded_and_what_is_needed_later_is_loaded_then(library):
    with sparing(hidden={"spared_optional"}, late={"spared_package.late"}):
        found = importlib.import_module("spared_library")
    assert found.spared_optional is None
    assert loaded() == []
    assert found.value() == 7
    assert loaded() == ["late"]


def test_after_the_block_everybody_can_import_what_was_hidden(library):
    finders = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError, match="spared_optional"), sparing(hidden={"spared_optional"}):
        importlib.import_module("spared_optional")
    assert sys.meta_path == finders
    importlib.import_module("spared_optional")
    assert loaded() == ["optional"]


def test_what_was_imported_before_stays_as_it_is(library):
    early = importlib.import_module("spared_optional")
    with sparing(hidden={"spared_optional"}, late={"spared_package.late"}):
        assert importlib.import_module("spared_library").spared_optional is early


def test_other_threads_import_what_is_hidden_from_this_one(library):
    found = []
    with sparing(hidden={"spared_optional"}):
        thread = threading.Thread(target=lambda: found.append(importlib.import_module("spared_optional")))
        thread.start()
        thread.join()
    assert [module.__name__ for module in found] == ["spared_optional"]


def test_a_late_module_that_is_not_installed_is_an_error_at_once(library):
    with sparing(late={"spared_missing"}), pytest.raises(ModuleNotFoundError, match="spared_missing"):
        importlib.import_module("spared_missing")
