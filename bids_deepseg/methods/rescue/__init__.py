"""Try other methods on an image where the first one failed, and keep the best by the same judge."""

from bids_deepseg.methods.rescue.attempts import Attempt, all_attempts
from bids_deepseg.methods.rescue.search import Rescued, Try, rescue

__all__ = ["Attempt", "Rescued", "Try", "all_attempts", "rescue"]
