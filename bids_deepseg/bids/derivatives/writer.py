"""Write the results of one image, all or nothing.

Every file is written under a temporary name beside its place and then renamed; the JSON sidecar of the mask comes
last, so that its presence says that all others are complete. The same results give the same bytes on every run.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.derivatives.description import resolve_links
from bids_deepseg.bids.derivatives.failures import clear_failure
from bids_deepseg.bids.derivatives.heat import fits, heatmap_part
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.products import KEY, damaged_files, measured
from bids_deepseg.bids.derivatives.provenance import (
    SOURCE_LINK,
    CacheKey,
    image_sidecar,
    mask_sidecar,
    source_reference,
    structure_sidecar,
    table_sidecar,
)
from bids_deepseg.bids.derivatives.saved import is_current
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ALL_PRODUCTS, OPTIONAL_PRODUCTS, STRUCTURE_PRODUCTS
from bids_deepseg.bids.nifti.reading import write_nifti
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.reader import LoadedImage
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_DESCRIPTION, SliceLevels
from bids_deepseg.errors import OutputWriteError
from bids_deepseg.files.atomic import FileToWrite, make_own_folder, output_errors, write_files
from bids_deepseg.files.locks import holding
from bids_deepseg.files.tables import format_columns, format_json
from bids_deepseg.stages.metrics import COLUMNS

if TYPE_CHECKING:
    from bids_deepseg.stages.segmentation import Segmentation

#: Times that a result is written, and looked at, before something is wrong; times between looks, and for a lock.
_ATTEMPTS, _PAUSE_S, _PATIENCE_S = 3, 0.05, 60.0

#: Function that writes the content of a file, and its sidecar.
Part = tuple[Callable[[BinaryIO], None], dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ImageProducts:
    """Everything to write for one image.

    Attributes
    ----------
    image : BidsImage
        Source.
    loaded : LoadedImage
        Source as it was read: header, shape and notes.
    segmentation : Segmentation
        Result on the native grid.
    cache_key : CacheKey
        App, networks, options, and which products are wanted.
    links : mapping of str to str
        Links stated by the user (``--dataset-link``).
    levels : SliceLevels or None
        Vertebral level of each slice, if labels were given.
    fingerprint : mapping or None
        Fingerprint of the source as it was read; None for that of the file as it is when the result is written.
    backend : str
        Library that computed the networks, empty if none had a part in the result.
    """

    image: BidsImage
    loaded: LoadedImage
    segmentation: "Segmentation"
    cache_key: CacheKey
    links: Mapping[str, str] = field(default_factory=dict)
    levels: SliceLevels | None = None
    fingerprint: Mapping[str, int | str] | None = None
    backend: str = ""


def write_products(products: ImageProducts, files: ResultFiles) -> tuple[Path, ...]:
    """Write masks, probability, tables and sidecars of one image.

    Returns
    -------
    tuple of Path
        Files in the order of writing; the sidecar of the mask is the last.

    Raises
    ------
    OutputError
        If a folder or file cannot be created.
    OutputWriteError
        If the disk is full or fails.
    """
    make_own_folder(files.root, files.folder)
    # Of two runs with different options, one writes after the other, where there are locks.
    with holding(files.folder, patience_s=_PATIENCE_S):
        for _ in range(_ATTEMPTS):
            written = _write_once(products, files)
            if _belong_together(files):
                return written
    raise OutputWriteError(
        f"The results of {products.image.name} are not what was written: the drive loses data, or other runs write "
        "results of this image at the same time. Nothing of them was kept. Look at the drive and run again."
    )


def _write_once(products: ImageProducts, files: ResultFiles) -> tuple[Path, ...]:
    """Write the files of one image, in the order in which they are returned."""
    image, cache_key = products.image, products.cache_key
    linked = files.in_dataset and SOURCE_LINK in resolve_links(files.root, image.root, products.links)
    sources = [source_reference(image, linked=linked), files.reference("mask")]
    to_write: list[FileToWrite] = []
    noted: dict[str, dict[str, int | str]] = {}
    # The mask comes last and its sidecar after it.
    has_heatmap = products.segmentation.heatmap is not None and fits(files.path("heatmap"))
    there = [name for name in cache_key.products if name not in OPTIONAL_PRODUCTS or has_heatmap]
    for product in sorted(there, key=lambda name: name == "mask"):
        path, described = files.path(product), files.sidecar(product)
        write, sidecar = _part(products, sources, product)
        to_write.append((path, measured(path.name, write, noted)))
        if product == "mask":
            # What the other files are is known when they are written.
            to_write.append((described, partial(_write_listing, sidecar, noted)))
        else:
            write = measured(described.name, partial(_write_bytes, format_json(sidecar)), noted)
            to_write.append((described, write))
    commit_mark = files.sidecar("mask")
    for folder in {path.parent for path, _ in to_write}:
        make_own_folder(files.root, folder)
    with output_errors(commit_mark):
        # From here until the end there is no complete result, even if an earlier one is here.
        commit_mark.unlink(missing_ok=True)
        _remove_products(files, set(ALL_PRODUCTS) - set(there))
    write_files(to_write)
    if files.in_dataset:
        clear_failure(image, files.root)
    return tuple(path for path, _ in to_write)


def _belong_together(files: ResultFiles) -> bool:
    """Return whether the files of an image that are there now are those of one result.

    Where locks do not work, another run may have written some of them in the meantime. Whoever writes last sees it, and
    takes a mixed result back.
    """
    commit_mark = files.sidecar("mask")
    for attempt in range(_ATTEMPTS):
        sidecar = read_json(commit_mark)
        if sidecar and not damaged_files(sidecar, files, thorough=True):
            return True
        # Runs that would look at the same moments do not.
        time.sleep(_PAUSE_S * (1 + attempt) * (1 + os.getpid() % 7))
    with output_errors(commit_mark):
        commit_mark.unlink(missing_ok=True)
    return False


def withdraw_stale(image: BidsImage, files: ResultFiles, cache_key: CacheKey) -> bool:
    """Remove the result of an image if it does not describe the image as it is now.

    Called when an image fails, so that no mask of an earlier state of the image is taken for its result.

    Returns
    -------
    bool
        True if a result was removed.
    """
    commit_mark = files.sidecar("mask")
    if not commit_mark.is_file() or (files.in_dataset and is_current(image, files.root, cache_key)):
        return False
    make_own_folder(files.root, commit_mark.parent)
    with holding(commit_mark.parent, patience_s=_PATIENCE_S), output_errors(commit_mark):
        commit_mark.unlink(missing_ok=True)
        _remove_products(files, ALL_PRODUCTS)
    return True


def _remove_products(files: ResultFiles, products: Iterable[str]) -> None:
    """Remove files of an earlier result that no longer exists."""
    for product in products:
        for path in (files.path(product), files.sidecar(product)):
            # The name of a heatmap may be too long to ask for its removal.
            if os.path.lexists(path):
                path.unlink(missing_ok=True)


def _write_listing(sidecar: Mapping[str, Any], noted: Mapping[str, Any], stream: BinaryIO) -> None:
    """Write the sidecar of the mask, with the sizes and checksums of the files that were written before it."""
    stream.write(format_json({**sidecar, KEY: dict(noted)}))


def _write_bytes(content: bytes, stream: BinaryIO) -> None:
    stream.write(content)


def _part(products: ImageProducts, sources: list[str], product: str) -> Part:
    """Return writer and sidecar of a product; its sources are the image and, inside the cord, the mask of the cord."""
    if product in STRUCTURE_PRODUCTS:
        return _structure(products, sources, product)
    return _PARTS[product](products, sources[0])


def _mask(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of the mask."""
    segmentation, cache_key = products.segmentation, products.cache_key
    sidecar = mask_sidecar(
        source,
        products.image,
        products.loaded,
        segmentation,
        cache_key,
        fingerprint=products.fingerprint,
        backend=products.backend,
    )
    return _nifti_writer(products, products.segmentation.mask.data), sidecar


