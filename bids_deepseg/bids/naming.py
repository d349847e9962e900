"""Name the derivatives of an image in BIDS.

This is the only module that knows the short entity keys of file names (``sub``, ``acq``) and their order.

Terms
-----
entity
    ``key-value`` pair of a file name; the package uses the long names of pybids (``subject``, ``acquisition``).
product
    Kind of result of one image: a key of :data:`PRODUCTS` (the cord) or :data:`STRUCTURE_PRODUCTS`.
folded
    An entity of the source that BIDS refuses in the name of the result; it becomes part of ``desc``, so that two
    images never share a name: ``sub-01_flip-1_mt-on_MTS`` gives ``desc-MTSflip1mton``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from bids_deepseg.errors import ImageError
from bids_deepseg.structures.tasks import TASKS, Task

if TYPE_CHECKING:
    from bids_deepseg.bids.image import BidsImage

#: Short key and long name of each entity, in the order of BIDS file names.
ENTITIES: Mapping[str, str] = MappingProxyType(
    {
        "sub": "subject",
        "ses": "session",
        "sample": "sample",
        "task": "task",
        "tracksys": "tracksys",
        "acq": "acquisition",
        "nuc": "nucleus",
        "voi": "volume",
        "ce": "ceagent",
        "trc": "tracer",
        "stain": "staining",
        "rec": "reconstruction",
        "dir": "direction",
        "run": "run",
        "mod": "modality",
        "echo": "echo",
        "flip": "flip",
        "inv": "inv",
        "mt": "mt",
        "part": "part",
        "proc": "proc",
        "hemi": "hemi",
        "space": "space",
        "split": "split",
        "recording": "recording",
        "chunk": "chunk",
        "atlas": "atlas",
        "seg": "segmentation",
        "scale": "scale",
        "res": "res",
        "den": "den",
        "label": "label",
        "desc": "desc",
    }
)

#: Keys that BIDS accepts in the name of a mask besides those that this package sets itself.
_KEPT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "anat": frozenset({"sub", "ses", "task", "acq", "ce", "rec", "run", "echo", "part", "chunk"}),
        "dwi": frozenset({"sub", "ses", "acq", "rec", "dir", "run", "part", "chunk"}),
        "func": frozenset({"sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "chunk"}),
    }
)

_SHORT: Mapping[str, str] = MappingProxyType({long: key for key, long in ENTITIES.items()})

_ORDER: Mapping[str, int] = MappingProxyType({key: position for position, key in enumerate(ENTITIES)})

_PAIR = re.compile(r"[a-zA-Z0-9]+-[a-zA-Z0-9+]+")


@dataclass(frozen=True, slots=True)
class Product:
    """One kind of result: how it is named.

    Attributes
    ----------
    label : str
        Value of the entity ``label``.
    suffix : str
        Last part of the name.
    extension : str
        With its dot.
    resolution : str
        Value of the entity ``res``.
    """

    label: str
    suffix: str
    extension: str
    resolution: str = ""


#: Products about the cord of an image, each with a JSON sidecar beside it.
PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        "probseg": Product("SC", "probseg", ".nii.gz"),
        "heatmap": Product("SCcenterline", "probseg", ".nii.gz", "detection"),
        "centerline_mask": Product("SCcenterline", "mask", ".nii.gz"),
        "centerline_tsv": Product("SC", "centerline", ".tsv"),
        "morph": Product("SC", "morph", ".tsv"),
        "mask": Product("SC", "mask", ".nii.gz"),
    }
)

OPTIONAL_PRODUCTS = frozenset({"heatmap"})  # absent after other methods, and where its name is too long


def _structure_products(task: Task) -> dict[str, Product]:
    """Return the products of a task besides the cord."""
    kinds = (("probseg", ".nii.gz"), ("morph", ".tsv"), ("mask", ".nii.gz"))
    named = zip(task.products, kinds, strict=True)
    return {key: Product(task.label, suffix, extension) for key, (suffix, extension) in named}


#: Products about structures inside the cord, by the keys in their tasks.
STRUCTURE_PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {key: product for task in TASKS.values() for key, product in _structure_products(task).items()}
)

#: Everything that may be in the output folder for one image.
ALL_PRODUCTS: Mapping[str, Product] = MappingProxyType({**PRODUCTS, **STRUCTURE_PRODUCTS})


def choose_products(task: Task | None, *, probseg: bool, centerline: bool) -> tuple[str, ...]:
    """Return the products that are written, keys of :data:`ALL_PRODUCTS`, the mask of the cord last.

    Parameters
    ----------
    task : Task or None
        What is segmented inside the cord.
    probseg, centerline : bool
        Whether probabilities and the centerline are written.
    """
    unwanted = set() if probseg else {name for name, kind in ALL_PRODUCTS.items() if kind.suffix == "probseg"}
    unwanted |= set() if centerline else {"heatmap", "centerline_mask", "centerline_tsv"}
    structure = () if task is None else task.products
    return tuple(product for product in (*structure, *PRODUCTS) if product not in unwanted)


@dataclass(frozen=True, slots=True)
class BidsName:
    """A BIDS file name taken apart.

    Attributes
    ----------
    entities : mapping of str to str
        Short keys and values, in the order of the name.
    suffix : str
        Last part of the name.
    extension : str
        With its dot; ``.nii.gz`` counts as one.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str

    def format(self) -> str:
        """Return the file name."""
        return "_".join([*(f"{key}-{value}" for key, value in self.entities.items()), self.suffix]) + self.extension


