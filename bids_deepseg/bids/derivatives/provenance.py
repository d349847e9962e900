"""State where a result comes from: the contents of the JSON sidecars, and the cache key that decides on a second run.

Nothing here names a person, a machine or a time, and no path is absolute.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ALL_PRODUCTS, PRODUCTS
from bids_deepseg.bids.source.inheritance import read_metadata
from bids_deepseg.bids.source.reader import LoadedImage, source_fingerprint
from bids_deepseg.files.facts import number_of
from bids_deepseg.stages.structure import COLUMNS
from bids_deepseg.structures.tasks import TASKS, Task

if TYPE_CHECKING:
    from bids_deepseg.networks.specs import ModelIdentity
    from bids_deepseg.stages.findings import Finding
    from bids_deepseg.stages.segmentation import Segmentation, Try
    from bids_deepseg.stages.structure import Structure


#: Name of the source data set in BIDS URIs.
SOURCE_LINK = "raw"

_DESCRIPTIONS = {
    "mask": "Spinal cord",
    "probseg": "Probability of spinal cord",
    "heatmap": "What the detection network saw (1 at the centre of the spinal cord, 0 far from it)",
    "centerline_mask": "Centerline of the spinal cord, one voxel per slice",
    "centerline_tsv": "Centerline of the spinal cord, one point per slice, from inferior to superior",
    "morph": "Shape of the spinal cord in each slice, measured in the plane perpendicular to the cord",
}


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything besides the image that decides on the result.

    Attributes
    ----------
    version : str
        Version of the app.
    models : tuple of ModelIdentity
        Networks in the order of their use; the last one is thresholded.
    options : mapping of str to (str, int, float, bool or None)
        Options that change results.
    products : tuple of str
        Products that are written, keys of :data:`bids_deepseg.bids.naming.ALL_PRODUCTS`; always with ``mask``.
    inputs : mapping of str to str
        Checksums of what a person gave for this image, by what it is: ``Centerline``.
    structure_models : tuple of ModelIdentity
        Networks of the task besides the cord.
    correction : mapping of str to str
        What a person corrected in this image: ``Kind`` (mask or centerline), ``File``, ``SHA256``, and ``Author`` and
        ``Date`` as far as they are stated. Empty if nothing.
    """

    version: str
    models: tuple["ModelIdentity", ...]
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    products: tuple[str, ...] = tuple(PRODUCTS)
    inputs: Mapping[str, str] = field(default_factory=dict)
    structure_models: tuple["ModelIdentity", ...] = ()
    correction: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (
            not (self.models or self.is_drawn)
            or "mask" not in self.products
            or not set(self.products) <= set(ALL_PRODUCTS)
        ):
            raise ValueError(f"{len(self.models)} models, products {self.products}: at least one model and the mask.")

    @property
    def is_drawn(self) -> bool:
        """Whether a person drew the mask."""
        return self.correction.get("Kind") == "mask"

    @property
    def threshold(self) -> float | None:
        """Probability from which a voxel counts as cord; None for a mask that a person drew."""
        return None if self.is_drawn else self.threshold_of(self.models)

    def threshold_of(self, models: tuple["ModelIdentity", ...]) -> float:
        """Return the threshold that a result of these models has; without any, those of the cache_key."""
        given = self.options.get("threshold")
        return given if isinstance(given, float) else (models or self.models)[-1].threshold

    @property
    def config_hash(self) -> str:
        """Return the sha256 of version, checksums of the networks, threshold and options."""
        facts = {
            "version": self.version,
            "models": [spec.sha256 for spec in self.models],
            "threshold": self.threshold,
            "options": dict(self.options),
            **({"inputs": dict(self.inputs)} if self.inputs else {}),
            **({"correction": dict(self.correction)} if self.correction else {}),
            **({"structure": [spec.sha256 for spec in self.structure_models]} if self.structure_models else {}),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def source_reference(image: BidsImage, *, linked: bool) -> str:
    """Return the BIDS URI of a source image, or its path in its data set where no link to that is stated.

    BIDS demands an entry in ``DatasetLinks`` for every data set named in a URI, and there is none to give when the
    source is neither around the results nor has a DOI.
    """
    return f"bids:{SOURCE_LINK}:{image.relative_path}" if linked else image.relative_path


def table_sidecar(source: str, image: BidsImage, product: str) -> dict[str, Any]:
    """Return what the sidecars of all products share: a description and the source.

    Parameters
    ----------
    source : str
        From :func:`source_reference`.
    image : BidsImage
        Source image.
    product : str
        Key of :data:`bids_deepseg.bids.naming.PRODUCTS`.
    """
    return {"Description": f"{_DESCRIPTIONS[product]} in {image.name}", "Sources": [source]}


def image_sidecar(source: str, image: BidsImage, product: str) -> dict[str, Any]:
    """Return the sidecar that BIDS asks of a derived image; parameters as for :func:`table_sidecar`."""
    soft = PRODUCTS[product].suffix == "probseg"
    kind: dict[str, Any] = {"LabelMap": [PRODUCTS[product].label]} if soft else {"Type": "ROI"}
    return table_sidecar(source, image, product) | space_of(image) | kind


def space_of(image: BidsImage) -> dict[str, Any]:
    """Return what BIDS asks of the sidecar of every derived image with the voxels of its source."""
    sidecar = {"SpatialReference": "orig", "Manual": False}
    # BIDS asks for the echo time of every image with echo- in its name, derivatives included.
    echo_time = number_of(read_metadata(image), "EchoTime") if "echo" in image.entities else None
    return sidecar | ({"EchoTime": echo_time} if echo_time is not None and echo_time > 0 else {})


def mask_sidecar(
    source: str,
    image: BidsImage,
    loaded: LoadedImage,
    segmentation: "Segmentation",
    cache_key: CacheKey,
    *,
    fingerprint: Mapping[str, int | str] | None = None,
    backend: str = "",
) -> dict[str, Any]:
    """Return the sidecar of the mask, the one place that describes a result completely.

    Parameters
    ----------
    source, image
        As for :func:`table_sidecar`.
    loaded : LoadedImage
        How the image was read.
    segmentation : Segmentation
        Result.
    cache_key : CacheKey
        App, networks and options.
    fingerprint : mapping, optional
        Fingerprint of what was read; that of the source as it is now by default.
    backend : str, optional
        Library that computed the networks. It does not decide whether a result is current: what it changes is less than
        what another processor changes.
    """
    area = segmentation.metrics.columns()["area_mm2"]
    present = np.isfinite(area)
    mean = round(float(area[present].mean()), 4) if present.any() else None
    return {
        **image_sidecar(source, image, "mask"),
        "Manual": cache_key.is_drawn,
        "GeneratedBy": [{"Name": APP_NAME, "Version": cache_key.version}, *_by_hand(cache_key)],
        **({"Correction": dict(cache_key.correction)} if cache_key.correction else {}),
        "Model": _describe_models(segmentation.models or cache_key.models),
        **({"Backend": backend} if backend else {}),
        **({} if cache_key.threshold is None else {"Threshold": cache_key.threshold_of(segmentation.models)}),
        **({"VolumesUsed": loaded.volumes_used} if loaded.volumes_used else {}),
        **({} if image.volume is None else {"Volume": image.volume}),
        "SourceFingerprint": dict(fingerprint or source_fingerprint(image)),
        "Options": dict(cache_key.options),
        **({"GivenInputs": dict(cache_key.inputs)} if cache_key.inputs else {}),
        "ConfigHash": cache_key.config_hash,
        "QC": {"Verdict": segmentation.verdict, "Reasons": _reasons(loaded, segmentation.findings)},
        **({"Rescue": _describe_tries(segmentation.tries)} if segmentation.tries else {}),
        "Measures": {"MeanArea_mm2": mean, "Slices": int(present.sum())},
    }


def _by_hand(cache_key: CacheKey) -> list[dict[str, str]]:
    """Return the entry of the person who drew the mask, as the manual-correction scripts of others write it."""
    stated = {key: cache_key.correction[key] for key in ("Author", "Date") if key in cache_key.correction}
    return [{"Name": "Manual", **stated}] if cache_key.is_drawn else []


def _describe_models(models: Iterable["ModelIdentity"]) -> list[dict[str, str]]:
    """Return what identifies networks."""
    return [{"Name": spec.name, "Contrast": spec.contrast, "SHA256": spec.sha256} for spec in models]


def _describe_findings(findings: Iterable["Finding"]) -> list[dict[str, Any]]:
    """Return findings as they are in a sidecar."""
    return [_describe_finding(found) for found in findings]


def _describe_finding(found: "Finding") -> dict[str, Any]:
    """Return one finding; value and limit only where they are known."""
    numbers = {"Value": found.value, "Limit": found.limit}
    known = {name: round(float(number), 4) for name, number in numbers.items() if number is not None}
    return {"Code": found.code, "Severity": found.severity, "Message": found.message, **known}


def _describe_tries(tries: Iterable["Try"]) -> list[dict[str, Any]]:
    """Return the methods that were tried on an image, in their order, as they are in a sidecar."""
    return [
        {
            "Method": one.name,
            "Verdict": one.verdict,
            **({} if one.score is None else {"Score": one.score}),
            "Reasons": list(one.reasons),
            "Kept": one.kept,
            **({"Extent": [list(row) for row in one.extent]} if one.extent else {}),
        }
        for one in tries
    ]


def _reasons(loaded: LoadedImage, findings: Iterable["Finding"]) -> list[dict[str, Any]]:
    """Return the findings of the segmentation and the notes of the reader in one form."""
    notes: list[dict[str, Any]] = [
        {"Code": code, "Severity": "info", "Message": message} for code, message in loaded.notes
    ]
    return _describe_findings(findings) + notes


def structure_sidecar(
    sources: list[str], image: BidsImage, structure: "Structure", product: str, cache_key: CacheKey
) -> dict[str, Any]:
    """Return the sidecar of one product about a structure.

    Parameters
    ----------
    sources : list of str
        References to the image and to the mask of the cord, inside which the structure is sought.
    image : BidsImage
        Source image.
    structure : Structure
        Result.
    product : str
        Key of :data:`bids_deepseg.bids.naming.STRUCTURE_PRODUCTS`.
    cache_key : CacheKey
        App, networks and options.
    """
    task = TASKS[structure.task]
    probability, table, _mask = task.products
    if product == table:
        described = f"Size of the {task.noun} in each slice of"
        more: dict[str, Any] = {name: {"Description": c.description, "Units": c.units} for name, c in COLUMNS.items()}
    elif product == probability:
        described = f"Probability of {task.noun} inside the spinal cord in"
        more = {**space_of(image), "LabelMap": [task.label]}
    else:
        described = f"{task.noun[0].upper()}{task.noun[1:]} of the spinal cord in"
        more = {**space_of(image), **_mask_entries(task, structure, cache_key)}
    return {"Description": f"{described} {image.name}", "Sources": sources, **more}


def _mask_entries(task: Task, structure: "Structure", cache_key: CacheKey) -> dict[str, Any]:
    """Return everything that the sidecar of the mask says about a structure."""
    area = structure.measures["area_mm2"]
    present = area[np.isfinite(area) & (area > 0)]
    # Networks that are thresholded on their own pixels, before these are averaged over voxels.
    on_pixels = [model.threshold for model in cache_key.structure_models if model.threshold != structure.threshold]
    voxel_mm3 = float(abs(np.linalg.det(structure.mask.grid.affine[:3, :3])))
    return {
        "Type": task.roi_type,
        "GeneratedBy": [{"Name": APP_NAME, "Version": cache_key.version}],
        "Model": _describe_models(cache_key.structure_models),
        "Threshold": structure.threshold,
        **({"NetworkThreshold": on_pixels[0]} if on_pixels else {}),
        "QC": {"Verdict": structure.verdict, "Reasons": _describe_findings(structure.findings)},
        "Measures": {
            "MeanArea_mm2": round(float(present.mean()), 4) if len(present) else None,
            "Volume_mm3": round(int(structure.mask.data.sum()) * voxel_mm3, 4),
            "Slices": len(present),
            **({"Objects": structure.n_objects} if task.counted else {}),
        },
    }
