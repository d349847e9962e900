"""Make a small synthetic BIDS data set to try the app on: no download, no person, the true cord known."""

from bids_deepseg.example.dataset import write_example

__all__ = ["write_example"]
