"""Hold the numbers of PropSeg: those of the published method, and those that this version adds."""

from dataclasses import dataclass

from bids_deepseg.errors import UsageError

#: Length of a tube, or the whole image if that is shorter.
MIN_LENGTH_MM = 20.0


@dataclass(frozen=True, slots=True)
class PropsegParameters:
    """What steers the tube: its growth from circles, the search of the border, and where it stops.

    Defaults without a remark are those of the reference method [1]_. Intensities are on the scale from 0 to 1000 to
    which :mod:`.field` brings the image.

    Attributes
    ----------
    radius_mm : float
        Radius of the cord that is looked for at the start.
    max_steps : int
        Steps of the propagation in each direction.
    max_area_mm2 : float
        Cross-section at which the propagation stops: at once from 1.2 times this area, from this area on if it grew by
        a seventh of it.
    min_area_mm2 : float
        Cross-section below which the mesh has collapsed (added; a human cord has 20 mm² and more).
    max_deformation_mm : float
        Mean displacement of the points of a step at which the propagation stops.
    min_contrast : float
        Contrast across the border, mean of the rings of a step, at which the propagation stops.
    min_agreement : float
        Share of the rays of a step that must see the contrast with the right sign (added: noise has contrast too, but
        only half of its rays agree).
    trade_off : float or None
        Price of the squared distance of an edge from the surface; None derives it from the contrast.
    search_steps, search_step_mm : int, float
        Samples along the normal on each side, and their distance.
    shape_weight : float
        Weight alpha of the internal force.
    step_mm, band_mm : float
        Length of a propagation step, and distance of its rings.
    coarse_sigma_mm, fine_sigma_mm : float
        Smoothing in plane of the edges among which the border is chosen, and of those to which it is moved.
    along_sigma_mm : float
        Smoothing along the cord of the former, twice that of the latter.
    min_edge, lost_part : float
        Bounded gradient across the border, from 0 to 1, below which a slice has lost the cord: in any case, and as part
        of that of most slices.
    max_growth, grown_area_mm2 : float
        Cross-section relative to the 30 mm before at which the cord has become the brain stem, if it is larger than the
        second number.
    bridged_mm : float
        Length of a stretch without border between good ones that is bridged.
    min_mean_edge, min_mean_score : float
        Mean bounded gradient, and mean score of the detector, of a tube that is believed: 0.4 and 0.8 or more in cords
        of the training data, 0.35 and less than 0 in white noise.
    min_mean_agreement : float
        Share of the rays that must see an edge of the right sign.

    References
    ----------
    .. [1] De Leener, Kadoury, Cohen-Adad (2014), Robust, accurate and fast automatic segmentation of the spinal cord,
       NeuroImage 98, 528-536; values as described for the tool ``sct_propseg``.
    """

    radius_mm: float = 4.0
    max_steps: int = 200
    max_area_mm2: float = 120.0
    min_area_mm2: float = 12.0
    max_deformation_mm: float = 2.5
    min_contrast: float = 50.0
    min_agreement: float = 0.6
    trade_off: float | None = None
    search_steps: int = 15
    search_step_mm: float = 0.2
    shape_weight: float = 25.0
    step_mm: float = 6.0
    band_mm: float = 2.0
    coarse_sigma_mm: float = 0.75
    fine_sigma_mm: float = 0.5
    along_sigma_mm: float = 2.0
    min_edge: float = 0.2
    lost_part: float = 0.55
    max_growth: float = 1.35
    grown_area_mm2: float = 95.0
    bridged_mm: float = 10.0
    min_mean_edge: float = 0.3
    min_mean_score: float = 0.25
    min_mean_agreement: float = 0.8

    def __post_init__(self) -> None:
        for name in ("radius_mm", "max_area_mm2", "max_deformation_mm", "search_step_mm", "shape_weight", "band_mm"):
            if not getattr(self, name) > 0:
                raise UsageError(f"PropSeg's {name} is {getattr(self, name)}. A positive number is expected.")
        if self.step_mm < self.band_mm:
            raise UsageError(f"PropSeg's step of {self.step_mm} mm is shorter than a band of {self.band_mm} mm.")


@dataclass(frozen=True, slots=True)
class ContrastKind:
    """What differs between images with bright and with dark fluid (spec of the reference method, section 5.2).

    Attributes
    ----------
    sign : int
        +1 where the image gets brighter from the cord to the fluid, -1 where it gets darker.
    ring_points : int
        Points of each ring while the tube propagates.
    start_contrast : float
        Contrast that is assumed before one was measured.
    """

    sign: int
    ring_points: int
    start_contrast: float


def contrast_kind(*, bright_fluid: bool) -> ContrastKind:
    """Return the numbers for t2-like images (bright fluid) or t1-like images (dark fluid)."""
    return ContrastKind(1, 15, 445.0) if bright_fluid else ContrastKind(-1, 20, 200.0)
