"""Laws of the names of derivatives."""

import pytest
from bids.layout import parse_file_entities
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.naming import ENTITIES, PRODUCTS, ResultNames, derivative_path, find_collisions, parse_name
from tests.helpers.strategies import RAW_ENTITIES, bids_images, build_image, values_of

PRODUCT = st.sampled_from(list(PRODUCTS))


@given(bids_images(), PRODUCT)
def test_parse_is_the_inverse_of_format(image, product):
    path = derivative_path(image, product)
    assert parse_name(path.name).format() == path.name
    sidecar = ResultNames.of_image(image).sidecar(product).rpartition("/")[2]
    assert sidecar == parse_name(path.name).format().removesuffix(PRODUCTS[product].extension) + ".json"


@given(bids_images(), PRODUCT)
def test_entities_stand_in_the_order_of_bids(image, product):
    keys = list(parse_name(derivative_path(image, product).name).entities)
    assert keys == sorted(keys, key=list(ENTITIES).index)
    assert {"sub", "space", "label", "desc"} <= set(keys)


def test_the_order_of_the_entities_is_that_of_the_schema():
    schema = pytest.importorskip("bidsschematools.schema", reason="bidsschematools is absent").load_schema()
    order = [schema.objects.entities[name].name for name in schema.rules.entities]
    assert list(ENTITIES) == [key for key in order if key in ENTITIES]


@given(st.lists(bids_images(), min_size=2, max_size=8, unique=True))
def test_two_images_share_a_name_only_when_that_is_reported(images):
    refused = find_collisions(images)
    free = [image for image in images if image not in refused]
    for product in PRODUCTS:
        paths = [derivative_path(image, product) for image in free]
        assert len(set(paths)) == len(paths)
    assert all(
        derivative_path(image, "mask") in [derivative_path(other, "mask") for other in images if other != image]
        for image in refused
    )


@given(bids_images(), PRODUCT)
def test_products_of_an_image_have_different_names(image, product):
    paths = {derivative_path(image, other) for other in PRODUCTS}
    assert len(paths) == len(PRODUCTS)


@given(bids_images(), st.sampled_from(RAW_ENTITIES), st.data())
def test_changing_one_entity_changes_the_name(image, name, data):
    value = data.draw(values_of(name).filter(lambda value: value != image.entities.get(name)))
    other = build_image({**image.entities, name: value}, image.suffix, image.datatype)
    assert find_collisions([image, other]) or derivative_path(image, "mask") != derivative_path(other, "mask")
    if name in image.entities and name not in {"foo", "bar"}:
        # Folded or kept: a value alone never gets lost.
        assert derivative_path(image, "mask") != derivative_path(other, "mask")


@given(bids_images())
def test_pybids_reads_the_names(image):
    path = derivative_path(image, "mask")
    found = parse_file_entities(f"/{path}")
    assert (found["subject"], found["space"], found["suffix"]) == (image.subject, "orig", "mask")
    assert found["desc"].startswith(image.suffix)
