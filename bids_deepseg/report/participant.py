"""Render the report of one participant: one HTML page that needs nothing else.

The page opens from disk without network, works without scripts, and is the same for the same input.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jinja2
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.hints import what_to_do
from bids_deepseg.report.reportlets import Figures, draw_figures, mean_area_mm2
from bids_deepseg.report.thumbnail import Thumbnail, draw_thumbnail
from bids_deepseg.report.views import UNSURE, CordImage, cord_image


@dataclass(frozen=True, slots=True, eq=False)
class ReportImage:
    """What the report shows about one image.

    Attributes
    ----------
    title : str
        Path of the source image relative to its data set.
    image : Volume or None
        The source image; None when it cannot be read.
    mask : Volume or None
        uint8 mask on the grid of the image; None when there is no result.
    probability : Volume or None
        float32 probability on the same grid.
    centerline_xyz : (N, 3) float array or None
        Course of the cord in RAS+ mm.
    morph : mapping of str to (K,) array
        Measures per native slice, the columns of :data:`bids_deepseg.stages.metrics.COLUMNS`, NaN without mask.
    verdict : {"pass", "warn", "fail"} or None
        Judgement of the result; None when there is none.
    status : str
        Word that says what became of the image, for example ``done`` or ``cord-not-found``.
    messages : tuple of str
        Findings, or what went wrong.
    facts : mapping of str to str
        Further rows of the table of facts: network, threshold, seconds.
    tries : tuple of mapping
        Methods that were tried, where the first did not content the judge: ``Method``, ``Verdict``, ``Score``,
        ``Reasons`` and ``Kept``.

    structure : Volume or None
        uint8 mask of a structure inside the cord.
    structure_noun : str
        What the structure is called.

    Raises
    ------
    ImageError
        If the grids of image, masks and probability differ.
    """

    title: str
    image: Volume | None = None
    mask: Volume | None = None
    probability: Volume | None = None
    centerline_xyz: NDArray[np.float64] | None = None
    morph: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    verdict: Literal["pass", "warn", "fail"] | None = None
    status: str = "done"
    messages: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    tries: tuple[Mapping[str, Any], ...] = ()
    structure: Volume | None = None
    structure_noun: str = ""

    def __post_init__(self) -> None:
        for other in (self.mask, self.probability, self.structure):
            if other is not None and (self.image is None or not self.image.grid.same_as(other.grid)):
                raise ImageError(f"The result of {self.title} does not lie on the grid of its image.")


@dataclass(frozen=True, slots=True)
class _Section:
    """One image, ready for the template."""

    anchor: str
    title: str
    verdict: str
    status: str
    advice: str
    messages: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    tries: tuple[Mapping[str, Any], ...]
    figures: Figures | None
    area: float | None
    n_slices: int | None
    structure_noun: str
    thumbnail: Thumbnail | None

    @property
    def has_mask(self) -> bool:
        """Whether there is a result to show."""
        return self.n_slices is not None


def render_participant(
    subject: str,
    images: Iterable[ReportImage],
    *,
    version: str,
    dataset: str = "",
    title: str = "",
    app: str = "bids_deepseg",
) -> str:
    """Render the report of one participant.

    Parameters
    ----------
    subject : str
        Label without ``sub-``.
    images : iterable of ReportImage
        All images of the participant, failed ones included; each is dropped after it is drawn.
    version : str
        Version of the app.
    dataset : str, optional
        Name of the source data set.
    title : str, optional
        What stands above the page: the participant by default.
    app : str, optional
        Name of the app.

    Returns
    -------
    str
        A complete HTML document.
    """
    sections = [_section(image, f"image-{index}") for index, image in enumerate(images, start=1)]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bids_deepseg.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("participant.html")
    return template.render(
        title=title or f"sub-{subject}",
        sections=sections,
        counts=_count(sections),
        version=version,
        dataset=dataset,
        app=app,
        unsure=UNSURE,
    )


def _section(image: ReportImage, anchor: str) -> _Section:
    """Draw one image."""
    done = image.mask is not None
    cord: CordImage | None = None
    figures: Figures | None = None
    area: float | None = None
    if image.image is not None:
        cord = cord_image(image.image, image.mask, image.probability, image.centerline_xyz, image.structure)
        figures = draw_figures(cord, image.morph)
        mean = mean_area_mm2(cord, image.morph)
        area = mean if np.isfinite(mean) else None
    return _Section(
        anchor=anchor,
        title=image.title,
        verdict=(image.verdict or "none") if done else "failed",
        status=image.status,
        advice="" if done else what_to_do(image.status),
        messages=tuple(image.messages),
        facts=tuple(_facts(image, cord, area)),
        tries=image.tries,
        figures=figures,
        area=area,
        n_slices=None if image.mask is None else int(image.mask.data.any(image.mask.grid.in_plane_axes).sum()),
        structure_noun=image.structure_noun,
        thumbnail=None if cord is None else draw_thumbnail(cord, anchor),
    )


def _facts(image: ReportImage, cord: CordImage | None, area: float | None) -> Iterable[tuple[str, str]]:
    """Yield the rows of the table of facts."""
    if image.image is not None:
        grid = image.image.grid
        yield "Voxels", f"{' x '.join(map(str, grid.shape))}, axes towards {'-'.join(grid.axcodes)}"
        yield "Voxel size", f"{' x '.join(f'{zoom:.2f}' for zoom in grid.zooms)} mm"
    if cord is not None and cord.mask is not None:
        present = np.flatnonzero(cord.mask.any((0, 1)))
        yield "Slices with mask", f"{len(present)} of {len(cord.numbers)}"
        if len(present):
            numbers = cord.numbers[present]
            yield "From slice to slice", f"{numbers.min()} to {numbers.max()}"
    if area is not None:
        yield "Mean area", f"{area:.1f} mm²"
    yield from ((str(name), str(value)) for name, value in image.facts.items())


def _count(sections: Iterable[_Section]) -> dict[str, int]:
    """Count the sections by verdict, worst first."""
    order = ("failed", "fail", "warn", "pass", "none")
    verdicts = [section.verdict for section in sections]
    return {verdict: verdicts.count(verdict) for verdict in order if verdict in verdicts}
