"""Published networks: what is not known to be harmless is refused before anything is built."""

import copy
import io
import json

import h5py
import numpy as np
import pytest

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.legacy.build import plan_grey_matter
from bids_deepseg.networks.legacy.h5 import read_legacy
from bids_deepseg.networks.legacy.lambdas import check_identity
from bids_deepseg.networks.legacy.layers import plan_of_json
from tests.helpers.legacy_files import (
    FIRST,
    LAST,
    Layers,
    cord_2d,
    detection,
    lambda_code,
    random_weights,
    to_bytes,
    volume_net,
    write_weights,
)


def plan_of(net):
    return plan_of_json(json.dumps(net.model()))


@pytest.mark.parametrize(
    ("net", "n_parameters"),
    [
        (detection(24, 3), 347_641),
        (detection(16, 2), 118_033),
        (detection(8, 3), 39_337),
        (detection(8, 2), 29_961),
        (cord_2d(2), 465_953),
        (cord_2d(3), 1_925_025),
        (volume_net(24, 2, (64, 64, 48)), 468_817),
        (volume_net(24, 2, (96, 96, 48)), 468_817),
        (volume_net(16, 3), 984_609),
        (volume_net(16, 2), 208_865),
        (volume_net(8, 3), 246_929),
    ],
    ids=[
        "t1_ctr",
        "t2_ctr",
        "t2s_ctr",
        "dwi_ctr",
        "sc",
        "t2_sc",
        "sc_3D",
        "t2s_sc_3D",
        "t2_les",
        "t2_ax_les",
        "t2s_les",
    ],
)
def test_every_published_architecture_has_its_number_of_parameters(net, n_parameters):
    plan = plan_of(net)
    assert plan.n_parameters == n_parameters
    assert plan.channels_first == (net.data_format == FIRST)
    assert len(plan.patch_shape) == net.rank


@pytest.mark.parametrize(("n_features", "n_parameters"), [(32, 127_585), (64, 478_017)])
def test_the_grey_matter_networks_have_their_number_of_parameters(n_features, n_parameters):
    plan = plan_grey_matter(n_features)
    assert (plan.n_parameters, plan.patch_shape) == (n_parameters, (200, 200))


def test_the_identity_is_recognised():
    net = detection(1, 1, (8, 8))
    assert "lambda_1" in plan_of(net).dropped


@pytest.mark.parametrize("flags", [0x13, 0x2013, 0x12013])
@pytest.mark.parametrize("division", [b"\x1b", b"\x15"])
def test_both_divisions_and_any_future_import_are_the_identity(flags, division):
    net = Layers((4, 4))
    net.identity(code=lambda_code(flags=flags, instructions=b"|\0\0\x88\0\0" + division + b"S"))
    check_identity(net.layers[-1]["config"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"closure": [2.0]}, "enclosed value"),
        ({"closure": [1.0, 1.0]}, "enclosed value"),
        ({"closure": [True]}, "enclosed value"),
        ({"closure": None}, "enclosed value"),
        ({"closure": [{"class_name": "x"}]}, "enclosed value"),
        ({"defaults": [1.0]}, "default arguments"),
        ({"function_type": "function"}, "function_type'. differs"),
        ({"arguments": {"x": 1}}, "arguments'. differs"),
        ({"output_shape": [1]}, "output_shape'. differs"),
        ({"module": "os"}, "module'. differs"),
        ({"function": "os.system"}, "code, defaults and closure"),
        ({"code": None}, "not a short string"),
        ({"code": "c" * 5000}, "not a short string"),
        ({"code": "\u20ac"}, "latin-1"),
        ({"code": ""}, "ends too early"),
        ({"code": lambda_code()[:-3]}, "ends too early"),
        ({"code": lambda_code() + "x"}, "something follows"),
        ({"code": lambda_code(instructions=b"|\0\0\x88\0\0\x14S")}, "instructions differ"),
        ({"code": lambda_code(instructions=b"t\0\0\x83\0\0S")}, "instructions differ"),
        ({"code": lambda_code(flags=0x1F)}, "a flag differs"),
        ({"code": lambda_code(flags=0x33)}, "a flag differs"),
        ({"code": lambda_code(arguments=2)}, "number of arguments"),
        ({"code": lambda_code(constants=b"(\2\0\0\0NN")}, "constants"),
        ({"code": lambda_code(names=1)}, "names"),
        ({"code": "gANjb3MKc3lzdGVtCg=="}, "number of arguments"),
        ({"code": "c\1\0\0\0\1\0\0\0\2\0\0\0\x13\0\0\0s\xff\xff\xff\xff"}, "ends too early"),
    ],
)
def test_any_other_lambda_is_refused(changes, reason):
    net = Layers((4, 4))
    net.conv(1, 1)
    net.identity(**changes)
    net.activate("sigmoid")
    with pytest.raises(NetworkError, match=f"not proved to be the identity .*{reason}"):
        plan_of(net)


