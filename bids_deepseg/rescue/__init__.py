"""Try other methods on an image where the first one failed, and keep the best by the same judge."""

from bids_deepseg.rescue.attempts import STACKS, Attempt, all_attempts
from bids_deepseg.rescue.search import FIRST, Rescued, rescue

__all__ = ["FIRST", "STACKS", "Attempt", "Rescued", "all_attempts", "rescue"]
