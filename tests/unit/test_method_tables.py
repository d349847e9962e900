"""The tables of methods and centerlines hold what the options offer, and a store loads each set of models once."""

import pickle
from pathlib import Path

import pytest

from bids_deepseg.app.participant.known import Request
from bids_deepseg.engine import METHODS, ModelStore, NetworkEngine, method_of
from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.methods.centerlines import CENTERLINES
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import DrawnMask, Guide
from tests.helpers.bids_trees import image_of
from tests.helpers.fake_engine import FakeEngine, write_dataset
from tests.helpers.phantoms import grid_of, tube

SCT = {"profile": "sct", "weights": "sct", "weights_dir": Path("published"), "centerline": "svm"}


def words_of(option):
    """Return the words that an option of the method knows, from what is said of one that it does not."""
    with pytest.raises(UsageError) as caught:
        MethodSettings(**{option: "?"})
    return set(str(caught.value).partition("Expected: ")[2].rstrip(".").split(", "))


def test_every_word_of_an_option_has_its_entry_and_no_entry_is_left_over():
    assert words_of("centerline") == set(CENTERLINES)
    # A profile is a method of its own, and what a person drew is chosen by no option.
    assert words_of("method") | {"sct", "manual"} == set(METHODS)


def test_the_method_follows_from_profile_word_and_what_a_person_drew():
    assert method_of(MethodSettings()) is METHODS["deepseg"]
    assert method_of(MethodSettings(method="propseg")) is METHODS["propseg"]
    assert method_of(MethodSettings(**SCT)) is METHODS["sct"]
    for settings in (MethodSettings(), MethodSettings(**SCT)):
        assert method_of(settings, drawn=True) is METHODS["manual"]


@pytest.mark.parametrize("word", sorted(CENTERLINES))
def test_the_segmentation_network_comes_after_the_models_of_the_centerline(word):
    given = {"centerline_file": Path("line.csv")} if word in ("file", "viewer") else {}
    settings = MethodSettings(centerline=word, **given)
    found = [model.name for model in NetworkEngine(settings).specs("t2")]
    assert found[:-1] == [model.name for model in CENTERLINES[word].identify(settings, "t2")]
    assert found[-1] == "segmentation"


def test_models_are_loaded_once_whatever_the_file_of_the_centerline(tmp_path):
    engine = FakeEngine(tmp_path)
    models, plain = ModelStore(engine), MethodSettings()
    first = models.segmenter(plain.along(Path("a.csv")))
    assert models.segmenter(plain.along(Path("b.csv"))) is first
    assert engine.count("load") == 1
    assert models.segmenter(plain) is not first
    assert models.segmenter(plain) is models.segmenter(plain)
    assert engine.count("load") == 2


def test_networks_of_another_folder_are_other_models(tmp_path):
    engine = FakeEngine(tmp_path)
    models = ModelStore(engine)
    for folder in ("one", "other"):
        models.segmenter(MethodSettings(weights="sct", weights_dir=Path(folder)))
    assert engine.count("load") == 2


def test_absent_models_are_told_each_time():
    models = ModelStore(FakeEngine())
    for _ in range(2):
        with pytest.raises(NetworkError):
            models.specs(MethodSettings(kernel="3d"), "t2")


def test_a_mask_that_a_person_drew_is_the_result_and_loads_nothing(tmp_path):
    engine = FakeEngine(tmp_path, unloadable=True)
    image = tube(grid_of((30, 30, 6)))
    drawn = type(image)((image.data >= 0.5).astype("uint8"), image.grid)
    guide = Guide("t2", drawn=DrawnMask(drawn, {"File": "m.nii.gz"}))
    found = ModelStore(engine).segment(MethodSettings(), image, guide=guide, observer=lambda *_: None)
    assert (found.mask.data == drawn.data).all()
    assert engine.count("load") == 0


def test_what_is_known_of_an_image_survives_pickling_and_names_the_same_result(tmp_path):
    name = "sub-01/anat/sub-01_T2w"
    image = image_of(write_dataset(tmp_path / "in", name), f"{name}.nii.gz")
    folder = tmp_path / "corrections"
    folder.mkdir()
    (folder / "sub-01_T2w_centerline-manual.csv").write_text("i,j,k\n20,20,0\n20,20,7\n")
    request, models = Request(MethodSettings(corrections=folder)), ModelStore(FakeEngine())
    known = request.look_up(image)
    assert pickle.loads(pickle.dumps(known)) == known == request.look_up(image)
    assert (known.contrast, known.settings.centerline, known.is_drawn) == ("t2", "file", False)
    before = known.cache_key(models).config_hash
    assert pickle.loads(pickle.dumps(known)).cache_key(models).config_hash == before
    # The checksum is that of the file as it is now, not as it was when it was found.
    (folder / "sub-01_T2w_centerline-manual.csv").write_text("i,j,k\n21,20,0\n20,20,7\n")
    assert known.cache_key(models).config_hash != before
