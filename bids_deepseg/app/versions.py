"""Read the versions of Python and of the libraries from their metadata, without importing them."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

#: Names shown to users, and the distributions that may provide each.
_LIBRARIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TensorFlow", ("tensorflow-cpu", "tensorflow")),
    ("OpenVINO", ("openvino",)),
    ("Keras", ("keras",)),
    ("nibabel", ("nibabel",)),
    ("NumPy", ("numpy",)),
    ("SciPy", ("scipy",)),
)


def software_versions() -> Mapping[str, str]:
    """Return the versions by name, Python first; a library that is not installed is left out."""
    found = {"Python": platform.python_version()}
    for name, distributions in _LIBRARIES:
        for distribution in distributions:
            try:
                found.setdefault(name, version(distribution))
            except PackageNotFoundError:
                continue
    return found
