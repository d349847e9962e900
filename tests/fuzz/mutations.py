"""Damage text and JSON at random, as editors, programs, disks and people do."""

import json
from copy import deepcopy

import numpy as np

#: Bits of text that readers stumble over.
NASTY = (
    *("\x00", "\x0b", "\x0c", "\x1c", "\x1d", "\x85", "\u2028", "\ufeff", "\r", "\n\n", "\t", "\t\t", '"', "'", "\\"),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1", "26", "1_000", "٣", "9" * 400, "9" * 5000, "0x10", "1e-400"),
    *(
        "[",
        "{",
        "]",
        "}",
        "[" * 3000,
        '{"a":' * 3000,
        ":",
        ",",
        "=",
        "- ",
        "- " * 500,
        "*a",
        "&a ",
        "<<: *a\n",
        "!!python/object:os.system x",
    ),
    *("n/a", "null", "true", "sub-", "sub-01", "é", "\ud83d\ude00", "../..", "/", "#", "%", "a" * 300, "a." * 300),
)

#: Values that take the place of others in JSON.
VALUES = (
    *(None, True, False, 0, -1, 26, 10**30, 10**400, 0.5, 1e308, "", " ", "x", "sub-02", "\x00", "\ud800", "pass"),
    *("é", "a" * 300, [], {}, [[]], [None], [1, "a"], {"a": {"b": []}}, ["a", "b"], "#1", "x#99999999999", "²"),
)

_ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-7", "shift-jis")


def mutated_text(rng: np.random.Generator, text: str) -> bytes:
    """Return the bytes of a text file after some damage."""
    for _ in range(rng.integers(0, 4)):
        at = int(rng.integers(0, len(text) + 1))
        kind = rng.integers(4)
        if kind == 0:
            text = text[:at] + NASTY[rng.integers(len(NASTY))] + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + int(rng.integers(1, 30)) :]
        elif kind == 2:
            text = text[:at] + text[at // 2 : at] + text[at:]
        else:
            text = text.replace("\n", str(rng.choice(["\r\n", "\r", "\x85", "\u2028", "\n\n", " "])))
    return mutated_bytes(rng, text.encode("utf-8", "surrogatepass"), text)


def mutated_bytes(rng: np.random.Generator, content: bytes, text: str = "") -> bytes:
    """Return bytes after some damage, or in another encoding."""
    kind = rng.integers(8)
    if kind == 0 and text:
        return text.encode(_ENCODINGS[rng.integers(len(_ENCODINGS))], "replace")
    if kind == 1:
        return content[: rng.integers(0, len(content) + 1)]
    if kind == 2:
        return rng.bytes(int(rng.integers(0, 200)))
    if kind in (3, 4):
        changed = bytearray(content)
        for _ in range(rng.integers(1, 6)):
            if changed:
                changed[rng.integers(len(changed))] = rng.integers(256)
        return bytes(changed)
    return content


def mutated_json(rng: np.random.Generator, content: object) -> bytes:
    """Return the bytes of a JSON file in which some values were replaced."""
    content = deepcopy(content)
    for _ in range(rng.integers(1, 4)):
        places = list(_places(content))
        if places:
            node, key = places[rng.integers(len(places))]
            if rng.integers(6) == 0:
                del node[key]
            else:
                value = deepcopy(VALUES[rng.integers(len(VALUES))])
                node[key] = _number(rng) if rng.integers(8) == 0 else value
    return mutated_text(rng, json.dumps(content)) if rng.integers(3) == 0 else json.dumps(content).encode()


def _number(rng: np.random.Generator) -> float:
    """Return a number that JSON may or may not hold."""
    return float(rng.choice([np.nan, np.inf, -np.inf, 1e300, -0.0, 1e-300, 2.5]))


def _places(node):
    """Yield all containers with each of their keys."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])