def parse_name(name: str) -> BidsName | None:
    """Take a BIDS file name apart.

    Returns
    -------
    BidsName or None
        None when it is not ``key-value_..._suffix.extension`` with each key once.
    """
    stem, dot, extension = name.partition(".")
    *pairs, suffix = stem.split("_")
    if not suffix.isalnum() or not all(_PAIR.fullmatch(pair) for pair in pairs):
        return None
    entities = {pair.partition("-")[0]: pair.partition("-")[2] for pair in pairs}
    return BidsName(entities, suffix, dot + extension) if len(entities) == len(pairs) else None


def description_label(image: "BidsImage") -> str:
    """Return the value of ``desc`` for the results of an image: its suffix and its folded entities.

    Examples
    --------
    ``T2w`` for ``sub-01_T2w.nii.gz``, ``MTSflip1mton`` for ``sub-01_flip-1_mt-on_MTS.nii.gz``, ``T2wvol3`` for the
    volume 3 of a series of which each volume is segmented.
    """
    volume = "" if image.volume is None else f"vol{image.volume}"
    folded = (key + value for key, value in _short_entities(image).items() if key not in _KEPT[image.datatype])
    return re.sub(r"[^a-zA-Z0-9]", "", image.suffix + "".join(folded) + volume)


@dataclass(frozen=True, slots=True)
class ResultNames:
    """The names of the files of one result; they differ in label, suffix and extension.

    Attributes
    ----------
    folder : str
        Folder of the files relative to that of all results, with a slash at its end; empty outside a data set.
    start, end : str
        What stands before the label and after it, for example ``sub-01_space-orig`` and ``_desc-T2w``.
    """

    folder: str
    start: str
    end: str = ""

    @classmethod
    def of_image(cls, image: "BidsImage") -> "ResultNames":
        """Return the names for an image of a data set."""
        kept = {key: value for key, value in _short_entities(image).items() if key in _KEPT[image.datatype]}
        ordered = sorted((kept | {"space": "orig"}).items(), key=lambda pair: _ORDER[pair[0]])
        start = "_".join(f"{key}-{value}" for key, value in ordered)
        session = "" if image.session is None else f"ses-{image.session}/"
        folder = f"sub-{image.subject}/{session}{image.datatype}/"
        return cls(folder, start, f"_desc-{description_label(image)}")

    def path(self, product: str) -> str:
        """Return the path of a product, a key of :data:`ALL_PRODUCTS`, relative to the folder of all results."""
        kind = ALL_PRODUCTS[product]
        return self.stem(kind.label, kind.suffix, kind.resolution) + kind.extension

    def sidecar(self, product: str) -> str:
        """Return the path of the JSON sidecar of a product."""
        return self.path(product).removesuffix(ALL_PRODUCTS[product].extension) + ".json"

    def stem(self, label: str, suffix: str, resolution: str = "") -> str:
        """Return the path of a file of this result without extension."""
        voxels = f"_res-{resolution}" if resolution else ""
        return f"{self.folder}{self.start}{voxels}_label-{label}{self.end}_{suffix}"


def derivative_path(image: "BidsImage", product: str) -> PurePosixPath:
    """Return where a product of an image is stored.

    Parameters
    ----------
    image : BidsImage
        Source image.
    product : str
        Key of :data:`ALL_PRODUCTS`.

    Returns
    -------
    PurePosixPath
        Path relative to the output directory, for example
        ``sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz``.
    """
    return PurePosixPath(ResultNames.of_image(image).path(product))


def find_collisions(images: Iterable["BidsImage"]) -> "dict[BidsImage, ImageError]":
    """Find the images whose results would share a name.

    Returns
    -------
    dict of BidsImage to ImageError
        One error for each image that must not be processed; all images of a shared name are refused.
    """
    by_path: dict[PurePosixPath, list[BidsImage]] = {}
    for image in images:
        by_path.setdefault(derivative_path(image, "mask"), []).append(image)
    return {
        image: ImageError(
            f"The results of {' and '.join(i.key for i in group)} would have the same name {path.name}. "
            "One name per image is expected. Rename one of the images."
        )
        for path, group in by_path.items()
        if len(group) > 1
        for image in group
    }


def _short_entities(image: "BidsImage") -> dict[str, str]:
    """Return the entities of an image by short key, in BIDS order; keys unknown to BIDS come last."""
    named = {_SHORT.get(name, name): value for name, value in image.entities.items()}
    return dict(sorted(named.items(), key=lambda item: (_ORDER.get(item[0], len(_ORDER)), item[0])))
