"""The page of the group after whole runs: pictures from the pages of the participants, links, courses, judgements."""

import re

import pytest

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, write_dataset, write_nifti

LABELS = [f"{n:02d}" for n in range(1, 7)]


def run(folder, *words):
    given = [folder / "in", folder / "out", *words, "--skip-bids-validation", "-q"]
    return cli.main([str(word) for word in given], engine=FakeEngine())


@pytest.fixture
def folder(tmp_path):
    data = write_dataset(tmp_path / "in")
    for n, label in enumerate(LABELS):
        for name in ("T2w", "run-1_T1w"):
            write_nifti(data / f"sub-{label}" / "anat" / f"sub-{label}_{name}.nii.gz", cord(radius_mm=4.5 + 0.2 * n))
    (data / "sub-06" / "anat" / "sub-06_T2w.nii.gz").write_bytes(b"")
    (data / "participants.tsv").write_text(
        "participant_id\tsite\n" + "".join(f"sub-{label}\t{'ab'[int(label) % 2]}\n" for label in LABELS)
    )
    return tmp_path


def rows(page):
    """Return the rows of the table of images by image."""
    body = page.split('id="images"')[1].split("</tbody>")[0]
    return {re.search('data-image="([^"]*)"', row)[1]: row for row in body.split("<tr ")[2:]}


@pytest.mark.parametrize(
    ("options", "place"),
    [((), ""), (("--report-format", "linked"), ""), (("--output-layout", "strict"), "docs")],
    ids=["embedded", "linked", "strict"],
)
def test_each_image_has_the_picture_and_the_place_of_its_participants_page(folder, options, place):
    run(folder, "participant", "group", *options)
    root = folder / "out" / place
    found = rows((root / "group.html").read_text())
    assert len(found) == 12
    for image, row in found.items():
        if image == "sub-06/anat/sub-06_T2w.nii.gz":
            assert "<img" not in row
            assert 'href="sub-06.html"' in row
            continue
        assert re.search(r'<img src="data:image/jpeg;base64,/9j/[A-Za-z0-9+/=]{500,}" width="\d+" height="96"', row)
        page, anchor = re.search(r'href="(sub-\d\d\.html)#(image-\d+)"', row).groups()
        section = (root / page).read_text().split(f'<section id="{anchor}"')[1].split("</section>")[0]
        assert image in section


def test_distributions_and_courses_are_drawn_from_the_tables(folder):
    run(folder, "participant", "group")
    page = (folder / "out" / "group.html").read_text()
    assert "By kind of image" in page
    assert "By site" in page
    assert re.findall(r'class="strips band"[^>]*data-kind="([^"]*)"', page) == ["T1w", "T2w"]
    row = rows(page)["sub-01/anat/sub-01_T2w.nii.gz"]
    areas = [float(text) for text in re.search('data-along="([^"]*)"', row)[1].split()]
    shown = float(re.search(r'area" data-key="([\d.]+)"', row)[1])
    assert len(areas) == 20
    assert areas == pytest.approx([shown] * 20, rel=0.05)


def test_a_page_that_is_missing_cut_off_or_not_ours_costs_its_own_pictures_only(folder):
    run(folder, "participant", "group")
    out = folder / "out"
    ours = (out / "sub-03.html").read_text()
    (out / "sub-01.html").unlink()
    (out / "sub-02.html").write_text((out / "sub-02.html").read_text()[:1200])
    (out / "sub-03.html").write_text(ours.replace('content="bids_deepseg ', 'content="another program '))
    (out / "sub-04.html").write_bytes(b"")
    assert run(folder, "group") == 0
    page = (out / "group.html").read_text()
    found = rows(page)
    assert sum("<img" in row for row in found.values()) == 3
    assert all("<img" in found[f"sub-05/anat/sub-05_{name}.nii.gz"] for name in ("T2w", "run-1_T1w"))
    assert 'href="sub-01.html' not in page


def test_judgements_that_were_read_back_are_on_the_page(folder):
    run(folder, "participant")
    (folder / "out" / "sourcedata").mkdir()
    (folder / "out" / "sourcedata" / "qc_judgements.tsv").write_text(
        "image\tmark\trank\tcomment\nsub-01/anat/sub-01_T2w.nii.gz\tfail\t7\tleaks at <C3>\n"
    )
    assert run(folder, "group") == 0
    row = rows((folder / "out" / "group.html").read_text())["sub-01/anat/sub-01_T2w.nii.gz"]
    assert 'data-mark="fail" data-rank="7" data-comment="leaks at &lt;C3&gt;">fail 7: leaks at &lt;C3&gt;</td>' in row


def identities(root):
    """Return the words by which the pages of a folder tell the browser their data set."""
    return {re.search('data-identity="([^"]*)"', page.read_text())[1] for page in root.glob("*.html")}


def test_all_pages_of_a_data_set_name_it_alike_and_those_of_another_one_otherwise(folder):
    run(folder, "participant", "group", "--participant-label", "01", "02")
    (first,) = identities(folder / "out")
    assert len(first) == 12
    description = folder / "in" / "dataset_description.json"
    description.write_text(description.read_text().replace('"Test"', '"Another"'))
    run(folder, "participant", "group", "--participant-label", "01", "02")
    (second,) = identities(folder / "out")
    assert second != first
