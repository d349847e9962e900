"""Hypothesis strategies for BIDS names."""

from pathlib import Path

from hypothesis import strategies as st

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ENTITIES

#: Entities that a raw image may carry beside subject and session, and two that BIDS does not know.
_NOT_RAW = {"sub", "ses", "space", "label", "desc", "res", "den", "atlas", "seg", "scale"}
RAW_ENTITIES = (*(name for key, name in ENTITIES.items() if key not in _NOT_RAW), "foo", "bar")

_ALPHANUMERIC = "abcXYZ0189"

labels = st.text(_ALPHANUMERIC, min_size=1, max_size=4)
numbers = st.integers(1, 12).map(str)
_NUMERIC = {"run", "echo", "flip", "inv", "split", "chunk"}
_FIXED = {"mt": ("on", "off"), "part": ("mag",), "hemi": ("L", "R")}


def values_of(name):
    """Return a strategy for the values of an entity."""
    if name in _FIXED:
        return st.sampled_from(_FIXED[name])
    return numbers if name in _NUMERIC else labels


@st.composite
def bids_images(draw, datatypes=("anat", "dwi")):
    """Draw an image with any entities that a name can carry."""
    datatype = draw(st.sampled_from(datatypes))
    suffix = "dwi" if datatype == "dwi" else draw(st.sampled_from(["T1w", "T2w", "T2starw", "MTS", "MEGRE", "UNIT1"]))
    chosen = draw(st.lists(st.sampled_from(RAW_ENTITIES), unique=True, max_size=6))
    entities = {"subject": draw(labels)}
    if draw(st.booleans()):
        entities["session"] = draw(labels)
    entities |= {name: draw(values_of(name)) for name in chosen}
    return build_image(entities, suffix, datatype)


def build_image(entities, suffix, datatype):
    """Return the image with these entities, its file name in BIDS order."""
    short = {long: key for key, long in ENTITIES.items()}
    order = [*ENTITIES.values(), *sorted(set(entities) - set(ENTITIES.values()))]
    pairs = [f"{short.get(name, name)}-{entities[name]}" for name in order if name in entities]
    folder = Path("/data", *pairs[: 1 + ("session" in entities)], datatype)
    return BidsImage(folder / ("_".join([*pairs, suffix]) + ".nii.gz"), Path("/data"), entities, suffix, datatype)
