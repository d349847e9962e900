"""What was tried stands on the page of the participant, escaped."""

from bids_deepseg.report.participant import ReportImage, render_participant


def page_with(tries):
    image = ReportImage("sub-01/anat/sub-01_T2w.nii.gz", status="empty-mask", tries=tries)
    return render_participant("01", [image], version="0")


def test_the_methods_that_were_tried_stand_in_their_order_with_the_kept_one():
    page = page_with(
        (
            {"Method": "as asked for", "Verdict": "cord-not-found", "Reasons": ["<none>"], "Kept": False},
            {"Method": "PropSeg", "Verdict": "warn", "Score": 0.913, "Reasons": ["gap", "rough"], "Kept": True},
        )
    )
    assert "Methods that were tried" in page
    assert page.index("as asked for") < page.index("PropSeg (kept)") < page.index("0.91") < page.index("gap, rough")
    assert "&lt;none&gt;" in page
    assert "<none>" not in page


def test_a_page_without_rescue_says_nothing_of_it():
    assert "Methods that were tried" not in page_with(())
