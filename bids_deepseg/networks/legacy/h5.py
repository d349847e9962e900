"""Read a network that Keras 2 wrote to an HDF5 file, as data.

The file is read into memory as a whole, bounded in size, and parsed from there: what is checked is what is used, and no
other file can be reached from it. Only what the published files contain is accepted: hard links, attributes with texts,
and float32 arrays stored in one piece inside the file. Nothing is unpickled, and Keras' own loader is not used.

The HDF5 library itself parses the bytes; a fault of that library is not guarded against here. Whoever loads a known
file by its name (:mod:`bids_deepseg.networks.published.specs`) is safe from that, too: its bytes are compared first.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.legacy.layers import plan_of_json
from bids_deepseg.networks.legacy.plan import MAX_LAYERS, Plan, PlannedLayer

#: Layers in a file have at most so many arrays.
_MAX_ARRAYS = 8


@dataclass(frozen=True, slots=True, eq=False)
class LegacyNetwork:
    """A network as it is in a file.

    Attributes
    ----------
    plan : Plan
        Its layers.
    weights : mapping
        The float32 arrays of each layer that has any, in the order of its plan, read-only.
    keras_version : str
        Version of Keras that wrote it.
    """

    plan: Plan
    weights: Mapping[str, tuple[NDArray[np.float32], ...]]
    keras_version: str


def read_legacy(content: bytes, *, plan: Plan | None = None) -> LegacyNetwork:
    """Read a network from the bytes of its file.

    Parameters
    ----------
    content : bytes
        The whole file.
    plan : Plan, optional
        Layers of a file that holds weights only; by default they are read from the file.

    Returns
    -------
    LegacyNetwork
        Layers and weights, which fit each other.

    Raises
    ------
    NetworkError
        If the file is damaged, holds anything that is not on the list, or its weights do not fit its layers.
    """
    import h5py  # noqa: PLC0415 - importing this package must not load it

    with _errors_explained(), h5py.File(io.BytesIO(content), "r") as file:
        root = file
        if plan is None:
            plan = plan_of_json(_text(file, "model_config"))
            root = _member(file, "model_weights", h5py.Group)
        if _text(root, "backend") != "tensorflow":
            raise NetworkError("The weights were not written with TensorFlow; kernels of other backends are turned.")
        if 4 * plan.n_parameters > len(content):
            raise NetworkError(f"{plan.n_parameters} weights are declared, the file has {len(content)} bytes only.")
        names = _names(root, "layer_names", MAX_LAYERS)
        expected = {layer.name for layer in plan.layers} | set(plan.dropped)
        if len(set(names)) != len(names) or set(names) != expected:
            raise NetworkError(f"Layers with and without weights differ: {_difference(names, expected)}.")
        _check_members(root, names, "the network")
        weights = {}
        for layer in plan.layers:
            arrays = _read_layer(_member(root, layer.name, h5py.Group), layer)
            if arrays:
                weights[layer.name] = arrays
        for name in plan.dropped:
            if _names(_member(root, name, h5py.Group), "weight_names", _MAX_ARRAYS):
                raise NetworkError(f"Layer {name} has weights, none are expected.")
        return LegacyNetwork(plan, MappingProxyType(weights), _text(root, "keras_version")[:20])


@contextmanager
def _errors_explained() -> Iterator[None]:
    """Turn what the HDF5 library raises at a damaged file into an error of this package."""
    try:
        yield
    except NetworkError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise NetworkError(
            f"The file is truncated, damaged or no HDF5 file: {str(error)[:200]}. Fetch it again."
        ) from error


def _read_layer(group: Any, layer: PlannedLayer) -> tuple[NDArray[np.float32], ...]:
    """Read the arrays of one layer, after names and shapes were compared with the plan."""
    import h5py  # noqa: PLC0415 - importing this package must not load it

    names = _names(group, "weight_names", _MAX_ARRAYS)
    roles = [name.rpartition("/")[2].removesuffix(":0") for name in names]
    expected = [role for role, _ in layer.weights]
    if roles != expected:
        raise NetworkError(f"Layer {layer.name}: the weights are {roles}, expected {expected}.")
    folders = {name.rpartition("/")[0] for name in names}
    if not names:
        _check_members(group, [], layer.name)
        return ()
    if len(folders) != 1 or "/" in (folder := folders.pop()):
        raise NetworkError(f"Layer {layer.name}: the names of its weights are odd: {names}.")
    _check_members(group, [folder], layer.name)
    inner = _member(group, folder, h5py.Group)
    _check_members(inner, [name.rpartition("/")[2] for name in names], layer.name)
    arrays = []
    for name, (role, shape) in zip(names, layer.weights, strict=True):
        dataset = _member(inner, name.rpartition("/")[2], h5py.Dataset)
        arrays.append(_read_array(dataset, f"{layer.name}/{role}", shape))
    if layer.kind == "normalisation" and arrays[-1].min() < 0:
        raise NetworkError(f"Layer {layer.name}: a variance is negative.")
    return tuple(arrays)


def _read_array(dataset: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read one array after everything that is declared of it was checked."""
    import h5py  # noqa: PLC0415 - importing this package must not load it

    if dataset.shape != shape or dataset.dtype != np.dtype("<f4"):
        raise NetworkError(f"Weights {name}: {dataset.dtype} {dataset.shape}, expected float32 {shape}.")
    layout = dataset.id.get_create_plist()
    plain = layout.get_layout() == h5py.h5d.CONTIGUOUS and not layout.get_external_count()
    n_bytes = 4 * int(np.prod(shape))
    if not plain or layout.get_nfilters() or dataset.id.get_storage_size() != n_bytes:
        raise NetworkError(f"Weights {name}: they are compressed, in pieces, missing or in another file.")
    array: NDArray[np.float32] = np.empty(shape, np.float32)
    dataset.read_direct(array)
    if not np.isfinite(array).all():
        raise NetworkError(f"Weights {name}: some are not finite.")
    array.flags.writeable = False
    return array


