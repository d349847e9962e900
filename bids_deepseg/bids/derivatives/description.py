"""Describe the derivative data set as a whole: what made it, from what, and where that is found."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bids_deepseg.bids.derivatives.layout import BIDSIGNORE, BIDSIGNORE_CONTENT, layout_of
from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.derivatives.provenance import SOURCE_LINK
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.files.facts import mappings_of, text_mapping_of, text_of, texts_of

#: Version of BIDS whose validator checks the output in the tests.
BIDS_VERSION = "1.11.1"

_REFERENCES = (
    "https://doi.org/10.1016/j.neuroimage.2018.09.081",
    "https://doi.org/10.1016/j.media.2017.12.001",
)

_README = f"""# Spinal cord segmentation by {APP_NAME}

For each image of the source data set, beside each other in `sub-<label>/[ses-<label>/]{{anat,dwi,func}}/`:

| File | Content |
|---|---|
| `*_space-orig_label-SC_desc-<kind>_mask.nii.gz` | spinal cord, 0 and 1 |
| `*_space-orig_label-SC_desc-<kind>_probseg.nii.gz` | probability of spinal cord |
| `*_space-orig_res-detection_label-SCcenterline_desc-<kind>_probseg.nii.gz` | heat of the detection network |
| `*_space-orig_label-SCcenterline_desc-<kind>_mask.nii.gz` | centerline, one voxel per slice |
| `*_space-orig_label-SC_desc-<kind>_centerline.tsv` | centerline, points in mm (RAS) |
| `*_space-orig_label-SC_desc-<kind>_morph.tsv` | area and shape of the cord in each slice |

Images have exactly the grid of their source (`space-orig`), but those with `res-detection`. `desc-<kind>` names the
kind of source image, see `descriptions.tsv`. Tables and pages are in `docs` instead, if there is a `docs/README.md`.
The JSON file of each mask states the source, the networks, the options and the verdict of the quality checks;
`sub-*_scans.tsv` and `participants.tsv` collect the verdicts. If a verdict is not `pass`, look at the report
`sub-<label>.html`.
Images without result are listed in `logs/failed`.
"""


def dataset_files(
    output_dir: Path, bids_dir: Path, *, version: str, links: Mapping[str, str] | None = None
) -> dict[str, bytes | dict[str, Any]]:
    """Return the files of the root that depend on no result: content by name, bytes or a JSON object."""
    files: dict[str, bytes | dict[str, Any]] = {
        "dataset_description.json": describe_dataset(output_dir, bids_dir, version=version, links=links),
        "README.md": _README.encode(),
        "CHANGES": f"{version}\n  - Made by {APP_NAME} {version}.\n".encode(),
    }
    if layout_of(output_dir) == "bids":
        files[BIDSIGNORE] = BIDSIGNORE_CONTENT
    return files


def describe_dataset(
    output_dir: Path,
    bids_dir: Path,
    *,
    version: str,
    links: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the content of ``dataset_description.json``; what is not known is left out, never null.

    Parameters
    ----------
    output_dir, bids_dir, version, links
        As for :func:`dataset_files`.
    environ : mapping of str to str, optional
        Environment variables; those of the process by default.
    """
    source = read_json(bids_dir / "dataset_description.json")
    name, doi = text_of(source, "Name"), _source_doi(source)
    description = {
        "Name": f"{APP_NAME} outputs for {name}" if name else f"{APP_NAME} outputs",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {"Name": APP_NAME, "Version": version} | _container(os.environ if environ is None else environ),
            *_other_makers(output_dir),
        ],
        "SourceDatasets": [{"DOI": doi, "URL": f"https://doi.org/{doi.removeprefix('doi:')}"}] if doi else None,
        "DatasetLinks": resolve_links(output_dir, bids_dir, links),
        "License": text_of(source, "License"),
        "Authors": list(texts_of(source, "Authors")),
        "HowToAcknowledge": f"Name {APP_NAME} {version} and cite the references, and the source data set as it asks.",
        "ReferencesAndLinks": list(_REFERENCES),
    }
    return {key: value for key, value in description.items() if value}


def identity_of(description: Mapping[str, Any]) -> str:
    """Return a word for the data set that results are about, empty if it has neither a name nor a DOI.

    Parameters
    ----------
    description : mapping
        ``dataset_description.json`` of the results.
    """
    sources = (text_of(source, "DOI") for source in mappings_of(description, "SourceDatasets"))
    parts = [text for text in (text_of(description, "Name"), *sources) if text]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:12] if parts else ""


def _other_makers(output_dir: Path) -> list[dict[str, Any]]:
    """Return what else the description of the results says about their making: other tools may have added to it."""
    makers = read_json(output_dir / "dataset_description.json").get("GeneratedBy")
    makers = makers if isinstance(makers, list) else []
    return [maker for maker in makers if isinstance(maker, dict) and maker.get("Name") not in (None, APP_NAME)]


def resolve_links(output_dir: Path, bids_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``DatasetLinks``: where the source data set (``raw``) is found.

    Parameters
    ----------
    output_dir, bids_dir : Path
        Results and source.
    given : mapping of str to str, optional
        Links stated by the user, which win.

    Returns
    -------
    dict of str to str
        For ``raw`` a relative path when the results lie inside the source, else its DOI, else what an earlier run
        stated, else nothing: the path of a source elsewhere may exist only inside a container.
    """
    links = text_mapping_of(read_json(output_dir / "dataset_description.json"), "DatasetLinks")
    output, source = output_dir.resolve(), bids_dir.resolve()
    doi = _source_doi(read_json(bids_dir / "dataset_description.json"))
    if source in output.parents:
        links[SOURCE_LINK] = Path(os.path.relpath(source, output)).as_posix()
    elif doi:
        links[SOURCE_LINK] = doi
    return links | dict(given or {})


def _source_doi(source: Mapping[str, Any]) -> str | None:
    """Return the DOI of a data set in the form ``doi:10.…``, None if it states none."""
    text = text_of(source, "DatasetDOI") or ""
    for prefix in ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "doi:", "DOI:"):
        text = text.removeprefix(prefix)
    return f"doi:{text}" if text.startswith("10.") else None


def _container(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the container this process runs in, as the image states it; nothing outside one."""
    kind, tag, uri = (environ.get(f"BIDS_DEEPSEG_CONTAINER{end}") for end in ("", "_TAG", "_URI"))
    if kind and (environ.get("APPTAINER_CONTAINER") or environ.get("SINGULARITY_CONTAINER")):
        kind = "apptainer"
    facts = {key: value for key, value in (("Type", kind), ("Tag", tag), ("URI", uri)) if value}
    return {"Container": facts} if facts else {}
