"""Write files in the layout of Keras 2.0.6, and compute with them in NumPy.

The networks are made of the numbers in ``docs/published-networks.md``; the computation follows the JSON with its own
axes (channels first where the file has them so) and shares nothing with the package.
"""

import io
import itertools
import json
import struct

import h5py
import numpy as np

FIRST, LAST = "channels_first", "channels_last"


def lambda_code(*, instructions=b"|\0\0\x88\0\0\x1bS", flags=0x12013, constants=b"(\1\0\0\0N", arguments=1, names=0):
    """Return Python 2.7's marshalled ``lambda z: z / temperature``, with parts replaced."""

    def text(value, kind=b"t"):
        return kind + struct.pack("<i", len(value)) + value

    code = b"c" + struct.pack("<iiii", arguments, 1, 2, flags) + text(instructions, b"s") + constants
    code += b"(" + struct.pack("<i", names) + text(b"evil") * names
    code += b"(\1\0\0\0" + text(b"z") + b"(\1\0\0\0" + text(b"temperature") + b"(\0\0\0\0"
    return (code + text(b"some_unet.py", b"s") + text(b"<lambda>") + b"t\0\0\0" + text(b"")).decode("latin-1")


class Layers:
    """The list of layers of a description, written one after the other; each method returns the layer's name."""

    def __init__(self, shape, data_format=LAST):
        self.data_format = data_format
        self.rank = len(shape)
        self.layers = []
        self.counts = {}
        channels = [1, *shape] if data_format == FIRST else [*shape, 1]
        config = {"batch_input_shape": [None, *channels], "dtype": "float32", "sparse": False}
        self.first = self.last = self.add("InputLayer", "input", [], config)

    def add(self, class_name, stem, sources, config):
        self.counts[stem] = self.counts.get(stem, 0) + 1
        name = f"{stem}_{self.counts[stem]}"
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        config = {"name": name, "trainable": True, **config} if sources else {"name": name, **config}
        self.layers.append({"class_name": class_name, "config": config, "inbound_nodes": nodes, "name": name})
        self.last = name
        return name

    @property
    def axis(self):
        return 1 if self.data_format == FIRST else -1

    def conv(self, filters, side=3, dilation=1, activation="linear", class_name=None):
        rank = self.rank
        config = {
            "filters": filters,
            "kernel_size": [side] * rank,
            "strides": [1] * rank,
            "padding": "same" if side > 1 else "valid",
            "data_format": self.data_format,
            "dilation_rate": [dilation] * rank,
            "activation": activation,
            "use_bias": True,
            "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0, "seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}},
            "kernel_regularizer": None,
            "bias_constraint": None,
        }
        return self.add(class_name or f"Conv{rank}D", f"conv{rank}d", [self.last], config)

    def norm(self, **changes):
        config = {"axis": self.axis, "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True, **changes}
        return self.add("BatchNormalization", "batch_normalization", [self.last], config)

    def activate(self, word):
        return self.add("Activation", "activation", [self.last], {"activation": word})

    def unit(self, filters, dilation=1, dropout=None):
        self.conv(filters, 3, dilation)
        self.norm()
        self.activate("relu")
        return self.last if dropout is None else self.add("Dropout", "dropout", [self.last], {"rate": dropout})

    def pool(self):
        size = [2] * self.rank
        config = {"pool_size": size, "strides": size, "padding": "valid", "data_format": self.data_format}
        return self.add(f"MaxPooling{self.rank}D", f"max_pooling{self.rank}d", [self.last], config)

    def up(self, filters=None):
        if filters is None:
            config = {"size": [2] * self.rank, "data_format": self.data_format}
            return self.add("UpSampling3D", "up_sampling3d", [self.last], config)
        config = {
            "filters": filters,
            "kernel_size": [2, 2],
            "strides": [2, 2],
            "padding": "valid",
            "data_format": self.data_format,
            "activation": "linear",
            "use_bias": True,
        }
        return self.add("Conv2DTranspose", "conv2d_transpose", [self.last], config)

    def join(self, other):
        return self.add("Concatenate", "concatenate", [self.last, other], {"axis": self.axis})

    def identity(self, **changes):
        function = [changes.pop("code", lambda_code()), changes.pop("defaults", None), changes.pop("closure", [1.0])]
        config = {
            "function": function,
            "function_type": "lambda",
            "arguments": {},
            "output_shape": None,
            "output_shape_type": "raw",
            **changes,
        }
        return self.add("Lambda", "lambda", [self.last], config)

    def model(self):
        return {
            "class_name": "Model",
            "config": {
                "name": "model_1",
                "layers": self.layers,
                "input_layers": [[self.first, 0, 0]],
                "output_layers": [[self.last, 0, 0]],
            },
        }


def detection(features, n_bottom, shape=(80, 80)):
    """Describe the dilated detection network."""
    net = Layers(shape)
    skips = []
    for level in range(2):
        net.unit(features * 2**level, 1, 0.4)
        skips.append(net.unit(features * 2**level, 2, 0.4))
        net.pool()
    for step in range(n_bottom):
        net.unit(features * 4, 2**step, 0.4)
    for level in (1, 0):
        net.up(features * 2**level)
        net.join(skips[level])
        net.unit(features * 2**level, 1, 0.4)
        net.unit(features * 2**level, 1, 0.4)
    net.conv(1, 1)
    net.identity()
    net.activate("sigmoid")
    return net


def cord_2d(depth, shape=(64, 64), features=32):
    """Describe the 2D segmentation network of ``depth`` levels."""
    net = Layers(shape)
    skips = []
    for level in range(depth + 1):
        for _ in range(2):
            net.conv(features * 2**level)
            net.activate("relu")
        if level < depth:
            skips.append(net.last)
            net.pool()
    for level in reversed(range(depth)):
        net.up(features * 2**level)
        net.join(skips[level])
        for _ in range(2):
            net.conv(features * 2**level, activation="relu")
    net.conv(1, 1)
    net.identity()
    net.activate("sigmoid")
    return net


def volume_net(features, n_levels, shape=(48, 48, 48), data_format=FIRST):
    """Describe the 3D network of cord and lesions."""
    net = Layers(shape, data_format)
    skips = []
    for level in range(n_levels):
        net.unit(features * 2**level)
        net.unit(2 * features * 2**level)
        if level < n_levels - 1:
            skips.append((net.last, 2 * features * 2**level))
            net.pool()
    for skip, channels in reversed(skips):
        net.up()
        net.join(skip)
        net.unit(channels)
        net.unit(channels)
    net.conv(1, 1)
    net.activate("sigmoid")
    return net


def channels_of(layer, channels):
    """Return the channels of a layer's output, from those of its inputs by name."""
    if layer["class_name"] == "InputLayer":
        return 1
    inputs = [channels[reference[0]] for reference in layer["inbound_nodes"][0]]
    return layer["config"].get("filters", sum(inputs))


def random_weights(net, rng):
    """Draw the arrays of each layer: ``{layer: {weight: array}}``."""
    channels, weights = {}, {}
    for layer in net.layers:
        name, kind, config = layer["name"], layer["class_name"], layer["config"]
        channels[name] = channels_of(layer, channels)
        weights[name] = {}
        if not layer["inbound_nodes"]:
            continue
        into, out = channels[layer["inbound_nodes"][0][0][0]], channels[name]
        if kind.startswith("Conv") and kind != "Concatenate":
            ends = (out, into) if "Transpose" in kind else (into, out)
            shape = (*config["kernel_size"], *ends)
            scale = 1 / np.sqrt(np.prod(config["kernel_size"]) * into)
            weights[name] = {"kernel": rng.normal(0, scale, shape), "bias": rng.normal(0, 0.1, out)}
        elif kind == "BatchNormalization":
            weights[name] = {
                "gamma": rng.uniform(0.5, 1.5, out),
                "beta": rng.normal(0, 0.1, out),
                "moving_mean": rng.normal(0, 0.1, out),
                "moving_variance": rng.uniform(0.5, 1.5, out),
            }
    return {name: {key: value.astype("f4") for key, value in found.items()} for name, found in weights.items()}


def to_bytes(net, weights, *, spoil=None, text=None):
    """Return the file; ``spoil(file)`` may change it before it is closed, ``text`` replaces the description."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["keras_version"] = "2.0.6"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(net.model()) if text is None else text
        write_weights(file.create_group("model_weights"), weights)
        if spoil:
            spoil(file)
    return stream.getvalue()


def write_weights(root, weights):
    """Write the weights as Keras 2 does."""
    root.attrs["backend"] = "tensorflow"
    root.attrs["keras_version"] = "2.0.6"
    root.attrs["layer_names"] = np.array(list(weights), "S")
    for layer, arrays in weights.items():
        group = root.create_group(layer)
        names = [f"{layer}/{key}:0" for key in arrays]
        group.attrs["weight_names"] = np.array(names, "S") if names else np.array([])
        for name, array in zip(names, arrays.values(), strict=True):
            group[name] = array


def read_plainly(path):
    """Read description and weights of a file that is known to be good."""
    with h5py.File(path, "r") as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        weights = {}
        for name, group in file["model_weights"].items():
            names = [word.decode() for word in group.attrs["weight_names"]]
            weights[name] = {word.rpartition("/")[2][:-2]: group[word][()] for word in names}
    return layers, weights


def compute(layers, weights, image):
    """Apply a network to one image without batch and channel, in float64, with the file's own axes."""
    first = any(layer["config"].get("data_format") == FIRST for layer in layers)
    outputs = {}
    for layer in layers:
        name, kind, config = layer["name"], layer["class_name"], layer["config"]
        arrays = {key: np.asarray(value, float) for key, value in weights[name].items()}
        if kind == "InputLayer":
            outputs[name] = image[None] if first else image[..., None]
            continue
        inputs = [outputs[reference[0]] for reference in layer["inbound_nodes"][0]]
        outputs[name] = _apply(kind, config, arrays, inputs, first=first)
    return np.squeeze(outputs[layers[-1]["name"]], 0 if first else -1)


def _apply(kind, config, arrays, inputs, *, first):
    x = inputs[0]
    axis = 0 if first else -1
    if kind == "Concatenate":
        return np.concatenate(inputs, axis)
    if kind == "BatchNormalization":
        shape = [-1 if a == axis % x.ndim else 1 for a in range(x.ndim)]
        scale = arrays["gamma"] / np.sqrt(arrays["moving_variance"] + config["epsilon"])
        return (x - arrays["moving_mean"].reshape(shape)) * scale.reshape(shape) + arrays["beta"].reshape(shape)
    if kind == "Activation":
        return _activate(config["activation"], x)
    if kind in {"Dropout", "Lambda"}:
        return x
    x = x if first else np.moveaxis(x, -1, 0)
    if "Pooling" in kind:
        shape = [n for side in x.shape[1:] for n in (side // 2, 2)]
        x = x.reshape(len(x), *shape).max(tuple(range(2, 2 * x.ndim - 1, 2)))
    elif kind == "UpSampling3D":
        for each in (1, 2, 3):
            x = x.repeat(2, each)
    elif kind == "Conv2DTranspose":
        out = np.einsum("ihw,aboi->ohawb", x, arrays["kernel"])
        x = out.reshape(len(out), 2 * x.shape[1], 2 * x.shape[2]) + arrays["bias"][:, None, None]
    else:
        x = _correlate(x, arrays, config["dilation_rate"])
        x = _activate(config["activation"], x)
    return x if first else np.moveaxis(x, 0, -1)


def _correlate(x, arrays, dilation):
    """Add up shifted copies of a map with zeros around it."""
    kernel = arrays["kernel"]
    sides = kernel.shape[:-2]
    margins = [step * (side // 2) for side, step in zip(sides, dilation, strict=True)]
    padded = np.pad(x, [(0, 0), *((margin, margin) for margin in margins)])
    out = 0
    for tap in itertools.product(*map(range, sides)):
        window = [slice(t * d, t * d + n) for t, d, n in zip(tap, dilation, x.shape[1:], strict=True)]
        out = out + np.tensordot(kernel[tap], padded[:, *window], (0, 0))
    return out + arrays["bias"].reshape(-1, *[1] * (x.ndim - 1))


def _activate(word, x):
    if word == "relu":
        return np.maximum(x, 0)
    return 1 / (1 + np.exp(-x)) if word == "sigmoid" else x
