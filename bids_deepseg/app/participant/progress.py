"""Count what is done, and put durations into words."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    n_total : int
        Images to segment.
    n_ended : int
        Images that ended, well or not.
    """

    n_total: int
    n_ended: int = 0
    _begin: float = field(default_factory=time.monotonic)

    def step(self) -> tuple[str, str]:
        """Count one image; return the text before and after its line."""
        self.n_ended += 1
        n_left = self.n_total - self.n_ended
        rate = (time.monotonic() - self._begin) / self.n_ended
        width = len(str(self.n_total))
        left = f", about {duration(rate * n_left)} left" if n_left else ""
        return f"[{self.n_ended:{width}d}/{self.n_total}] ", left


def duration(seconds: float) -> str:
    """Return a duration in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
