"""Make the environment in which templates are rendered; what they are compiled to is kept for the next page."""

import math
from functools import cache
from urllib.parse import quote

import jinja2


def new_environment(*, autoescape: bool) -> jinja2.Environment:
    """Return an environment for the templates of this room: of HTML with ``autoescape``, of plain text without."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("bids_deepseg.report"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def page_template(name: str) -> jinja2.Template:
    """Return the template of a page, by the name of its file."""
    environment = new_environment(autoescape=True)
    environment.tests["known"] = lambda value: value is not None and math.isfinite(value)
    # Also slashes: a label is a part of a file name.
    environment.filters["link_part"] = lambda text: quote(text, safe="", errors="replace")
    return environment.get_template(name)
