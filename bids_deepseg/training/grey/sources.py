"""Read what the grey matter network is trained on: images with masks of cord and grey matter, and label maps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bids_deepseg.training.sources import RealImage, find_labelled, load_labelled, load_shapes, read_canonical
from bids_deepseg.training.synthesis.shapes import CordShape, ShapeBank

#: Weight of a cord with hand-drawn grey matter against one of the template, whose 126 slices are much alike.
_DRAWN_WEIGHT = 4
#: Value of the probabilistic template at the border of grey matter. At 0.5 its horns and commissure, which are thin,
#: would be lost where people differ.
_TEMPLATE_LEVEL = 0.42


@dataclass(frozen=True, slots=True, eq=False)
class GreyImage:
    """An image with two masks.

    Attributes
    ----------
    cord, grey : RealImage
        The same image, slices and centres, with the mask of the cord and with that of grey matter.
    """

    cord: RealImage
    grey: RealImage


def find_grey(data_dir: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Yield each training image that has manual masks of the cord and of grey matter, with both."""
    for image, cord in find_labelled(data_dir):
        grey = cord.with_name(cord.name.replace("_label-SC_", "_label-GM_"))
        if grey.is_file():
            yield image, cord, grey


def load_grey_images(data_dir: Path, held_out: tuple[str, ...]) -> tuple[GreyImage, ...]:
    """Load the images with grey matter, but those of the people held out."""
    images = []
    for image, cord_path, grey_path in find_grey(data_dir):
        if any(f"sub-{person}" in image.parts for person in held_out):
            continue
        cord = load_labelled(image, cord_path)
        mask = (read_canonical(grey_path)[0] > 0).astype(np.float32)
        slices = np.intersect1d(cord.slices, np.flatnonzero(mask.any(axis=(0, 1))))
        cord = replace(cord, slices=slices)
        images.append(GreyImage(cord, replace(cord, mask=mask)))
    return tuple(images)


def load_grey_shapes(data_dir: Path, held_out: tuple[str, ...]) -> ShapeBank:
    """Load the cord shapes but those of the people held out, those with hand-drawn grey matter several times.

    Only the template has both grey matter and a canal.
    """
    shapes: list[CordShape] = []
    for shape in load_shapes(data_dir, held_out).shapes:
        if shape.grey is None:
            shapes.append(shape)
        elif shape.canal_mm is None:
            shapes += _DRAWN_WEIGHT * [shape]
        else:
            raised = np.where(shape.grey > 0.02, shape.grey + np.float32(0.5 - _TEMPLATE_LEVEL), 0)
            shapes.append(replace(shape, grey=raised.astype(np.float32)))
    return ShapeBank(tuple(shapes))
