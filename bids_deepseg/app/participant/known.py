"""Find once what is known of an image before it is read: how it is segmented, and what users put beside it."""

from dataclasses import dataclass
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.bids.derivatives.provenance import CacheKey
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import PRODUCTS
from bids_deepseg.bids.nifti.reading import ImageSize, look_at_size
from bids_deepseg.bids.source.corrections import Correction, find_correction, read_corrected_mask
from bids_deepseg.bids.source.given_centerline import (
    centerline_sha256,
    find_centerline_file,
    need_centerline_file,
    read_centerline,
)
from bids_deepseg.bids.source.vertebrae import LevelFile, find_level_file
from bids_deepseg.bids.source.volumes import volume_rule
from bids_deepseg.engine import ModelStore, method_of
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.methods.centerlines import CENTERLINES
from bids_deepseg.networks.specs import contrast_of_suffix
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import DrawnMask, Guide


@dataclass(frozen=True, slots=True)
class KnownImage:
    """One image and everything that decides on its result; it survives pickling.

    Attributes
    ----------
    image : BidsImage
        The image.
    settings : MethodSettings
        How it is segmented: along a corrected centerline, if there is one.
    contrast : str or None
        t1, t2, t2s or dwi.
    volume : str
        What is segmented of a series (:func:`bids_deepseg.bids.source.volumes.volume_rule`).
    size : ImageSize or str
        What its header says of its size, or why the image cannot be segmented for what the header says.
    products : tuple of str
        What is written.
    correction : Correction or None
        What a person corrected.
    centerline : Path or None
        Centerline that a person gave or corrected.
    levels : LevelFile or None
        Labels of the vertebral levels.
    """

    image: BidsImage
    settings: MethodSettings
    contrast: str | None
    volume: str
    size: ImageSize | str
    products: tuple[str, ...]
    correction: Correction | None
    centerline: Path | None
    levels: LevelFile | None

    @property
    def is_series(self) -> bool:
        """Whether it is a file with several volumes, and no diffusion series."""
        return self.image.datatype != "dwi" and isinstance(self.size, ImageSize) and self.size.n_volumes > 1

    @property
    def is_drawn(self) -> bool:
        """Whether a person drew the mask, so that no network is run."""
        return self.correction is not None and self.correction.kind == "mask"

    def cache_key(self, models: ModelStore) -> CacheKey:
        """Return what decides on the result besides the image, with the checksums of the files as they are now."""
        recorded: dict[str, str | float | None] = {"contrast": self.contrast}
        recorded |= {"volume": self.volume} if self.is_series else {}
        inputs = {} if self.levels is None else {"VertebralLevels": self.levels.sha256()}
        corrected = {} if self.correction is None else self.correction.facts()
        inner = models.structure_specs(self.contrast)
        if self.is_drawn:
            # No network has a part in it; the task works inside what was drawn.
            recorded |= {name: value for name, value in self.settings.facts().items() if name == "task"}
            return CacheKey(__version__, (), recorded, self.products, inputs, inner, corrected)
        recorded |= self.settings.facts()
        given = self.settings.centerline_file
        inputs |= {} if given is None else {"Centerline": centerline_sha256(self.image, self.centerline or given)}
        specs = models.specs(self.settings, self.contrast)
        return CacheKey(__version__, specs, recorded, self.products, inputs, inner, corrected)

    def read_guide(self, grid: Grid) -> Guide:
        """Read what the user gave for the image.

        Parameters
        ----------
        grid : Grid
            Native grid of the image.

        Raises
        ------
        ImageError
            If a file is missing, cannot be read or does not belong to the image.
        """
        if self.correction is not None and self.correction.kind == "mask":
            drawn = DrawnMask(read_corrected_mask(self.correction, grid), self.correction.facts())
            return Guide(self.contrast, drawn=drawn)
        path = self.centerline
        if self.correction is not None:
            path = self.correction.path
        elif path is None and self.settings.centerline_file is not None:
            path = need_centerline_file(self.image, self.settings.centerline_file)
        return Guide(self.contrast, None if path is None else read_centerline(path, grid))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for all images of a run.

    Attributes
    ----------
    settings : MethodSettings
        How images are segmented.
    contrast : str
        As asked for; ``auto`` becomes the contrast of the image's suffix.
    products : tuple of str
        What is written, keys of :data:`bids_deepseg.bids.naming.ALL_PRODUCTS`.
    volume : str
        What is segmented of an anatomical series.
    derivatives : tuple of (str, Path)
        Names and folders of data sets with labels of vertebral levels.
    """

    settings: MethodSettings
    contrast: str = "auto"
    products: tuple[str, ...] = tuple(PRODUCTS)
    volume: str = "auto"
    derivatives: tuple[tuple[str, Path], ...] = ()

    def contrast_of(self, image: BidsImage) -> str | None:
        """Return the contrast of an image, None if it is unknown."""
        return contrast_of_suffix(image.suffix) if self.contrast == "auto" else self.contrast

    def look_up(self, image: BidsImage) -> KnownImage:
        """Find what is known of one image."""
        settings, folder = self.settings, self.settings.corrections
        correction = None if folder is None else find_correction(image, folder)
        is_drawn = correction is not None and correction.kind == "mask"
        if correction is not None and not is_drawn:
            settings = settings.along(correction.paths[0])
        given = settings.centerline_file
        lacking = _lacking(settings, is_drawn=is_drawn)
        return KnownImage(
            image=image,
            settings=settings,
            contrast=self.contrast_of(image),
            volume=volume_rule(image, self.volume),
            size=look_at_size(image.path),
            products=tuple(name for name in self.products if name not in lacking),
            correction=correction,
            centerline=None if given is None else find_centerline_file(image, given),
            levels=find_level_file(image, self.derivatives),
        )


def _lacking(settings: MethodSettings, *, is_drawn: bool) -> frozenset[str]:
    """Return the products that the way to segment an image does not give."""
    method = method_of(settings, drawn=is_drawn)
    probability = () if method.has_probability else ("probseg",)
    has_heat = method.has_heatmap and CENTERLINES[settings.centerline].has_heatmap
    return frozenset((*probability, *(() if has_heat else ("heatmap",))))
