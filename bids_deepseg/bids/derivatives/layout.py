"""Place the files for which BIDS has no names: beside the images, or in ``docs``.

In the layout ``bids`` they stand where one looks for them, and ``.bidsignore`` lists them. In the layout ``strict``
they are in ``docs``, which the validator does not look into, under the same names, and there is no ``.bidsignore``.
The layout of a folder is kept in the folder: it is strict while ``docs/README.md`` exists.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_deepseg.bids.derivatives.ownership import is_own_unnamed, own_marks
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ResultNames
from bids_deepseg.files.atomic import check_no_link, make_own_folder, output_errors, write_if_different
from bids_deepseg.files.own import is_own, remove_own, write_own

logger = logging.getLogger(__name__)

DOCS = "docs"

BIDSIGNORE = ".bidsignore"

#: Exactly what BIDS has no names for. No slash after ``figures``: the validator would then not ignore the folder.
BIDSIGNORE_CONTENT = b"*.html\nfigures\n*_centerline.tsv\n*_centerline.json\n*_morph.tsv\n*_morph.json\n"

_MARK = f"{DOCS}/README.md"

_MARK_CONTENT = b"""# Reports and tables

Files for which BIDS has no names, under the names that they would have in the folder above: pages, figures, tables of
measures and of centerlines. The layout is that of `--output-layout strict`; remove it with `--output-layout bids`.
"""

_TABLES = ("_centerline.tsv", "_centerline.json", "_morph.tsv", "_morph.json")


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Where the files of one result are.

    Attributes
    ----------
    root : Path
        Derivative data set, or the folder for the results of an image outside any data set.
    names : ResultNames
        Their names.
    in_dataset : bool
        Whether ``root`` is a data set.
    """

    root: Path
    names: ResultNames
    in_dataset: bool = True

    @classmethod
    def of_image(cls, root: Path, image: BidsImage) -> "ResultFiles":
        """Return the files of the result of an image in a derivative data set."""
        return cls(root, ResultNames.of_image(image))

    @classmethod
    def of_mask(cls, mask: Path) -> "ResultFiles":
        """Return the files of the result in a derivative data set to which a mask belongs."""
        depth = 4 if mask.parent.parent.name.startswith("ses-") else 3
        start, _, end = mask.name.partition("_label-SC")
        folder = "/".join(mask.parts[-depth:-1]) + "/"
        return cls(mask.parents[depth - 1], ResultNames(folder, start, end.partition("_mask")[0]))

    @property
    def folder(self) -> Path:
        """Folder of the mask."""
        return self.root / self.names.folder

    def path(self, product: str) -> Path:
        """Return where a product is, a key of :data:`bids_deepseg.bids.naming.ALL_PRODUCTS`."""
        return self._place(self.names.path(product))

    def sidecar(self, product: str) -> Path:
        """Return where the JSON sidecar of a product is."""
        return self._place(self.names.sidecar(product))

    def find(self, product: str) -> Path | None:
        """Return where a product is, None if it is not there."""
        path = self.path(product)
        return path if os.path.lexists(path) else None

    def named(self, name: str) -> Path:
        """Return where the file of the result with this name is."""
        return self._place(self.names.folder + name)

    def reference(self, product: str) -> str:
        """Return what the sidecar of another product calls a product: a BIDS URI, or its name beside the sidecar."""
        return f"bids::{self.names.path(product)}" if self.in_dataset else self.names.path(product)

    def _place(self, relative: str) -> Path:
        return place(self.root, relative) if self.in_dataset else self.root / relative


def layout_of(output_dir: Path) -> str:
    """Return the layout of an output folder, ``bids`` or ``strict``; a new one has the layout ``bids``."""
    return "strict" if (output_dir / _MARK).is_file() else "bids"


def place(output_dir: Path, relative: PurePosixPath | str) -> Path:
    """Return where a file is in the layout of its folder.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    relative : PurePosixPath or str
        Path in the layout ``bids``, relative to it.
    """
    return output_dir / located(relative, layout_of(output_dir))


def located(relative: PurePosixPath | str, layout: str) -> PurePosixPath:
    """Return the relative path of a file in a layout, from that in the layout ``bids``."""
    path = PurePosixPath(relative)
    return DOCS / path if layout == "strict" and _has_no_bids_name(path) else path


def adopt_layout(output_dir: Path, layout: str | None) -> None:
    """Give a folder a layout: move what is elsewhere, and write or remove ``.bidsignore``.

    A move that was interrupted is completed by the next call, whatever it asks for.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    layout : {"bids", "strict"} or None
        None for the one that the folder has.

    Raises
    ------
    OutputError
        If a file cannot be moved.
    """
    before = layout_of(output_dir)
    wanted = layout or before
    mark, ignored = output_dir / _MARK, output_dir / BIDSIGNORE
    check_no_link(output_dir, mark.parent)
    if wanted == "strict" and (before != "strict" or ignored.exists()):
        make_own_folder(output_dir, mark.parent)
        write_own(mark, _MARK_CONTENT, [_MARK_CONTENT[:20]])
        for path in _unnamed_files(output_dir):
            _move(path, output_dir / DOCS / path.relative_to(output_dir), output_dir)
        remove_own(ignored, [BIDSIGNORE_CONTENT])
    elif wanted == "bids" and before == "strict":
        if is_own(ignored, own_marks(BIDSIGNORE), BIDSIGNORE_CONTENT):
            write_if_different(ignored, BIDSIGNORE_CONTENT)
        for path in _unnamed_files(output_dir / DOCS):
            _move(path, output_dir / path.relative_to(output_dir / DOCS), output_dir)
        with output_errors(mark):
            mark.unlink(missing_ok=True)
            _remove_empty(output_dir / DOCS)


def _has_no_bids_name(path: PurePosixPath) -> bool:
    """Return whether ``.bidsignore`` lists a path."""
    return path.name.endswith((".html", *_TABLES)) or "figures" in path.parts


def _unnamed_files(root: Path) -> Iterator[Path]:
    """Yield our files below a folder, laid out like the output, for which BIDS has no names; links are not followed."""
    folders = [folder for folder in root.glob("sub-*") if not folder.is_symlink()]
    found = [*root.glob("*"), *(path for folder in folders for path in folder.rglob("*"))]
    for path in found:
        relative = path.relative_to(root)
        if _has_no_bids_name(PurePosixPath(relative)) and path.is_file() and is_own_unnamed(relative.as_posix(), path):
            yield path


def _move(path: Path, target: Path, output_dir: Path) -> None:
    """Move a file, unless one that is not ours is in its new place; another run may have done so already."""
    make_own_folder(output_dir, target.parent)
    relative = target.relative_to(output_dir).as_posix().removeprefix(f"{DOCS}/")
    if os.path.lexists(target) and not is_own_unnamed(relative, target):
        logger.warning("%s was not made by this app: %s stays where it is.", target, path)
        return
    with output_errors(target):
        try:
            path.replace(target)
        except FileNotFoundError:
            return
    if path.parent.name == "figures":
        _remove_if_empty(path.parent)


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it as far as they are empty."""
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _remove_if_empty(inner)
    _remove_if_empty(folder)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder unless something is in it, or is put there right now."""
    try:
        folder.rmdir()
    except OSError:
        return
