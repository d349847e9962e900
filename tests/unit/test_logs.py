"""What goes to the terminal and what to the file."""

import json
import logging

import pytest

from bids_deepseg import logs

logger = logging.getLogger("bids_deepseg.anything")


@pytest.fixture
def lines(tmp_path, capsys):
    """Return a function that logs at a verbosity and returns the lines of the terminal and of the file."""

    def write(verbosity, *, worker=False):
        logs.configure(logs.LogSettings(tmp_path, verbosity), worker=worker)
        with logs.log_image("sub-01/anat/sub-01_T2w.nii.gz"):
            logger.debug("a number")
            logger.info("heatmap %.1f s", 0.5, extra={"stage": "heatmap", "seconds": 0.5})
            logger.warning("the image is dark")
        logger.info("[1/1] done")
        logs.close()
        (path,) = tmp_path.glob("run-*.log" if worker else "run.log")
        return capsys.readouterr().err.splitlines(), [json.loads(line) for line in path.read_text().splitlines()]

    return write


WARNING = "WARNING: sub-01/anat/sub-01_T2w.nii.gz: the image is dark"
STAGE = "sub-01/anat/sub-01_T2w.nii.gz: heatmap 0.5 s"


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        (-1, [WARNING]),
        (0, [WARNING, "[1/1] done"]),
        (1, [STAGE, WARNING, "[1/1] done"]),
        (2, ["sub-01/anat/sub-01_T2w.nii.gz: a number", STAGE, WARNING, "[1/1] done"]),
    ],
)
def test_the_terminal_shows_as_much_as_was_asked_for_and_the_file_everything(lines, verbosity, expected):
    terminal, file = lines(verbosity)
    assert terminal == expected
    assert [record["level"] for record in file] == ["DEBUG", "INFO", "WARNING", "INFO"]


def test_a_record_tells_image_stage_and_seconds(lines):
    _, file = lines(0, worker=True)
    assert (file[1]["image"], file[1]["stage"], file[1]["seconds"]) == ("sub-01/anat/sub-01_T2w.nii.gz", "heatmap", 0.5)
    assert "image" not in file[3]
    assert file[0]["time"].endswith("Z")


def test_an_exception_is_kept_in_the_file(tmp_path, capsys):
    logs.configure(logs.LogSettings(tmp_path))
    try:
        1 / 0  # noqa: B018 - raises
    except ZeroDivisionError:
        logger.exception("it failed")
    logs.close()
    assert "ZeroDivisionError: division by zero" in json.loads((tmp_path / "run.log").read_text())["traceback"]
    assert capsys.readouterr().err == "ERROR: it failed\n"


def test_configuring_twice_writes_once_and_closing_takes_all_back(tmp_path, capsys, caplog):
    settings = logs.LogSettings(tmp_path)
    logs.configure(settings)
    logs.configure(settings)
    logger.warning("once")
    logs.close()
    assert capsys.readouterr().err.count("once") == 1
    logger.warning("to pytest")
    assert "to pytest" in caplog.text


def test_settings_survive_being_hashed(tmp_path):
    assert hash(logs.LogSettings(tmp_path)) == hash(logs.LogSettings(tmp_path))


def test_what_is_told_once_is_told_once_in_a_run_by_whichever_process(tmp_path, capsys):
    def warn(message):
        logger.warning("%s", message, extra={"once": True})

    logs.configure(logs.LogSettings())
    warn("early")
    for worker in (False, True, True):
        logs.configure(logs.LogSettings(tmp_path), worker=worker)
        with logs.log_image("sub-01/anat/sub-01_T2w.nii.gz"):
            for message in ("early", "first", "first", "second"):
                warn(message)
        if worker:
            # Another process remembers nothing but what is in the folder.
            logs.close()
    logs.close()
    assert capsys.readouterr().err.splitlines() == ["WARNING: early", "WARNING: first", "WARNING: second"]
    lines = [line for path in tmp_path.glob("run*.log") for line in path.read_text().splitlines()]
    assert [json.loads(line)["message"] for line in lines] == ["first", "second"]


def test_the_next_run_tells_it_again(tmp_path, capsys):
    for _ in range(2):
        logs.configure(logs.LogSettings())
        logger.warning("a file", extra={"once": True})
        logs.close()
    assert capsys.readouterr().err.count("a file") == 2