def changed(change, net=None):
    """Return the description of a small network after ``change(layers)`` altered it."""
    model = copy.deepcopy((net or detection(1, 1, (8, 8))).model())
    change({layer["name"]: layer for layer in model["config"]["layers"]}, model["config"])
    return json.dumps(model)


def setting(layer, key, value):
    return lambda layers, _: layers[layer]["config"].update({key: value})


def entry(layer, key, value):
    return lambda layers, _: layers[layer].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (entry("conv2d_1", "class_name", "TFOpLambda"), "class 'TFOpLambda' is not on the list"),
        (entry("conv2d_1", "class_name", "Conv3D"), "Conv3D cannot take"),
        (entry("conv2d_1", "class_name", ["Conv2D"]), "a text is expected"),
        (entry("conv2d_1", "name", "conv2d_2"), "two names differ"),
        (entry("conv2d_1", "build_config", {}), "has or lacks"),
        (entry("conv2d_1", "config", "Conv2D"), "an object is expected"),
        (entry("conv2d_1", "inbound_nodes", []), "it takes 0 layers"),
        (entry("conv2d_1", "inbound_nodes", [[["activation_1", 0, 0, {}]]]), "no earlier layer"),
        (entry("conv2d_1", "inbound_nodes", [[["conv2d_1", 0, 0, {}]]]), "no earlier layer"),
        (entry("conv2d_1", "inbound_nodes", [[["input_1", 1, 0, {}]]]), "not the plain use"),
        (entry("conv2d_1", "inbound_nodes", [[["input_1", 0, 0, {"mask": 1}]]]), "not the plain use"),
        (entry("conv2d_1", "inbound_nodes", [[["input_1", 0, 0, {}]]] * 2), "shared layers"),
        (entry("conv2d_1", "inbound_nodes", [[["input_1", 0, 0, {}]] * 2]), "it takes 2 layers"),
        (entry("conv2d_1", "inbound_nodes", "input_1"), "a list is expected"),
        (entry("conv2d_1", "inbound_nodes", [[{"a": 1}]]), "a list of 4 is expected"),
        (setting("conv2d_1", "filters", 10**9), "filters is"),
        (setting("conv2d_1", "filters", -1), "filters is"),
        (setting("conv2d_1", "filters", value=True), "a whole number is expected"),
        (setting("conv2d_1", "filters", "8"), "a whole number is expected"),
        (setting("conv2d_1", "kernel_size", [99, 99]), "kernel is"),
        (setting("conv2d_1", "kernel_size", [3]), "kernel is"),
        (setting("conv2d_1", "dilation_rate", [0, 1]), "dilation is"),
        (setting("conv2d_1", "strides", [2, 2]), "strides is"),
        (setting("conv2d_1", "use_bias", 1), "use_bias is"),
        (setting("conv2d_1", "padding", "valid"), "only padding 'same'"),
        (setting("conv2d_1", "activation", "os.system"), "activation 'os.system' is not on the list"),
        (setting("conv2d_1", "groups", 2), "groups is"),
        (setting("conv2d_1", "hook", "x"), r"settings \['hook'\] are not known"),
        (setting("conv2d_1", "data_format", "channels_first"), "data formats"),
        (setting("conv2d_1", "name", "evil/../name"), "two names differ"),
        (setting("conv2d_transpose_1", "strides", [1, 1]), "strides is"),
        (setting("conv2d_transpose_1", "padding", "causal"), "padding 'valid' or 'same'"),
        (setting("batch_normalization_1", "axis", 1), "not that of the channels"),
        (setting("batch_normalization_1", "epsilon", -1.0), "epsilon is"),
        (setting("batch_normalization_1", "epsilon", "x"), "a number is expected"),
        (setting("batch_normalization_1", "scale", value=False), "scale is"),
        (setting("max_pooling2d_1", "strides", [1, 1]), "strides is"),
        (
            lambda layers, _: layers["max_pooling2d_1"]["config"].update(pool_size=[50, 50], strides=[50, 50]),
            "size is",
        ),
        (
            lambda layers, _: layers["max_pooling2d_1"]["config"].update(pool_size=[4, 4], strides=[4, 4]),
            "inputs of one size",
        ),
        (setting("concatenate_1", "axis", 0), "not that of the channels"),
        (setting("activation_1", "activation", {"class_name": "x"}), "a text is expected"),
        (setting("input_1", "batch_input_shape", [None, 8, 8, 10**8]), "output shape"),
        (setting("input_1", "batch_input_shape", [None, 8, None, 1]), "whole numbers"),
        (setting("input_1", "batch_input_shape", [None, 8]), "2 or 3 axes"),
        (setting("input_1", "batch_input_shape", []), "whole numbers"),
        (lambda layers, _: layers["conv2d_1"]["config"].pop("filters"), "filters is missing"),
        (lambda _, config: config["layers"].append(config["layers"][1]), "same name|Two layers"),
        (lambda _, config: config.update(layers=config["layers"] * 100), "characters|401 layers"),
        (lambda _, config: config.update(layers=config["layers"][:1] * 401), "401 layers"),
        (lambda _, config: config.update(layers=[]), "0 layers"),
        (lambda _, config: config.update(layers={}), "a list is expected"),
        (lambda _, config: config.update(layers=[None]), "an object is expected"),
        (lambda _, config: config.update(input_layers=[["conv2d_1", 0, 0]]), "first and the last"),
        (lambda _, config: config.update(output_layers=[]), "a list of 1 is expected"),
        (lambda _, config: config["layers"].pop(), "first and the last"),
    ],
)
def test_a_description_with_anything_unexpected_is_refused(change, message):
    with pytest.raises(NetworkError, match=message):
        plan_of_json(changed(change))


