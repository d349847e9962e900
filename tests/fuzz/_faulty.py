"""Targets that break their limits in some cases, to test the harness."""

import os
import time

from tests.fuzz.harness import Target


def _sometimes(act: Target) -> Target:
    """Return a target that breaks its limits in one case of three."""
    return lambda rng: "well" if rng.integers(3) else act(rng)


def _raise(_rng: object) -> str:
    raise ValueError("as it should")


def _hang(_rng: object) -> str:
    time.sleep(1000)
    return "woke"


def _hoard(_rng: object) -> str:
    return f"{len(bytearray(3 * 10**9))} bytes"


def _die(_rng: object) -> str:
    os._exit(3)


TARGETS = {
    "raises": _sometimes(_raise),
    "hangs": _sometimes(_hang),
    "hoards": _sometimes(_hoard),
    "dies": _sometimes(_die),
}
