"""Write ``descriptor.json``, the description of the command line for Boutiques, from the declared options.

``python boutiques/generate.py`` writes it again; a test compares. The exit codes are those of ``docs/usage.md``.
"""

import json
import re
from pathlib import Path
from typing import Any

from bids_deepseg import __version__
from bids_deepseg.options.declare import Option, options_of
from bids_deepseg.options.parsing import arrange, build_parser
from bids_deepseg.options.run import LEVELS, RunOptions

HERE = Path(__file__).resolve().parent
DESCRIPTOR = HERE / "descriptor.json"
INVOCATION = HERE / "invocation.json"

#: These stand first in the command line, in this order: ``bosh validate --bids`` demands it.
_FIRST = ("participant_label", "session_label")


def build_descriptor() -> dict[str, Any]:
    """Return the descriptor."""
    options = {option.destination: option for option in options_of(RunOptions)}
    names = [*_FIRST, *(name for name in options if name not in _FIRST)]
    keys = " ".join(f"[{name.upper()}]" for name in names)
    return {
        "name": "bids_deepseg",
        "description": "BIDS App that segments the spinal cord on MRI",
        "tool-version": __version__,
        "schema-version": "0.5",
        "author": "bids_deepseg developers",
        "command-line": f"mkdir -p [OUTPUT_DIR]; run.py [BIDS_DIR] [OUTPUT_DIR] [ANALYSIS_LEVEL] {keys}",
        "container-image": {"type": "docker", "image": f"bids_deepseg:{__version__}"},
        **_tool_doi(),
        "inputs": [*_positional(), *(_input(name, options[name]) for name in names)],
        "groups": _groups(),
        "output-files": [
            {
                "id": "outputs",
                "name": "Results",
                "description": "BIDS derivative data set: masks, tables, reports and logs",
                "path-template": "[OUTPUT_DIR]",
            }
        ],
        "error-codes": _error_codes(),
        "suggested-resources": {"cpu-cores": 2, "ram": 4, "disk-space": 1, "walltime-estimate": 600},
        "tags": {"domain": ["neuroinformatics", "mri", "spinal cord"], "bids": ["bids app"]},
        "tests": [
            {
                "name": "participant level",
                "invocation": json.loads(INVOCATION.read_text(encoding="utf-8")),
                "assertions": {"exit-code": 0},
            }
        ],
    }


def _positional() -> list[dict[str, Any]]:
    """Return the inputs without flag; the output folder is a name or a folder that exists."""
    output = {"value-key": "[OUTPUT_DIR]", "optional": True}
    return [
        {
            "id": "bids_dir",
            "name": "Data set",
            "description": "Folder of a BIDS data set; it is never written to",
            "type": "File",
            "value-key": "[BIDS_DIR]",
        },
        {
            "id": "output_dir_name",
            "name": "Output folder, new",
            "description": "Folder of the results, created if needed",
            "type": "String",
            **output,
        },
        {
            "id": "output_dir",
            "name": "Output folder, existing",
            "description": "Folder of the results of earlier runs, which is completed",
            "type": "File",
            **output,
        },
        {
            "id": "analysis_level",
            "name": "Analysis level",
            "description": "participant: segment images; group: collect the results in the output folder",
            "type": "String",
            "value-key": "[ANALYSIS_LEVEL]",
            "value-choices": list(LEVELS),
        },
    ]


def _input(name: str, option: Option) -> dict[str, Any]:
    """Return the description of one option."""
    long = next(word for word in option.names if word.startswith("--"))
    found: dict[str, Any] = {
        "id": name,
        "name": long.removeprefix("--").replace("-", " ").capitalize(),
        "description": option.text,
        "value-key": f"[{name.upper()}]",
        "command-line-flag": long,
        "optional": True,
    }
    if option.count == "none":
        return found | {"type": "Flag"}
    if option.kind is int:
        found |= {"type": "Number", "integer": True}
    else:
        found |= {"type": "File" if option.metavar == "FILE" else "String"}
    if option.count == "many":
        found |= {"list": True, "list-separator": " "}
    # No default is stated: Boutiques would write it into every command line.
    return found | ({"value-choices": list(option.choices)} if option.choices else {})


def _groups() -> list[dict[str, Any]]:
    """Return which inputs belong together."""
    return [
        {
            "id": "output_folder",
            "name": "Output folder",
            "description": "Where the results go",
            "members": ["output_dir_name", "output_dir"],
            "mutually-exclusive": True,
            "one-is-required": True,
        }
    ]


def _error_codes() -> list[dict[str, Any]]:
    """Read the exit codes from the documentation; 0 is success by definition."""
    text = (HERE.parent / "docs" / "usage.md").read_text(encoding="utf-8")
    section = text.split("## Exit codes")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([0-9, ]+) \| (.+) \|$", section, re.MULTILINE)
    codes = ((int(number), meaning) for numbers, meaning in rows for number in numbers.split(","))
    return [{"code": code, "description": meaning.replace("`", "")} for code, meaning in codes if code]


def _tool_doi() -> dict[str, str]:
    """Return the DOI of the app as soon as ``CITATION.cff`` states one."""
    text = (HERE.parent / "CITATION.cff").read_text(encoding="utf-8")
    found = re.search(r"^doi: (\S+)$", text, re.MULTILINE)
    return {"tool-doi": found[1]} if found else {}


def format_descriptor() -> str:
    """Return the content of ``descriptor.json``, after the parser has accepted all flags."""
    descriptor = build_descriptor()
    known = {word for action in build_parser()._actions for word in action.option_strings}
    flags = {flag for each in descriptor["inputs"] if (flag := each.get("command-line-flag"))}
    if unknown := {flag for flag in flags if arrange([flag], RunOptions)[0] not in known}:
        raise ValueError(f"The parser does not know {sorted(unknown)}, which are declared.")
    return json.dumps(descriptor, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DESCRIPTOR.write_text(format_descriptor(), encoding="utf-8")
