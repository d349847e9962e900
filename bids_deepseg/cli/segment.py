"""Segment one image outside any data set: ``bids_deepseg segment IMAGE [-o DIR] [options]``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bids_deepseg.cli.lifecycle import Command, prepared
from bids_deepseg.files.names import printable
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.app.participant.image_job import ImageResult
    from bids_deepseg.engine import Engine

_USAGE = "bids_deepseg segment IMAGE [-o DIR] [options]"

_DESCRIPTION = """\
Segment the spinal cord in one image, without a BIDS data set. The results are written side by side, named after the
image: <image>_label-SC_mask.nii.gz, _label-SC_probseg.nii.gz, _label-SCcenterline_mask.nii.gz,
_label-SC_centerline.tsv, _res-detection_label-SCcenterline_probseg.nii.gz, _label-SC_morph.tsv, each with its .json,
and <image>_report.html. The verdict is in the .json of the mask. With --centerline viewer, a page opens on which you
click the centerline first."""


def run_segment(words: Sequence[str], engine: "Engine | None" = None) -> int:
    """Segment one image.

    Parameters
    ----------
    words : sequence of str
        Words after ``segment``.
    engine : Engine, optional
        Segmentation method; the package's networks by default.

    Returns
    -------
    int
        0, or 1 for a mask with the verdict ``fail``.

    Raises
    ------
    BidsDeepsegError
        Whatever the words, the image or the method raises.
    SystemExit
        With code 0 after ``--help``.
    """
    parser = OptionParser(SegmentOptions, "bids_deepseg segment", usage=_USAGE, description=_DESCRIPTION)
    options = read_words(parser, SegmentOptions, words)
    with prepared(options) as process:
        from bids_deepseg.app.single_image import check_place, segment_one  # noqa: PLC0415 - reads the environment
        from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415

        configured = (engine or NetworkEngine(backend=process.backend)).configured(options.settings)
        check_place(options, configured.backend)
        if options.settings.centerline == "viewer" and options.settings.centerline_file is None:
            options = _clicked(options)
            configured = configured.configured(options.settings)
        result = segment_one(options, configured, log_settings=process.log_settings)
    _say_result(result, options)
    return int(result.verdict == "fail")


def _clicked(options: SegmentOptions) -> SegmentOptions:
    """Let a person click the centerline, and return the options with it; points that were saved before are kept."""
    from bids_deepseg.bids.image import image_outside_dataset  # noqa: PLC0415 - not needed for --help, as below
    from bids_deepseg.bids.source.volumes import volume_rule  # noqa: PLC0415
    from bids_deepseg.cli.viewer import click_centerline, points_name  # noqa: PLC0415
    from bids_deepseg.review.clicking import Clicking  # noqa: PLC0415

    image = image_outside_dataset(options.path, options.contrast)
    target = options.output_dir / points_name(options.path)
    click_centerline(Clicking(image, target, volume_rule=volume_rule(image, options.volume)), options.page)
    return replace(options, settings=replace(options.settings, centerline_file=target))


def _say_result(result: "ImageResult", options: SegmentOptions) -> None:
    """Tell how it went."""
    name, area = printable(options.path.name), result.area_mean_mm2
    say(f"{name}: {result.verdict}, mean area {area:.1f} mm². {result.reasons}".rstrip())
    say(f"Wrote {printable(options.output_dir / (options.stem + '_label-SC_mask.nii.gz'))} and the files beside it.")


COMMAND = Command("segment", "IMAGE", "segment one image, without a data set", run_segment, counts_images=True)
