"""Hold the settings of the reference method and its constants."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bids_deepseg.errors import UsageError

Contrast = Literal["t1", "t2", "t2s", "dwi"]
Way = Literal["svm", "cnn", "viewer", "file"]
Kernel = Literal["2d", "3d"]
Quirks = Literal["fixed", "all"]

#: Percentiles that become 0 and 255 [1.2].
SCALE_PERCENTILES = (2.0, 98.0)

#: Probability above which the detection network's pixels count [1.2].
DETECTION_THRESHOLD = 0.5

#: Slices without cord in a row that end the search; with all quirks one more, and other ones count [1.2, Q8, Q9].
MOST_MISSES = 10

#: Value above which the mask's pixels are kept after they were resampled to the native voxels [1.2].
NATIVE_THRESHOLD = 0.5

#: Threshold of the 3D networks when quirk Q13 is fixed: that of the release that brought them [1.10, June 2018], since
#: those of the table were tuned on the 2D networks' output.
THRESHOLD_3D = 0.5

#: Interior runs of empty slices are filled if (slices + 1) * distance is less [1.8].
LONGEST_HOLE_MM = 10.0

#: Objects above the largest one are removed if they have a smaller share of its voxels [1.8].
SMALLEST_BLOB = 0.1

#: An end slice goes if its area is less than this share of the median of so many slices [1.8].
EDGE_SHARE, EDGE_SLICES = 0.5, 5

#: Weight of the squared slope when OptiC runs on an image [3.1].
SVM_SMOOTHNESS = 1.0

#: The same when the heat itself is the score, as in the releases before the quirk Q1 [1.9, Q1].
HEAT_SMOOTHNESS: Mapping[str, float] = MappingProxyType({"t1": 1.0, "t2": 1.0, "t2s": 7.0, "dwi": 1.0})

#: Whether the search watches for the brain unless told [1.1].
BRAIN: Mapping[str, bool] = MappingProxyType({"t1": True, "t2": True, "t2s": False, "dwi": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class SctSettings:
    """What a user can choose [1.1].

    Attributes
    ----------
    contrast : {"t1", "t2", "t2s", "dwi"}
        Contrast of the image; it decides on networks and constants.
    centerline : {"svm", "cnn", "viewer", "file"}
        How the cord is found; for ``viewer`` and ``file`` the centerline is given.
    kernel : {"2d", "3d"}
        Which network segments.
    threshold : float or None
        Probability above which a pixel of 0.5 mm is cord, in [0, 1]; None for that of network and contrast.
    soft : bool
        Whether the probability is the result (the reference's threshold -1).
    brain : bool or None
        Whether the search (``cnn`` only) ends above the cord; None for the contrast's default.
    quirks : {"fixed", "all"}
        Whether known faults are mended or repeated.

    Raises
    ------
    UsageError
        If settings are unknown or contradict each other.
    """

    contrast: Contrast
    centerline: Way = "svm"
    kernel: Kernel = "2d"
    threshold: float | None = None
    soft: bool = False
    brain: bool | None = None
    quirks: Quirks = "fixed"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("contrast", self.contrast, tuple(BRAIN)),
            ("centerline", self.centerline, ("svm", "cnn", "viewer", "file")),
            ("kernel", self.kernel, ("2d", "3d")),
            ("mode of quirks", self.quirks, ("fixed", "all")),
        ):
            if value not in known:
                raise UsageError(f"The {name} {value!r} is unknown to the sct profile. Choose {', '.join(known)}.")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"The threshold is {self.threshold}. A number from 0 to 1 is expected.")
        if self.soft and self.threshold is not None:
            raise UsageError("A soft result has no threshold. Give one or the other.")
        if self.brain is not None and self.brain and self.centerline != "cnn":
            raise UsageError(
                f"The search for the brain is part of the centerline method 'cnn', not of {self.centerline!r}. "
                "Choose that method, or leave out the option for the brain."
            )

    @property
    def all_quirks(self) -> bool:
        """Whether known faults are repeated."""
        return self.quirks == "all"

    @property
    def used_kernel(self) -> Kernel:
        """The kernel that runs: there is no 3D network for dwi, the reference takes the 2D one [1.1]."""
        return "2d" if self.contrast == "dwi" else self.kernel

    @property
    def watches_for_brain(self) -> bool:
        """Whether the search ends above the cord."""
        return BRAIN[self.contrast] if self.brain is None else self.brain

    def threshold_of(self, published: float) -> float:
        """Return the threshold that applies: the user's, or ``published``, the network's in the reference's table."""
        if self.threshold is not None:
            return self.threshold
        return THRESHOLD_3D if self.used_kernel == "3d" and not self.all_quirks else published
