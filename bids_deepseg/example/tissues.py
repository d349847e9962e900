"""Give each tissue its brightness in each contrast, relative to cerebrospinal fluid in T2w.

The values follow healthy volunteers at 3 T: 3D fast spin echo (t2), 3D gradient echo with inversion (t1), axial
multi-echo gradient echo (t2s), diffusion-weighted echo-planar mean (dwi).
"""

from dataclasses import dataclass

from bids_deepseg.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tissues:
    """Brightness of the tissues in one contrast, and its noise.

    Attributes
    ----------
    noise : float
        Standard deviation of the noise in both channels.
    bias : float
        Strength of the slow change of brightness across the image, as a standard deviation of its logarithm.
    """

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
    artery: float
    vein: float
    noise: float
    bias: float


def tissues_of(contrast: str) -> Tissues:
    """Return the brightness of the tissues in ``contrast``: t1, t2, t2s or dwi."""
    table = {
        "t2": Tissues(
            air=0.0, fat=0.34, muscle=0.085, marrow=0.19, cortical=0.02, disc=0.2, ligament=0.03, csf=1.0,
            white=0.28, grey=0.34, artery=0.02, vein=0.3, noise=0.018, bias=0.28,
        ),
        "t1": Tissues(
            air=0.0, fat=1.15, muscle=0.58, marrow=0.72, cortical=0.08, disc=0.46, ligament=0.14, csf=0.27,
            white=0.8, grey=0.71, artery=0.18, vein=0.4, noise=0.032, bias=0.16,
        ),
        "t2s": Tissues(
            air=0.0, fat=0.66, muscle=0.46, marrow=0.13, cortical=0.04, disc=0.42, ligament=0.12, csf=0.98,
            white=0.58, grey=0.74, artery=1.15, vein=0.8, noise=0.025, bias=0.14,
        ),
        "dwi": Tissues(
            air=0.0, fat=0.05, muscle=0.1, marrow=0.06, cortical=0.02, disc=0.08, ligament=0.03, csf=0.12,
            white=0.9, grey=0.82, artery=0.03, vein=0.05, noise=0.03, bias=0.12,
        ),
    }  # fmt: skip
    if contrast not in table:
        raise UsageError(f"The contrast {contrast!r} is unknown. One of {', '.join(sorted(table))} is expected.")
    return table[contrast]
