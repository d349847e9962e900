"""Hold the table of methods, and what the app needs of a method; tests use a simple one in place of the networks."""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol, Self

from bids_deepseg import pipeline
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods import manual
from bids_deepseg.methods.method import Method, Segmenter
from bids_deepseg.methods.propseg import method as propseg
from bids_deepseg.methods.sct import method as sct
from bids_deepseg.networks.backend import AUTO, choose_backend, start_keras
from bids_deepseg.networks.predictor import StructureModel
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation
from bids_deepseg.structures.find import identify_structure_models, load_structure_model
from bids_deepseg.structures.tasks import CORD

logger = logging.getLogger(__name__)

#: All methods: by the word of ``--method``, the reference method by its profile, and masks that a person drew.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "deepseg": pipeline.METHOD,
        "propseg": propseg.METHOD,
        "sct": sct.METHOD,
        "manual": manual.METHOD,
    }
)


def method_of(settings: MethodSettings, *, drawn: bool = False) -> Method:
    """Return the method that the settings ask for, or that of an image of which a person drew the mask."""
    return METHODS["manual" if drawn else "sct" if settings.profile == "sct" else settings.method]


class Engine(Protocol):
    """A segmentation method; hashable, and it survives pickling, since each process loads its own models."""

    def __hash__(self) -> int: ...

    @property
    def settings(self) -> MethodSettings:
        """How images are segmented."""
        ...

    @property
    def backend(self) -> str:
        """Library that computes the networks; empty if there is none."""
        ...

    def configured(self, settings: MethodSettings) -> Self:
        """Return the same engine with other settings."""
        ...

    def specs(self, contrast: str | None) -> tuple[ModelIdentity, ...]:
        """Describe the networks for images of a contrast, in the order of their use, without loading them."""
        ...

    def structure_specs(self, contrast: str | None) -> tuple[ModelIdentity, ...]:
        """Describe the networks of the task besides the cord for images of a contrast; empty for the cord alone."""
        ...

    def load(self) -> Segmenter:
        """Load the models, and return the method that is ready to segment images of any contrast."""
        ...

    def load_structure(self, contrast: str | None) -> StructureModel | None:
        """Load the network of the task besides the cord for images of a contrast; None for the cord alone."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkEngine:
    """The methods of the table, by the settings.

    Attributes
    ----------
    settings : MethodSettings
        How images are segmented.
    backend : {"tensorflow", "openvino"}
        Library that computes the networks; given as ``auto``, it is chosen here, so that all processes have the same.

    Raises
    ------
    UsageError, NetworkError
        If the backend cannot be had.
    """

    settings: MethodSettings = field(default_factory=MethodSettings)
    backend: str = AUTO

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", choose_backend(self.backend))

    def configured(self, settings: MethodSettings) -> Self:
        """Return an engine with other settings."""
        return replace(self, settings=settings)

    def specs(self, contrast: str | None) -> tuple[ModelIdentity, ...]:
        """Describe the networks without loading Keras, and compare their weights with their checksums."""
        return method_of(self.settings).identify(self.settings, contrast)

    def structure_specs(self, contrast: str | None) -> tuple[ModelIdentity, ...]:
        """Describe the network of the task without loading Keras, and compare its weights with their checksum."""
        return identify_structure_models(self.settings.task, self.settings.weights_dir, contrast)

    def load(self) -> Segmenter:
        """Load Keras and the networks of all contrasts; those of one contrast are loaded at its first image."""
        start_keras(self.backend)
        of_contrast = functools.cache(method_of(self.settings).load(self.settings))
        return lambda volume, guide, observer: of_contrast(guide.contrast)(volume, guide, observer)

    def load_structure(self, contrast: str | None) -> StructureModel | None:
        """Load the network of the task, and Keras if there is one."""
        if self.settings.task != CORD:
            start_keras(self.backend)
        return load_structure_model(self.settings.task, self.settings.weights_dir, contrast)


class ModelStore:
    """Loads the models of an engine when they are first asked for, and keeps and hands them out; one per process.

    Settings that differ in nothing but the file of a centerline share their models.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: Library that computes the networks.
        self.backend = engine.backend
        self._specs: dict[tuple[object, ...], tuple[ModelIdentity, ...]] = {}
        self._segmenters: dict[tuple[object, ...], Segmenter] = {}
        #: Describe, and load, the network of the task besides the cord for a contrast.
        self.structure_specs: Callable[[str | None], tuple[ModelIdentity, ...]] = functools.cache(
            engine.structure_specs
        )
        self.structure: Callable[[str | None], StructureModel | None] = functools.cache(engine.load_structure)

    def specs(self, settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
        """Describe the models that settings ask for, in the order of their use; compared with their checksums once.

        Raises
        ------
        NetworkError
            If one is missing or changed.
        """
        key = (*_what_models_depend_on(settings), contrast)
        if key not in self._specs:
            self._specs[key] = self._engine.configured(settings).specs(contrast)
        return self._specs[key]

    def segmenter(self, settings: MethodSettings) -> Segmenter:
        """Return the method that settings ask for, with its models."""
        key = _what_models_depend_on(settings)
        if key not in self._segmenters:
            begin = time.monotonic()
            self._segmenters[key] = self._engine.configured(settings).load()
            seconds = time.monotonic() - begin
            logger.info("networks loaded in %.1f s", seconds, extra={"stage": "load", "seconds": seconds})
        return self._segmenters[key]

    def segment(self, settings: MethodSettings, volume: Volume, *, guide: Guide, observer: Observer) -> Segmentation:
        """Segment one image; where a person drew its mask, this is the result and no model is loaded."""
        if guide.drawn is None:
            return self.segmenter(settings)(volume, guide, observer)
        return method_of(settings, drawn=True).load(settings)(guide.contrast)(volume, guide, observer)


def _what_models_depend_on(settings: MethodSettings) -> tuple[object, ...]:
    """Return the settings that models, once loaded, may depend on: all but the files of one image."""
    return (tuple(settings.facts().items()), settings.weights_dir)
