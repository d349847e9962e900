"""Render the report of one participant: one HTML page that needs nothing else.

The page opens from disk without network, is readable without scripts, and is the same for the same input.
"""

from collections.abc import Iterable

from bids_deepseg.report.boilerplate import MethodsText
from bids_deepseg.report.environment import page_template
from bids_deepseg.report.histogram import AROUND_MM
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.section import Section, make_section
from bids_deepseg.report.views import UNSURE

_APP = "bids_deepseg"


def render_participant(
    subject: str,
    images: Iterable[ReportImage],
    *,
    version: str,
    dataset: str = "",
    title: str = "",
    identity: str = "",
    methods: MethodsText | None = None,
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
    identity : str, optional
        Word for the data set, by which the browser tells its judgements from those of others.
    methods : MethodsText, optional
        Methods text about these images.

    Returns
    -------
    str
        A complete HTML document.
    """
    sections = [make_section(image, f"image-{index}") for index, image in enumerate(images, start=1)]
    return page_template("participant.html").render(
        title=title or f"sub-{subject}",
        sections=sections,
        counts=_count(sections),
        version=version,
        dataset=dataset,
        identity=identity,
        app=_APP,
        unsure=UNSURE,
        around_mm=AROUND_MM,
        methods=methods,
    )


def _count(sections: Iterable[Section]) -> dict[str, int]:
    """Count the sections by verdict, worst first."""
    order = ("failed", "fail", "warn", "pass", "none")
    verdicts = [section.verdict for section in sections]
    return {verdict: verdicts.count(verdict) for verdict in order if verdict in verdicts}