@pytest.mark.parametrize("axis", [-1, 4, 0])
def test_the_axis_of_channels_first_networks_is_checked(axis):
    net = Layers((4, 4, 4), FIRST)
    net.norm(axis=axis)
    net.conv(1, 1)
    with pytest.raises(NetworkError, match="not that of the channels"):
        plan_of(net)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "x" * 65, "1", "a b", "a\n"])
def test_an_odd_name_is_refused(name):
    text = changed(lambda *_: None).replace('"activation_1"', json.dumps(name))
    with pytest.raises(NetworkError, match="is odd"):
        plan_of_json(text)


@pytest.mark.parametrize("end", ["relu", "linear"])
def test_an_output_that_is_no_map_of_probabilities_is_refused(end):
    net = Layers((4, 4))
    net.conv(1, 1)
    net.activate(end)
    with pytest.raises(NetworkError, match=r"One map in \[0, 1\]"):
        plan_of(net)


def test_a_layer_that_leads_nowhere_is_refused():
    net = Layers((4, 4))
    net.conv(2)
    net.last = net.first
    net.conv(1, 1)
    net.activate("sigmoid")
    with pytest.raises(NetworkError, match="one output is expected"):
        plan_of(net)


def test_too_large_networks_are_refused():
    net = Layers((512, 512, 512), LAST)
    for _ in range(3):
        net.conv(8)
    net.conv(1, 1)
    net.activate("sigmoid")
    with pytest.raises(NetworkError, match="too large"):
        plan_of(net)
    net = Layers((8, 8))
    for _ in range(3):
        net.conv(2048)
    net.conv(1, 1)
    net.activate("sigmoid")
    with pytest.raises(NetworkError, match="too large"):
        plan_of(net)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[]", "an object is expected"),
        ("3", "an object is expected"),
        ('{"class_name": "Model", "class_name": "Sequential"}', "a name comes twice"),
        ('{"class_name": NaN}', "is not a number"),
        ('{"class_name": "Sequential", "config": []}', "'Model' of Keras 2"),
        ('{"class_name": "Model", "config": []}', "an object is expected"),
        (f'{{"class_name": {"9" * 6000}}}', "is no JSON"),
        (" " * (2**20 + 1), "characters"),
    ],
)
def test_text_that_is_no_description_is_refused(text, message):
    with pytest.raises(NetworkError, match=message):
        plan_of_json(text)


@pytest.fixture
def small(rng):
    """Return a small network and its weights."""
    net = detection(1, 1, (8, 8))
    return net, random_weights(net, rng)


def test_a_good_file_is_read(small):
    net, weights = small
    legacy = read_legacy(to_bytes(net, weights))
    assert legacy.keras_version == "2.0.6"
    for name, arrays in legacy.weights.items():
        for found, expected in zip(arrays, weights[name].values(), strict=True):
            np.testing.assert_array_equal(found, expected)
            assert not found.flags.writeable


