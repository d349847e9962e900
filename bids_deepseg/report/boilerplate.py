"""Render the methods text of a data set of results: Markdown, HTML and the references as BibTeX.

The text follows from the facts alone: the same facts give the same bytes, and no date is in it. Markdown and HTML
come from one template of paragraphs, in which everything that is not prose passes through :class:`_Style`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import jinja2
from markupsafe import Markup, escape

from bids_deepseg.report.environment import new_environment
from bids_deepseg.report.references import Reference, references


@dataclass(frozen=True, slots=True)
class NetworkFact:
    """A network that made results.

    Attributes
    ----------
    name : str
        Name of the network.
    sha256 : str
        Checksum of its weights.
    n_images : int
        Images with a result that it made.
    """

    name: str
    sha256: str
    n_images: int


@dataclass(frozen=True, slots=True)
class MethodsFacts:
    """What the methods text states; counts are of images unless said otherwise.

    Attributes
    ----------
    versions : mapping of str to int
        Versions of the app that made the results, with counts.
    software : mapping of str to str
        Versions of Python and the libraries by name.
    networks : tuple of NetworkFact
        In the order of their use.
    n_participants, n_images : int
        Participants and images with a result.
    kinds : mapping of str to int
        Kinds of images (suffix).
    thresholds : mapping of str to int
        Probabilities from which a voxel counted as cord.
    options : mapping of str to mapping of str to int
        For each option that changes results, its values.
    n_averaged : int
        Images that are the mean of several volumes of a series.
    verdicts : mapping of str to int
        Verdicts of the quality checks.
    failures : mapping of str to int
        Images without result by status.
    n_drawn : int
        Images whose mask a person drew; thresholds and options do not count them.
    structures : mapping of str to int
        What was segmented inside the cord.
    """

    versions: Mapping[str, int]
    software: Mapping[str, str]
    networks: tuple[NetworkFact, ...]
    n_participants: int
    n_images: int
    kinds: Mapping[str, int]
    thresholds: Mapping[str, int]
    options: Mapping[str, Mapping[str, int]]
    n_averaged: int
    verdicts: Mapping[str, int]
    failures: Mapping[str, int]
    n_drawn: int = 0
    structures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MethodsText:
    """The text in its three forms, and the parts that another page shows.

    Attributes
    ----------
    markdown, html, bibtex : str
        Whole documents.
    paragraphs : tuple of Markup
        The text in HTML, with links to ``#<key>`` of each work.
    works : tuple of Reference
        The works.
    """

    markdown: str
    html: str
    bibtex: str
    paragraphs: tuple[Markup, ...]
    works: tuple[Reference, ...]


def render_methods(facts: MethodsFacts, *, app: str = "bids_deepseg") -> MethodsText:
    """Render the methods text.

    Parameters
    ----------
    facts : MethodsFacts
        What is known of the results.
    app : str, optional
        Name of the app.

    Returns
    -------
    MethodsText
        Markdown with citations in the form of Pandoc, a complete HTML page, and BibTeX.
    """
    works = references()
    page = _environment(autoescape=True)
    # The paragraphs are escaped when they are rendered.
    paragraphs = tuple(map(Markup, _render_paragraphs(page, _HtmlStyle(works), facts, app)))
    plain = _environment(autoescape=False)
    text = "\n\n".join(_render_paragraphs(plain, _Style(works), facts, app))
    return MethodsText(
        markdown=plain.get_template("citation.md").render(text=text, works=works),
        html=page.get_template("citation.html").render(paragraphs=paragraphs, works=works, app=app),
        bibtex=plain.get_template("citation.bib").render(works=works),
        paragraphs=paragraphs,
        works=works,
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """How citations and names are written in Markdown."""

    works: tuple[Reference, ...]

    def cite(self, *keys: str) -> str:
        """Return a citation."""
        self.check(keys)
        return f"[{'; '.join(f'@{key}' for key in keys)}]"

    def code(self, value: object) -> str:
        """Return a name or a value that came from a file."""
        return f"`{str(value).replace('`', '')}`"

    def check(self, keys: tuple[str, ...]) -> None:
        """Refuse to cite a work that is not listed."""
        unknown = set(keys) - {work.key for work in self.works}
        if unknown:
            raise KeyError(f"Not in the list of references: {sorted(unknown)}")


@dataclass(frozen=True, slots=True)
class _HtmlStyle(_Style):
    """How citations and names are written in HTML."""

    def cite(self, *keys: str) -> str:
        """Return a citation with links to the list below."""
        self.check(keys)
        short = {work.key: work.short for work in self.works}
        return Markup("(") + Markup("; ").join(Markup('<a href="#{}">{}</a>').format(k, short[k]) for k in keys) + ")"

    def code(self, value: object) -> str:
        """Return a name or a value that came from a file."""
        return Markup("<code>") + escape(str(value)) + Markup("</code>")


def _render_paragraphs(environment: jinja2.Environment, style: _Style, facts: MethodsFacts, app: str) -> list[str]:
    """Render the prose; paragraphs are separated by empty lines, other line breaks are spaces."""
    prose = environment.overlay(finalize=_in_one_line).get_template("citation.prose")
    text = prose.render(facts=facts, app=app, cite=style.cite, code=style.code)
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


@cache
def _environment(*, autoescape: bool) -> jinja2.Environment:
    """Return the environment of the templates of the methods text."""
    environment = new_environment(autoescape=autoescape)
    environment.filters["images"] = _images
    environment.filters["listed"] = _listed
    return environment


def _in_one_line(value: object) -> object:
    """Return a value that is put into the prose without line breaks, which would end a paragraph."""
    return value.replace("\n", " ") if isinstance(value, str) else value


def _images(count: int) -> str:
    """Return a number of images in words."""
    return f"{count} image{'' if count == 1 else 's'}"


def _listed(parts: list[str]) -> str:
    """Join parts as in a sentence: ``a, b and c``."""
    *most, last = parts
    separator = Markup(", ") if isinstance(last, Markup) else ", "
    return separator.join(most) + " and " + last if most else last
