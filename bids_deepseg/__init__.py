"""Segment the spinal cord on MRI: the public interface of the package.

Importing this package loads no network library and starts no logger.
"""

from bids_deepseg._metadata import __version__

__all__ = ["__version__"]
