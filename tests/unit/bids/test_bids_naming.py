"""Names of derivatives, by example."""

import pytest

from bids_deepseg.bids.naming import derivative_path, find_collisions, parse_name
from bids_deepseg.errors import ImageError
from tests.helpers.strategies import build_image


@pytest.mark.parametrize(
    ("entities", "suffix", "expected"),
    [
        ({}, "T2w", "sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz"),
        ({"flip": "1", "mt": "on"}, "MTS", "sub-01_space-orig_label-SC_desc-MTSflip1mton_mask.nii.gz"),
        ({"chunk": "2", "run": "1"}, "T2w", "sub-01_run-1_space-orig_chunk-2_label-SC_desc-T2w_mask.nii.gz"),
        ({"echo": "3"}, "MEGRE", "sub-01_echo-3_space-orig_label-SC_desc-MEGRE_mask.nii.gz"),
        ({"part": "mag"}, "T1w", "sub-01_part-mag_space-orig_label-SC_desc-T1w_mask.nii.gz"),
        ({"foo": "3"}, "T1w", "sub-01_space-orig_label-SC_desc-T1wfoo3_mask.nii.gz"),
        ({"acquisition": "a+b"}, "T1w", "sub-01_acq-a+b_space-orig_label-SC_desc-T1w_mask.nii.gz"),
        ({"direction": "A+P"}, "T1w", "sub-01_space-orig_label-SC_desc-T1wdirAP_mask.nii.gz"),
        ({"direction": "AP"}, "dwi", "sub-01_dir-AP_space-orig_label-SC_desc-dwi_mask.nii.gz"),
        ({"echo": "1"}, "dwi", "sub-01_space-orig_label-SC_desc-dwiecho1_mask.nii.gz"),
    ],
)
def test_entities_are_kept_where_bids_allows_them_and_folded_elsewhere(entities, suffix, expected):
    image = build_image({"subject": "01", **entities}, suffix, "dwi" if suffix == "dwi" else "anat")
    assert derivative_path(image, "mask").name == expected


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("probseg", "sub-01/ses-a/anat/sub-01_ses-a_space-orig_label-SC_desc-T2w_probseg.nii.gz"),
        ("centerline_mask", "sub-01/ses-a/anat/sub-01_ses-a_space-orig_label-SCcenterline_desc-T2w_mask.nii.gz"),
        ("centerline_tsv", "sub-01/ses-a/anat/sub-01_ses-a_space-orig_label-SC_desc-T2w_centerline.tsv"),
        ("morph", "sub-01/ses-a/anat/sub-01_ses-a_space-orig_label-SC_desc-T2w_morph.tsv"),
    ],
)
def test_products_stand_beside_each_other(product, expected):
    image = build_image({"subject": "01", "session": "a"}, "T2w", "anat")
    assert str(derivative_path(image, product)) == expected


@pytest.mark.parametrize(
    "name", ["T2w.nii.gz", "sub-01.nii.gz", "sub-01_acq-a_acq-b_T2w.nii.gz", "sub-01_x_T2w.nii.gz"]
)
def test_a_name_that_is_not_bids_is_not_parsed_or_has_no_subject(name):
    parsed = parse_name(name)
    assert parsed is None or "sub" not in parsed.entities


def test_images_whose_results_would_share_a_name_are_all_refused():
    first = build_image({"subject": "01", "direction": "A+P"}, "T2w", "anat")
    second = build_image({"subject": "01", "direction": "AP"}, "T2w", "anat")
    other = build_image({"subject": "01"}, "T2w", "anat")
    refused = find_collisions([first, second, other])
    assert set(refused) == {first, second}
    assert all(isinstance(error, ImageError) and "Rename one" in str(error) for error in refused.values())
