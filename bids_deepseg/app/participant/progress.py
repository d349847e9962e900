"""Count what is done, know what is at hand, and put durations into words."""

import time
from dataclasses import dataclass, field

from bids_deepseg.execution import Job


@dataclass(slots=True)
class Progress:
    """How far a run is; another thread may read it at any time.

    Attributes
    ----------
    n_total : int
        Images to segment.
    in_lines : bool
        Whether the line of each image tells it; with a bar, it does not.
    n_ended : int
        Images that ended, well or not.
    at_hand : tuple of str
        Images that are worked on, the first to begin first.
    """

    n_total: int
    in_lines: bool = True
    n_ended: int = 0
    at_hand: tuple[str, ...] = ()
    _begin: float = field(default_factory=time.monotonic)
    _last: float = field(default_factory=time.monotonic)

    def begin(self, job: Job) -> None:
        """Note that an image is worked on; one that is begun again counts once."""
        self.at_hand = (*(name for name in self.at_hand if name != job.name), job.name)

    def step(self, name: str) -> tuple[str, str]:
        """Count one image; return the text before and after its line."""
        self.n_ended += 1
        self.at_hand = tuple(each for each in self.at_hand if each != name)
        self._last = time.monotonic()
        if not self.in_lines:
            return "", ""
        width = len(str(self.n_total))
        left = self.seconds_left(self._last)
        return f"[{self.n_ended:{width}d}/{self.n_total}] ", f", about {duration(left)} left" if left else ""

    @property
    def per_minute(self) -> float:
        """Images that ended in a minute, on average."""
        return 60 * self.n_ended / max(self._last - self._begin, 1e-9)

    def seconds_left(self, now: float) -> float | None:
        """Return the time left from the average so far, counted down since the last image.

        Parameters
        ----------
        now : float
            Moment of the monotonic clock.

        Returns
        -------
        float or None
            Seconds; None before the first image ended and after the last.
        """
        n_left = self.n_total - self.n_ended
        if not self.n_ended or not n_left:
            return None
        return max(0.0, 60 * n_left / self.per_minute - (now - self._last))


def duration(seconds: float) -> str:
    """Return a duration in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
