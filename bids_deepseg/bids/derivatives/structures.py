"""Describe the files about a structure inside the cord: the contents of their JSON sidecars."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.derivatives.provenance import CacheKey, describe_findings, describe_models, space_of
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.stages.structure import COLUMNS
from bids_deepseg.structures.tasks import TASKS, Task

if TYPE_CHECKING:
    from bids_deepseg.stages.structure import Structure


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
        described = {name: {"Description": c.description, "Units": c.units} for name, c in COLUMNS.items()}
        return {
            "Description": f"Size of the {task.noun} in each slice of {image.name}",
            "Sources": sources,
            **described,
        }
    if product == probability:
        description = f"Probability of {task.noun} inside the spinal cord in {image.name}"
        return {"Description": description, "Sources": sources, **space_of(image), "LabelMap": [task.label]}
    description = f"{task.noun[0].upper()}{task.noun[1:]} of the spinal cord in {image.name}"
    return {
        "Description": description,
        "Sources": sources,
        **space_of(image),
        **_mask_entries(task, structure, cache_key),
    }


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
        "Model": describe_models(cache_key.structure_models),
        "Threshold": structure.threshold,
        **({"NetworkThreshold": on_pixels[0]} if on_pixels else {}),
        "QC": {"Verdict": structure.verdict, "Reasons": describe_findings(structure.findings)},
        "Measures": {
            "MeanArea_mm2": round(float(present.mean()), 4) if len(present) else None,
            "Volume_mm3": round(int(structure.mask.data.sum()) * voxel_mm3, 4),
            "Slices": len(present),
            **({"Objects": structure.n_objects} if task.counted else {}),
        },
    }
