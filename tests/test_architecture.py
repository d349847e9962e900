"""The house rules, read off the source code."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bids_deepseg"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: What each room may import from the others; ``errors`` and ``_metadata`` are open to all. A room that is not listed
#: here is refused. ``docs/architecture.md`` shows the same table.
MAY_IMPORT = {
    "terminal": {"files"},
    "logs": {"terminal"},
    "files": set(),
    "geometry": set(),
    "networks": {"files"},
    "stages": {"geometry", "networks"},
    "judge": {"geometry", "stages"},
    "structures": {"geometry", "networks", "stages"},
    "options": {"files", "structures"},
    "methods": {"geometry", "judge", "networks", "options", "stages"},
    "pipeline": {"geometry", "judge", "methods", "networks", "options", "stages", "structures"},
    "engine": {"geometry", "methods", "networks", "options", "pipeline", "stages", "structures"},
    "rescue": {"engine", "geometry", "judge", "options", "stages"},
    "bids": {"files", "geometry", "networks", "stages", "structures"},
    "execution": {"logs"},
    "report": {"geometry", "judge", "stages"},
    "review": {"bids", "files", "geometry", "options"},
    "example": {"geometry"},
    "training": {"geometry", "judge", "methods", "networks", "options", "pipeline", "stages", "structures"},
}
OPEN_TO_ALL = {"errors", "_metadata", "__init__"}
#: The rooms on top may import anything but the training, and ``app`` knows no command line.
TOP = {"app": {"cli", "training"}, "cli": {"training"}, "__main__": {"training"}}


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    for node in ast.walk(tree_of(path)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "bids_deepseg":
                names = [f"bids_deepseg.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "bids_deepseg" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    room = room_of(path)
    used = set(imported_rooms(path)) - OPEN_TO_ALL - {room}
    if room in TOP:
        assert not used & TOP[room]
    elif room not in OPEN_TO_ALL:
        assert used <= MAY_IMPORT[room], f"{room} imports {used - MAY_IMPORT[room]}"


def documented_rooms():
    """Yield each room of the table in the document, and the cell that says what it may import."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = text.partition("\n## Rooms\n")[2].partition("\n## ")[0].splitlines()
    for row in rows:
        if row.startswith("| `"):
            name, _, imports = row.strip("|").split(" | ")
            yield name.strip(" `").removesuffix("/").removesuffix(".py"), imports.strip()


def test_the_document_shows_the_same_table_of_rooms():
    shown = {room: set() if cell == "-" else set(cell.split(", ")) for room, cell in documented_rooms()}
    expected = MAY_IMPORT | {
        room: {f"all but {names[0]}", *names[1:]} for room, forbidden in TOP.items() for names in [sorted(forbidden)]
    }
    # ``__main__`` only calls the command line.
    assert shown == {room: allowed for room, allowed in expected.items() if room != "__main__"}


def test_the_document_names_only_what_the_code_has():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+(?:\.(?:py|md)|/))`", text))
    there = {name for name in named if any((base / name).exists() for base in (PACKAGE, ROOT)) or _is_in_room(name)}
    assert named
    assert named == there
    words = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in MODULES)))
    assert set(re.findall(r"`(?:[A-Za-z]+\.)*([A-Za-z]\w*[A-Z_]\w*)`", text)) <= words


def _is_in_room(name):
    """Return whether a name without a folder is that of a module or folder somewhere in the package."""
    return "/" not in name.rstrip("/") and next(PACKAGE.rglob(name.rstrip("/")), None) is not None


FORBIDDEN_CALLS = {"print", "exit", "chdir", "filterwarnings", "basicConfig"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_hidden_state_outside_of_the_command_line(path):
    if room_of(path) in {"cli", "logs", "training"}:
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert name not in FORBIDDEN_CALLS, f"{name} in line {node.lineno}"
        assert not isinstance(node, ast.Global), f"global in line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                assert body[-1].end_lineno - body[0].lineno + 1 <= 60, node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path))


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, bids_deepseg.cli.main; heavy = {'tensorflow', 'keras', 'pandas', 'bids', 'nibabel', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