def remove(path):
    def spoil(file):
        del file[path]

    return spoil


def replace(path, value, **how):
    def spoil(file):
        del file[path]
        file.create_dataset(path, data=value, **how)

    return spoil


def link(path, target):
    def spoil(file):
        del file[path]
        file[path] = target

    return spoil


def attribute(path, name, value):
    def spoil(file):
        file[path].attrs[name] = value

    return spoil


KERNEL = "model_weights/conv2d_1/conv2d_1/kernel:0"
ONES = np.ones((3, 3, 1, 1), "f4")


def outside(tmp_file="elsewhere.bin"):
    def spoil(file):
        del file[KERNEL]
        space = {"external": [(tmp_file, 0, 36)]}
        file.create_dataset(KERNEL, (3, 3, 1, 1), "f4", **space)

    return spoil


def virtual(file):
    layout = h5py.VirtualLayout((3, 3, 1, 1), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (3, 3, 1, 1))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def huge(file):
    del file[KERNEL]
    file.create_dataset(KERNEL, (2**40, 2**20), "f4", chunks=(1, 1024))


def never_written(file):
    del file[KERNEL]
    file[KERNEL.rpartition("/")[0]].create_dataset("kernel:0", (3, 3, 1, 1), "f4", fillvalue=3.0)


def soft(target):
    return h5py.SoftLink(target)


def external(target):
    return h5py.ExternalLink("/etc/other.h5", target)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (replace(KERNEL, np.ones((3, 3, 1, 2), "f4")), r"expected float32 \(3, 3, 1, 1\)"),
        (replace(KERNEL, ONES.astype("f8")), "float64"),
        (replace(KERNEL, ONES.astype(">f4")), ">f4"),
        (replace(KERNEL, ONES.astype(complex)), "complex"),
        (replace(KERNEL, ONES * np.nan), "not finite"),
        (replace(KERNEL, ONES * np.inf), "not finite"),
        (replace(KERNEL, ONES, compression="gzip"), "compressed"),
        (replace(KERNEL, ONES, chunks=(1, 1, 1, 1)), "in pieces"),
        (replace(KERNEL, b"bytes"), "expected float32"),
        (
            replace("model_weights/batch_normalization_1/batch_normalization_1/moving_variance:0", -ONES[0, 0, 0]),
            "negative",
        ),
        (outside(), "in another file"),
        (virtual, "in another file"),
        (huge, "expected float32"),
        (never_written, "missing"),
        (remove(KERNEL), r"left over .* missing \['kernel:0'\]"),
        (remove("model_weights/conv2d_1"), r"missing \['conv2d_1'\]"),
        (remove("model_weights"), "model_weights is missing"),
        (link(KERNEL, soft("/model_weights/conv2d_2/conv2d_2/kernel:0")), "is a link"),
        (link(KERNEL, external("/x")), "is a link"),
        (link("model_weights/conv2d_1", soft("/model_weights/conv2d_2")), "is a link"),
        (link("model_weights/conv2d_1", external("/model_weights")), "is a link"),
        (link("model_weights", external("/")), "is a link"),
        (lambda file: file.create_dataset("model_weights/extra/kernel:0", data=ONES), r"left over \['extra'\]"),
        (lambda file: file.create_dataset("model_weights/activation_1/x", data=ONES), r"left over \['x'\]"),
        (lambda file: file.create_dataset("model_weights/conv2d_1/conv2d_1/x", data=ONES), r"left over \['x'\]"),
        (lambda file: file.create_dataset("model_weights/conv2d_1/x", data=ONES), r"left over \['x'\]"),
        (replace("model_weights/conv2d_1", ONES), "a Group is expected"),
        (attribute("model_weights", "layer_names", np.array(["a"], "S")), "Layers with and without"),
        (attribute("model_weights", "layer_names", np.arange(3)), "list of names"),
        (attribute("model_weights", "layer_names", np.zeros(5000, "S4")), "list of names"),
        (attribute("model_weights", "layer_names", "conv2d_1"), "list of names"),
        (attribute("model_weights/conv2d_1", "weight_names", np.array([])), r"the weights are \[\]"),
        (
            attribute(
                "model_weights/conv2d_1", "weight_names", np.array(["conv2d_1/bias:0", "conv2d_1/kernel:0"], "S")
            ),
            "the weights are",
        ),
        (attribute("model_weights/conv2d_1", "weight_names", np.array(["kernel:0", "bias:0"], "S")), "odd|left over"),
        (attribute("model_weights/conv2d_1", "weight_names", np.array(["../a/kernel:0", "../a/bias:0"], "S")), "odd"),
        (attribute("model_weights/conv2d_1", "weight_names", np.array(["/kernel:0", "/bias:0"], "S")), "odd|left over"),
        (attribute("model_weights/conv2d_1", "weight_names", np.array(["./kernel:0", "./bias:0"], "S")), "left over"),
        (attribute("model_weights/dropout_1", "weight_names", np.array(["x/kernel:0"], "S")), "none are expected"),
        (attribute("model_weights", "backend", "theano"), "not written with TensorFlow"),
        (attribute("/", "model_config", np.arange(4)), "one text is expected"),
        (attribute("/", "model_config", 3.5), "one text is expected"),
        (lambda file: file.attrs.__delitem__("model_config"), "not a network file of Keras 2"),
    ],
)
def test_weights_that_are_not_plainly_there_are_refused(small, spoil, message):
    net, weights = small
    with pytest.raises(NetworkError, match=message):
        read_legacy(to_bytes(net, weights, spoil=spoil))