def _probseg(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of the probability."""
    sidecar = image_sidecar(source, products.image, "probseg")
    return _nifti_writer(products, products.segmentation.probability.data), sidecar


def _heatmap(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of what the detection network saw."""
    return heatmap_part(products.segmentation.heatmap, source, products.image)


def _centerline_mask(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of the centerline as an image."""
    given = products.cache_key.correction.get("Kind") == "centerline"
    sidecar = image_sidecar(source, products.image, "centerline_mask") | {"Manual": given}
    return _nifti_writer(products, products.segmentation.centerline_mask.data), sidecar


def _centerline_table(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of the centerline as points."""
    names = {"x_mm": "right", "y_mm": "anterior", "z_mm": "superior"}
    columns = dict(zip(names, products.segmentation.centerline.xyz.T, strict=True))
    described = {name: {"Description": f"World coordinate towards {end}", "Units": "mm"} for name, end in names.items()}
    sidecar = table_sidecar(source, products.image, "centerline_tsv") | described
    return partial(_write_bytes, format_columns(columns, dict.fromkeys(names, 3))), sidecar


def _morph(products: ImageProducts, source: str) -> Part:
    """Return writer and sidecar of the table of measures."""
    described = {name: {"Description": c.description, "Units": c.units} for name, c in COLUMNS.items()}
    sidecar = table_sidecar(source, products.image, "morph") | described
    columns = products.segmentation.metrics.columns()
    levels = products.levels
    if levels is not None:
        columns |= {LEVEL_COLUMN: levels.values}
        sidecar[LEVEL_COLUMN] = dict(LEVEL_DESCRIPTION) | {"DataSet": levels.file.dataset, "File": levels.file.relative}
    return partial(_write_bytes, format_columns(columns, {"slice": 0, LEVEL_COLUMN: 0})), sidecar


def _structure(products: ImageProducts, sources: list[str], product: str) -> Part:
    """Return writer and sidecar of one product about a structure inside the cord."""
    structure = products.segmentation.structure
    if structure is None:
        raise ValueError(f"The product {product!r} is wanted and no structure was segmented.")
    sidecar = structure_sidecar(sources, products.image, structure, product, products.cache_key)
    if product.endswith("_morph"):
        return partial(_write_bytes, format_columns(structure.measures, {"slice": 0})), sidecar
    volume = structure.mask if product.endswith("_mask") else structure.probability
    return _nifti_writer(products, volume.data), sidecar


def _nifti_writer(products: ImageProducts, data: NDArray[np.generic]) -> Callable[[BinaryIO], None]:
    """Return a function that writes values in the space and the shape of the source."""
    shaped = data.reshape(products.loaded.shape)
    return lambda stream: write_nifti(stream, shaped, products.loaded.header)


_PARTS = {
    "mask": _mask,
    "probseg": _probseg,
    "heatmap": _heatmap,
    "centerline_mask": _centerline_mask,
    "centerline_tsv": _centerline_table,
    "morph": _morph,
}
