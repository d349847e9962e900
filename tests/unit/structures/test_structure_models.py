"""Which network a task gets, and what is said where there is none."""

import pytest

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks.specs import read_spec
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.structures.find import identify_structure_models, load_structure_model
from bids_deepseg.structures.tasks import CORD, TASKS, task_of


def test_the_cord_needs_no_network_of_a_structure():
    assert identify_structure_models("cord", None, "t2") == ()
    assert load_structure_model("cord", None, "t2") is None


def test_grey_matter_has_a_network_in_the_package_for_every_contrast():
    for contrast in ("t1", "t2", "t2s", "dwi", None):
        (found,) = identify_structure_models("gm", None, contrast)
        assert (found.name, found.sha256) == ("grey", read_spec("grey").sha256)


def test_every_network_of_the_table_is_in_the_package():
    for task in TASKS.values():
        if task.own_network is not None:
            assert read_spec(task.own_network).threshold == task.threshold


def test_a_task_without_a_network_in_the_package_asks_for_published_ones():
    with pytest.raises(UsageError, match=r"--task lesion has no network.*--weights sct"):
        MethodSettings(task="lesion")


def test_an_unknown_task_is_refused():
    with pytest.raises(UsageError, match="--task"):
        MethodSettings(task="liver")
    with pytest.raises(UsageError, match="no task 'liver'"):
        task_of("liver")
    assert task_of(CORD) is None


@pytest.mark.parametrize(
    ("task", "contrast", "name"), [("gm", "t2", "challenge_model"), ("lesion", "t2s", "t2s_lesion")]
)
def test_an_absent_published_network_is_named(tmp_path, task, contrast, name):
    with pytest.raises(NetworkError, match=f"--task {task} with --weights sct needs {name}"):
        identify_structure_models(task, tmp_path, contrast)


def test_another_file_in_place_of_a_published_network_is_refused(tmp_path):
    (tmp_path / "challenge_model.hdf5").write_bytes(b"no network")
    with pytest.raises(NetworkError, match=r"another file than the published network gm_challenge.*no HDF5"):
        identify_structure_models("gm", tmp_path, "t2s")


@pytest.mark.parametrize("contrast", ["t1", "dwi", None])
def test_lesions_have_networks_for_two_contrasts_only(tmp_path, contrast):
    with pytest.raises(NetworkError, match=r"no published network for the lesions.*t2, t2s.*--suffix"):
        identify_structure_models("lesion", tmp_path, contrast)
