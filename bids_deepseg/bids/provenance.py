"""State where a result comes from: the contents of the JSON sidecars and the stamp that decides on a second run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bids_deepseg.bids.naming import PRODUCTS

if TYPE_CHECKING:
    from bids_deepseg.networks.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class RunStamp:
    """Everything beside the image that decides on the result.

    Attributes
    ----------
    version : str
        Version of the app.
    models : tuple of ModelSpec
        Networks in the order of their use; the last one is thresholded.
    options : mapping of str to (str, int, float, bool or None)
        Options that change results.
    products : tuple of str
        Products that are written, keys of :data:`bids_deepseg.bids.naming.PRODUCTS`; ``mask`` and ``morph`` always.
    """

    version: str
    models: tuple["ModelSpec", ...]
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    products: tuple[str, ...] = tuple(PRODUCTS)

    @property
    def config_hash(self) -> str:
        """Return the sha256 of version, checksums of the networks, threshold and options."""
        raise NotImplementedError
