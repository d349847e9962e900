"""Draw the brightness of the tissues, one set for one image.

Brightness is in units of the brightest common tissue, about 1. The ranges follow what each weighting shows at 1.5-7 T;
they are wide, since a network that has seen every plausible contrast needs no contrast option [1]_.

References
----------
.. [1] Billot B, et al. SynthSeg. Medical Image Analysis 86 (2023) 102789.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Tissues:
    """Brightness of each tissue, and the mode that it was drawn from."""

    mode: str
    air: float
    fat: float
    muscle: float
    marrow: float
    cortical: float
    disc: float
    ligament: float
    csf: float
    white: float
    grey: float
    vessel: float
    epidural: float


_ORDER = (
    "air", "fat", "muscle", "marrow", "cortical", "disc", "ligament", "csf", "white", "vessel", "epidural",
)  # fmt: skip
#: Range of each tissue in the order of ``_ORDER``; grey matter is drawn relative to white matter.
_RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "t2": ((0, 0.02), (0.3, 1.1), (0.08, 0.3), (0.12, 0.6), (0, 0.1), (0.1, 0.8), (0, 0.12),
           (0.75, 1.2), (0.22, 0.6), (0, 1.0), (0.1, 1.0)),
    # Fat suppressed by inversion (STIR) or saturation.
    "t2_fatless": ((0, 0.03), (0, 0.2), (0.1, 0.4), (0.03, 0.3), (0, 0.1), (0.1, 0.8), (0, 0.15),
                   (0.75, 1.2), (0.22, 0.65), (0, 1.0), (0.02, 0.4)),
    "t1": ((0, 0.02), (0.8, 1.4), (0.3, 0.6), (0.3, 1.0), (0, 0.15), (0.2, 0.5), (0.02, 0.2),
           (0.08, 0.4), (0.45, 0.85), (0.0, 1.0), (0.2, 1.1)),
    "t1_faint": ((0, 0.03), (0.6, 1.3), (0.3, 0.65), (0.25, 0.8), (0, 0.3), (0.2, 0.5), (0.05, 0.3),
                 (0.25, 0.5), (0.4, 0.62), (0.0, 0.9), (0.2, 0.9)),
    "t2s": ((0, 0.03), (0.2, 0.9), (0.25, 0.65), (0.03, 0.35), (0, 0.12), (0.25, 0.9), (0.02, 0.25),
            (0.65, 1.15), (0.35, 0.7), (0.1, 1.3), (0.1, 0.9)),
    "dwi": ((0, 0.04), (0.0, 0.2), (0.0, 0.2), (0.0, 0.15), (0, 0.05), (0, 0.2), (0, 0.06),
            (0.0, 0.4), (0.6, 1.1), (0.0, 0.15), (0.0, 0.2)),
    "mt": ((0, 0.03), (0.4, 1.1), (0.2, 0.6), (0.15, 0.6), (0, 0.2), (0.2, 0.7), (0.02, 0.3),
           (0.5, 1.0), (0.35, 0.7), (0.1, 1.2), (0.1, 0.9)),
    "t2s_faint": ((0, 0.04), (0.2, 0.9), (0.2, 0.65), (0.03, 0.35), (0, 0.12), (0.2, 0.9), (0.02, 0.3),
                  (0.4, 1.0), (0.35, 0.7), (0.1, 1.3), (0.1, 0.9)),
    "random": ((0, 0.1), (0.05, 1.1), (0.05, 1.0), (0.05, 1.0), (0, 0.5), (0.05, 1.0), (0, 0.6),
               (0.05, 1.1), (0.05, 1.1), (0, 1.1), (0.05, 1.0)),
}  # fmt: skip
_WEIGHTS = {"t2": 0.20, "t2_fatless": 0.06, "t1": 0.12, "t1_faint": 0.11, "t2s": 0.15, "t2s_faint": 0.14, "dwi": 0.07,
            "mt": 0.11, "random": 0.10}  # fmt: skip
#: Grey matter over white matter: lower range, upper range.
_GREY = {"t2": (0.95, 1.3), "t2_fatless": (0.95, 1.3), "t1": (0.75, 1.0), "t1_faint": (0.8, 1.02), "t2s": (1.0, 1.5),
         "t2s_faint": (1.0, 1.4),
         "dwi": (0.75, 1.1), "mt": (1.0, 1.35), "random": (0.6, 1.5)}  # fmt: skip
#: White matter over CSF in "t2s_faint": long echo trains, thick slices and flowing fluid leave little between them.
_FAINT_RATIO = (0.68, 1.06)
#: Least difference of cord and CSF, below which no outline is left to learn.
_LEAST_CONTRAST = 0.06
_LEAST_CONTRAST_FAINT = 0.03


def draw_tissues(rng: np.random.Generator) -> Tissues:
    """Draw a mode and the brightness of each tissue within the mode's range."""
    names = list(_WEIGHTS)
    weights = np.array(list(_WEIGHTS.values()))
    mode = names[rng.choice(len(names), p=weights / weights.sum())]
    low, high = np.array(_RANGES[mode]).T
    values = dict(zip(_ORDER, (float(v) for v in rng.uniform(low, high)), strict=True))
    if mode == "t2s_faint":
        values["white"] = values["csf"] * float(rng.uniform(*_FAINT_RATIO))
    tissues = Tissues(mode=mode, grey=values["white"] * float(rng.uniform(*_GREY[mode])), **values)
    difference = tissues.csf - tissues.white
    least = _LEAST_CONTRAST_FAINT if mode == "t2s_faint" else _LEAST_CONTRAST
    if abs(difference) < least:
        sign = 1.0 if difference >= 0 else -1.0
        tissues = replace(tissues, csf=max(0.0, tissues.white + sign * least))
    return tissues
