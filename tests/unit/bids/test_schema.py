"""The package's own table of entities agrees with the schema of the standard, which is too slow to load for --help."""

from bids.layout import Config
from bidsschematools.schema import load_schema

from bids_deepseg.bids.naming import ENTITIES

#: Of templates; no image of a participant has them.
_OF_TEMPLATES = {"tpl", "cohort"}


def test_the_entities_and_their_order_are_those_of_the_schema():
    schema = load_schema()
    keys = [schema.objects.entities[name].name for name in schema.rules.entities]
    assert [key for key in keys if key not in _OF_TEMPLATES] == list(ENTITIES)


def test_the_long_names_are_those_of_pybids():
    known = {entity.name for entity in Config.load("bids").entities.values()}
    known |= {entity.name for entity in Config.load("derivatives").entities.values()}
    # pybids has no name for these.
    assert set(ENTITIES.values()) - known == {"split", "scale"}
