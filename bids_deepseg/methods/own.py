"""Load each network of the package once in a process, whatever the settings that ask for it."""

import functools

from bids_deepseg.networks.loading import load_own
from bids_deepseg.networks.predictor import Predictor


@functools.cache
def load_once(name: str) -> Predictor:
    """Return a network of the package, loaded when it is first asked for; a network does not change.

    Raises
    ------
    NetworkError
        If its weights are missing or changed.
    """
    return load_own(name)
