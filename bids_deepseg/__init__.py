"""Segment the spinal cord on MRI: the public interface of the package.

Importing this package loads no network library and starts no logger; what it offers is imported at its first use.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from bids_deepseg._metadata import __version__

if TYPE_CHECKING:
    from bids_deepseg.app.python import segment
    from bids_deepseg.geometry.volume import Volume
    from bids_deepseg.stages.segmentation import Segmentation

__all__ = ["Segmentation", "Volume", "__version__", "segment"]

#: Where the public names come from.
_HOMES = MappingProxyType(
    {
        "Segmentation": "bids_deepseg.stages.segmentation",
        "Volume": "bids_deepseg.geometry.volume",
        "segment": "bids_deepseg.app.python",
    }
)


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the names of the module, those that are not imported yet included."""
    return sorted({*globals(), *__all__})