def _member(group: Any, name: str, kind: type) -> Any:
    """Return a member that is really in the group: no soft or external link."""
    import h5py  # noqa: PLC0415 - importing this package must not load it

    link = group.get(name, getlink=True)
    if link is None:
        raise NetworkError(f"{name} is missing in the file; an older or another kind of file?")
    if not isinstance(link, h5py.HardLink):
        raise NetworkError(f"{name} is a link to somewhere else, which is not followed.")
    member = group[name]
    if not isinstance(member, kind):
        raise NetworkError(f"{name} is a {type(member).__name__}, a {kind.__name__} is expected.")
    return member


def _check_members(group: Any, expected: list[str], what: str) -> None:
    """Make sure that a group holds what its list of names says, and nothing else."""
    if len(group) != len(expected) or set(group) != set(expected):
        found = list(group) if len(group) <= MAX_LAYERS else [f"{len(group)} members"]
        raise NetworkError(f"Weights are missing or left over in {what}: {_difference(found, set(expected))}.")


def _difference(found: list[str], expected: set[str]) -> str:
    """Name what is there and should not be, and the other way round."""
    left, missing = sorted(set(found) - expected), sorted(expected - set(found))
    return f"left over {str(left)[:200]}, missing {str(missing)[:200]}"


def _text(owner: Any, name: str) -> str:
    """Read an attribute that is one text."""
    import h5py  # noqa: PLC0415 - importing this package must not load it

    if name not in owner.attrs:
        raise NetworkError(f"The attribute {name} is missing: this is not a network file of Keras 2.")
    attribute = owner.attrs.get_id(name)
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        raise NetworkError(f"The attribute {name} is {attribute.dtype} {attribute.shape}; one text is expected.")
    value = owner.attrs[name]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _names(owner: Any, name: str, largest: int) -> list[str]:
    """Read an attribute that is a list of names; Keras writes an empty one as numbers."""
    if name not in owner.attrs:
        raise NetworkError(f"The attribute {name} is missing: this is not a network file of Keras 2.")
    attribute = owner.attrs.get_id(name)
    shape, kind = attribute.shape, attribute.dtype.kind
    if shape == (0,):
        return []
    if shape is None or len(shape) != 1 or shape[0] > largest or kind != "S" or attribute.dtype.itemsize > 200:
        raise NetworkError(f"The attribute {name} is {attribute.dtype} {shape}; a short list of names is expected.")
    return [value.decode("ascii") for value in owner.attrs[name]]
