"""Fixtures and Hypothesis profiles of all tests."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=25, deadline=None)
# Machines that run the tests of every change are slow at times: no deadline.
settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A process has one backend for good, whatever test comes first: TensorFlow, unless the variable or a command says so.
if find_spec("tensorflow"):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20_261_122)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real images, or skip."""
    folder = Path(os.environ.get("BIDS_DEEPSEG_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not (folder / "dev").is_dir():
        pytest.skip(f"no real images: {folder} is absent (set BIDS_DEEPSEG_DATA)")
    return folder.resolve()


TESTS = Path(__file__).parent

#: Folders whose tests run the whole app or train a network: minutes, where the others take seconds.
_SLOW_FOLDERS = {"acceptance", "e2e", "training"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders."""
    for item in items:
        if _SLOW_FOLDERS & set(item.path.relative_to(TESTS).parts):
            item.add_marker(pytest.mark.slow)