def test_more_weights_than_the_file_can_hold_are_refused_before_they_are_read():
    net = cord_2d(3)
    with pytest.raises(NetworkError, match="weights are declared"):
        read_legacy(to_bytes(net, {}))


def test_a_group_that_contains_itself_ends(small):
    net, weights = small

    def spoil(file):
        del file["model_weights/conv2d_1/conv2d_1"]
        file["model_weights/conv2d_1/conv2d_1"] = file["model_weights/conv2d_1"]

    with pytest.raises(NetworkError, match="left over"):
        read_legacy(to_bytes(net, weights, spoil=spoil))


def test_a_truncated_file_is_refused_wherever_it_ends(small):
    net, weights = small
    content = to_bytes(net, weights)
    for length in [0, 1, 8, 100, 1000, *range(2000, len(content), len(content) // 25), len(content) - 1]:
        with pytest.raises(NetworkError):
            read_legacy(content[:length])


def test_changed_bytes_never_end_in_another_error(small, rng):
    net, weights = small
    content = bytearray(to_bytes(net, weights))
    for _ in range(60):
        other = content.copy()
        for position in rng.integers(0, len(content), 20):
            other[position] = rng.integers(256)
        try:
            read_legacy(bytes(other))
        except NetworkError:
            continue


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html>", b"\x80\x04\x95pickle", b"\x89HDF\r\n\x1a\n" + b"\0" * 500]
)
def test_what_is_no_network_file_is_refused(content):
    with pytest.raises(NetworkError, match="no HDF5 file"):
        read_legacy(content)


def test_a_file_of_weights_only_is_read_with_a_plan(rng):
    plan = plan_grey_matter(2)
    weights = {
        layer.name: {role: rng.uniform(0.1, 1, shape).astype("f4") for role, shape in layer.weights}
        for layer in plan.layers
    }
    weights |= {name: {} for name in plan.dropped}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        write_weights(file, weights)
    assert read_legacy(stream.getvalue(), plan=plan).plan is plan
    with pytest.raises(NetworkError, match=r"expected float32|are expected|declared"):
        read_legacy(stream.getvalue(), plan=plan_grey_matter(4))
    with pytest.raises(NetworkError, match="model_config is missing"):
        read_legacy(stream.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        setting("conv2d_1", "\x1b[2J" * 9999, 1),
        setting("conv2d_1", "activation", "\x1b[2J" * 9999),
        setting("conv2d_1", "filters", 10**4000),
        setting("conv2d_1", "data_format", "\x1b[2J" * 9999),
        setting("conv2d_1", "padding", ["\x1b[2J" * 9999]),
        setting("input_1", "batch_input_shape", [None, 8, 8, 10**4000]),
        entry("conv2d_1", "name", "\x1b[2J" * 9999),
        entry("conv2d_1", "class_name", "\x1b[2J" * 9999),
        entry("conv2d_1", "\x1b[2J" * 9999, 1),
        entry("conv2d_1", "inbound_nodes", [[["\x1b[2J" * 9999, 0, 0, {}]]]),
        setting("lambda_1", "\x1b[2J" * 9999, 1),
    ],
)
def test_messages_stay_short_and_carry_no_control_characters(change):
    with pytest.raises(NetworkError) as caught:
        plan_of_json(changed(change))
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
