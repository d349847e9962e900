"""List what the app can segment besides the cord: one entry per task.

Terms: a *structure* is what a task finds inside the cord (grey matter, lesions); the cord itself is always segmented
first. An entry says how the structure is named and which networks find it; the function that does so stands under the
same name in :data:`bids_deepseg.structures.find.FINDERS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bids_deepseg.errors import UsageError

#: The task without a structure.
CORD = "cord"


@dataclass(frozen=True, slots=True)
class Task:
    """A structure inside the cord.

    Attributes
    ----------
    name : str
        Word of the command line.
    label : str
        Value of the entity ``label`` in the names of its files; GM and L are the words of BIDS.
    noun : str
        What it is called in a sentence.
    roi_type : str
        ``Type`` of the mask in its sidecar: ``ROI`` or ``Lesion``.
    threshold : float
        Probability from which a voxel of the cord is the structure.
    counted : bool
        Whether its separate objects are counted.
    own_network : str or None
        Network of this package, None if there is none.
    published : mapping of str to tuple of str
        Published networks by the contrast of the image (``any`` for all others), in the order of preference.
    """

    name: str
    label: str
    noun: str
    roi_type: str
    threshold: float
    counted: bool
    own_network: str | None
    published: Mapping[str, tuple[str, ...]]

    @property
    def products(self) -> tuple[str, str, str]:
        """Keys of its products: probability, table of measures, mask."""
        return (f"{self.name}_probseg", f"{self.name}_morph", f"{self.name}_mask")

    def published_for(self, contrast: str | None) -> tuple[str, ...]:
        """Return the names of the published networks for a contrast; empty if there is none."""
        return self.published.get(contrast or "any", self.published.get("any", ()))


#: All tasks besides the cord, by the word of the command line.
TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "gm": Task(
            name="gm",
            label="GM",
            noun="grey matter",
            roi_type="ROI",
            threshold=0.5,
            counted=False,
            own_network="grey",
            published={"any": ("gm_challenge", "gm_large")},
        ),
        "lesion": Task(
            name="lesion",
            label="L",
            noun="lesions",
            roi_type="Lesion",
            threshold=0.1,
            counted=True,
            own_network=None,
            published={"t2": ("t2_ax_lesion",), "t2s": ("t2s_lesion",)},
        ),
    }
)

#: Words of the command line; the first is the default.
TASK_NAMES = (CORD, *TASKS)


def task_of(name: str) -> Task | None:
    """Return the task of a word of the command line, None for the cord alone.

    Raises
    ------
    UsageError
        If there is no such task.
    """
    if name == CORD:
        return None
    if name not in TASKS:
        raise UsageError(f"There is no task {name!r}. Expected: {', '.join(TASK_NAMES)}.")
    return TASKS[name]
