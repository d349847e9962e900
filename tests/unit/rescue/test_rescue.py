"""The rescue never ends worse than it began, tells what it tried, and finds no cord where there is none."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.engine import ModelStore
from bids_deepseg.errors import CordNotFoundError, EmptyMaskError, NetworkError, SegmentationError, UsageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.predictor import Models
from bids_deepseg.networks.specs import KnownModel
from bids_deepseg.networks.variants import Ensemble
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.rescue import STACKS, Rescued, all_attempts, rescue
from bids_deepseg.rescue.images import denoised, evened, some_slices
from bids_deepseg.rescue.run import segment_or_rescue, with_notes
from bids_deepseg.rescue.search import BELIEVED_SCORE, FIRST, MIN_GAIN, needs_rescue
from bids_deepseg.stages.findings import Finding, verdict_of
from bids_deepseg.stages.segmentation import Guide, Try
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.phantoms import FakePredictor, bright_is_cord, bright_is_hot, grid_of, tube


@dataclass(frozen=True)
class Opinion:
    severity: str
    score: float
    code: str = "area-jump"

    @property
    def findings(self):
        return () if self.severity == "pass" else (Finding(self.code, self.severity, "-"),)

    @property
    def verdict(self):
        return verdict_of(self.findings)


SPEC_3D = KnownModel("3d", "any", 0.5, "0" * 64)
RANKS = ("fail", "warn", "pass")
OPINIONS = st.builds(Opinion, st.sampled_from(RANKS), st.floats(0, 1))
ERRORS = st.sampled_from([CordNotFoundError("none"), EmptyMaskError("empty"), NetworkError("absent"), UsageError("no")])


def answering(answer):
    def run():
        if isinstance(answer, Exception):
            raise answer
        return answer

    return run


@given(OPINIONS, st.lists(OPINIONS | ERRORS, max_size=6))
def test_the_end_is_never_worse_than_the_beginning(first, others):
    found = rescue(answering(first), [(str(n), answering(one)) for n, one in enumerate(others)])
    results = [first, *(one for one in others if isinstance(one, Opinion))]
    assert found.result in results
    rank, score = RANKS.index(found.result.verdict), found.result.score
    assert rank >= RANKS.index(first.verdict)
    assert score >= first.score - 0.01 * len(others)
    if found.result is not first:
        assert score > first.score + MIN_GAIN or rank > RANKS.index(first.verdict)
        assert score >= BELIEVED_SCORE
    if found.tries:
        assert [one.kept for one in found.tries].count(True) == 1
        assert found.tries[0].name == FIRST


def test_a_good_first_result_costs_nothing():
    found = rescue(answering(Opinion("pass", 0.3)), [("never run", answering(AssertionError()))])
    assert found.tries == ()


def test_what_no_method_can_mend_starts_no_rescue():
    assert not needs_rescue(Opinion("warn", 0.9, "field-border"))
    assert needs_rescue(Opinion("warn", 0.9, "gap"))


def test_the_search_ends_with_the_first_result_that_passes():
    others = [
        ("a", answering(Opinion("warn", 0.5))),
        ("b", answering(Opinion("pass", 0.9))),
        ("c", answering(KeyError())),
    ]
    found = rescue(answering(Opinion("fail", 0.4)), others)
    assert [(one.name, one.verdict, one.kept) for one in found.tries] == [
        (FIRST, "fail", False),
        ("a", "warn", False),
        ("b", "pass", True),
    ]


def test_of_equal_results_the_first_is_kept():
    first = Opinion("fail", 0.5)
    assert rescue(answering(first), [("same", answering(Opinion("fail", 0.5)))]).result is first


def test_a_last_resort_is_tried_only_where_all_before_it_failed():
    resort = [("tube", answering(Opinion("pass", 0.9)))]
    doubted = rescue(answering(Opinion("warn", 0.5)), resort, last_resorts=frozenset({"tube"}))
    assert [one.name for one in doubted.tries] == ["as asked for"]
    failed = rescue(answering(Opinion("fail", 0.5)), resort, last_resorts=frozenset({"tube"}))
    assert [one.kept for one in failed.tries] == [False, True]
    assert [attempt.name for attempt in all_attempts() if attempt.last_resort] == ["PropSeg"]


def test_a_doubtful_result_is_worth_only_the_methods_that_can_change_it():
    others = [("costly", answering(Opinion("pass", 0.9))), ("other", answering(Opinion("warn", 0.5)))]
    costly = frozenset({"costly"})
    doubted = rescue(answering(Opinion("warn", 0.5)), others, for_failures=costly)
    assert [one.name for one in doubted.tries] == [FIRST, "other"]
    for first in (Opinion("fail", 0.5), Opinion("fail", 0.5, "area-range"), CordNotFoundError("none")):
        failed = rescue(answering(first), others, for_failures=costly)
        assert [one.name for one in failed.tries] == [FIRST, "costly"]
    assert [attempt.name for attempt in all_attempts() if attempt.for_doubts] == [
        "3D kernel",
        "centerline by HOG and SVM",
        "view of a large cord",
    ]


@pytest.mark.parametrize(
    ("score", "other", "is_kept"),
    [
        (0.75, Opinion("warn", 0.76 + MIN_GAIN), True),
        (0.75, Opinion("warn", 0.75 + MIN_GAIN), False),
        (0.75, Opinion("pass", 0.76 + MIN_GAIN), True),
        (0.75, Opinion("pass", 0.74 + MIN_GAIN), False),
        # A better verdict counts for more than a few thousandths of the score.
        (0.819, Opinion("pass", 0.818), True),
        (0.819, Opinion("warn", 0.82), False),
        (0.83, Opinion("pass", 0.81), False),
        (0.75, Opinion("fail", 0.99), False),
        (0.2, Opinion("pass", BELIEVED_SCORE), True),
        (0.2, Opinion("pass", BELIEVED_SCORE - 0.01), False),
        # What is about the cord, and not about the method, does not count among results.
        (0.75, Opinion("fail", 0.76 + MIN_GAIN, "area-range"), True),
        (0.75, Opinion("fail", 0.74 + MIN_GAIN, "area-range"), False),
    ],
)
def test_a_doubtful_result_gives_way_only_to_a_high_and_higher_score_without_a_worse_verdict(score, other, is_kept):
    first = Opinion("warn", score)
    assert rescue(answering(first), [("other", answering(other))]).result is (other if is_kept else first)


def test_methods_that_are_not_at_hand_are_not_told():
    found = rescue(answering(Opinion("fail", 0.5)), [("3D", answering(NetworkError("no weights")))])
    assert [one.name for one in found.tries] == [FIRST]


@pytest.mark.parametrize("error", [CordNotFoundError, EmptyMaskError])
def test_a_cord_that_was_not_found_is_believed_only_with_a_high_score(error):
    poor, good = Opinion("warn", BELIEVED_SCORE - 0.01), Opinion("warn", BELIEVED_SCORE)
    assert rescue(answering(error("none.")), [("a", answering(poor)), ("b", answering(good))]).result is good
    bad = Opinion("fail", 0.99)
    with pytest.raises(error, match=r"none\. Also tried: a: warn; b: fail"):
        rescue(answering(error("none.")), [("a", answering(poor)), ("b", answering(bad))])


def run_on(image, **settings):
    return run_engine(FakeEngine(settings=MethodSettings(**settings)), image)


def run_engine(engine, image):
    store = ModelStore(engine)
    return segment_or_rescue(store, engine.settings, image, guide=Guide("t2"), observer=lambda *_: None)


def thin_cord():
    """Return a cord that is too thin for the detector of the tests, unless the image is smoothed."""
    return tube(grid_of((50, 50, 20)), radius_mm=1.6)


def test_a_cord_that_the_first_method_misses_is_found_and_to_be_looked_at():
    with pytest.raises(CordNotFoundError):
        run_on(thin_cord(), rescue="off")
    # A cord of three pixels, whose area is not what is tested.
    result = run_on(thin_cord(), border="network")
    truth = thin_cord().data >= 0.5
    assert (result.mask.data[truth] > 0).mean() > 0.9
    assert result.verdict == "warn"
    assert "rescued" in [found.code for found in result.findings]
    assert result.tries[0].verdict == "cord-not-found"
    # The detector of the tests is not sure of it before the image is smoothed.
    assert [one.name for one in result.tries if one.kept] == ["image without noise"]


@dataclass(frozen=True)
class StackedEngine(FakeEngine):
    """An engine whose 2D network sees nothing, and which has a 3D network."""

    def specs(self, contrast=None):
        return (replace(SPEC_3D, name=self.settings.kernel),)

    def segment(self, volume, models, guide, observer):
        if self.settings.kernel == "2d":
            raise EmptyMaskError("No voxel.")
        return segment(volume, models, observer=observer)


def test_a_result_of_other_settings_names_its_own_models():
    found = run_engine(StackedEngine(), tube(grid_of((50, 50, 20))))
    assert [model.name for model in found.models] == ["3d"]
    assert run_on(tube(grid_of((50, 50, 20)))).models == ()


@pytest.mark.parametrize("first", ["warn", "fail", "cord-not-found"])
def test_a_result_of_another_method_never_passes_without_a_look(first):
    passed = run_on(tube(grid_of((50, 50, 20))))
    assert passed.verdict == "pass"
    tries = (Try(FIRST, first, 0.2, ("gap",)), Try("other", "pass", 0.9, (), kept=True))
    assert with_notes(Rescued(passed, tries), {}).verdict == "warn"


def test_one_doubt_more_by_another_kernel_may_be_one_too_many():
    found = run_on(tube(grid_of((50, 50, 20))))
    doubts = tuple(Finding(f"doubt-{n}", "warn", "-") for n in range(5))
    doubted, other = replace(found, findings=doubts), run_on(tube(grid_of((50, 50, 20)), radius_mm=6.2))
    seen = {FIRST: doubted, STACKS: other}
    tries = (Try(FIRST, "warn", 0.6, (), kept=True), Try(STACKS, "warn", 0.5, ()))
    said = with_notes(Rescued(doubted, tries), seen)
    assert [finding.code for finding in said.findings[5:]] == ["kernels-disagree", "many-doubts"]
    assert said.verdict == "fail"
    assert with_notes(Rescued(replace(found, findings=doubts[:4]), tries), seen).verdict != "pass"


def test_a_score_that_no_other_can_beat_starts_nothing():
    others = [("never run", answering(AssertionError()))]
    assert rescue(answering(Opinion("warn", 1 - MIN_GAIN)), others).tries == ()
    with pytest.raises(AssertionError):
        rescue(answering(Opinion("fail", 1 - MIN_GAIN)), others)


@given(OPINIONS | ERRORS.filter(lambda error: not isinstance(error, UsageError | NetworkError)), OPINIONS, OPINIONS)
def test_what_wins_on_all_slices_and_looks_so_on_a_few_is_found_and_what_does_not_is_not_run(first, few, whole):
    tried = []

    def run():
        tried.append("whole")
        return whole

    found = alone = None
    with suppress(SegmentationError):
        found = rescue(answering(first), [("a", run)], looks={"a": answering(few)}).result
    with suppress(SegmentationError):
        alone = rescue(answering(first), [("a", answering(whole))]).result
    # The look decides only whether the method is run.
    assert found is (alone if tried else None if isinstance(first, Exception) else first)
    if few == whole and alone is whole:
        assert tried


def test_a_look_that_finds_no_cord_ends_the_try():
    looks = {"a": answering(CordNotFoundError("none"))}
    found = rescue(answering(Opinion("fail", 0.5)), [("a", answering(AssertionError()))], looks=looks)
    assert [(one.name, one.verdict) for one in found.tries] == [(FIRST, "fail"), ("a", "cord-not-found")]


@pytest.mark.parametrize("axis", range(3))
def test_some_slices_stay_where_they_are(axis):
    shape = [10, 12, 14]
    shape[axis] = 50
    affine = np.eye(4)
    order = [n for n in range(3) if n != axis] + [axis]
    affine[:3, :3] = np.eye(3)[:, np.argsort(order)]
    affine[:3, 3] = (3, -7, 20)
    volume = Volume(np.random.default_rng(0).random(shape).astype(np.float32), Grid(tuple(shape), affine))
    few = some_slices(volume)
    assert few.grid.slice_axis == volume.grid.slice_axis == axis
    assert 12 <= few.grid.shape[axis] <= 18
    voxels = np.argwhere(np.ones(few.grid.shape, bool))
    there = np.rint(volume.grid.world_to_voxel(few.grid.voxel_to_world(voxels))).astype(int)
    np.testing.assert_array_equal(volume.data[tuple(there.T)], few.data[tuple(voxels.T)])
    assert some_slices(Volume(volume.data[:10, :10, :10], Grid((10, 10, 10), affine))) is None


def test_the_detection_is_asked_once_for_the_methods_that_ask_it_the_same():
    asked = []

    def detect(patches):
        asked.append(len(patches))
        return bright_is_hot(patches)

    image = tube(grid_of((50, 50, 20)))
    models = Models(FakePredictor(detect, zoom_mm=1.0), FakePredictor(bright_is_cord))
    seen = {}
    first = segment(image, models, observer=seen.__setitem__)
    n_asked = len(asked)
    again = segment(image, models, guide=Guide(heatmap=seen["heatmap"]))
    assert len(asked) == n_asked
    np.testing.assert_array_equal(first.mask.data, again.mask.data)


def test_a_good_image_is_segmented_once():
    assert run_on(tube(grid_of((50, 50, 20)))).tries == ()


@pytest.mark.parametrize("seed", range(3))
def test_noise_stays_without_cord(seed):
    noise = np.random.default_rng(seed).random((40, 40, 6)).astype(np.float32)
    with pytest.raises(CordNotFoundError, match="Also tried"):
        run_on(Volume(noise, grid_of((40, 40, 6))))


@pytest.mark.parametrize("prepare", [denoised, evened])
def test_prepared_images_keep_their_grid_and_an_even_image_stays_even(prepare):
    volume = tube(grid_of((20, 22, 8), (0.5, 0.5, 5.0)))
    assert prepare(volume).grid is volume.grid
    even = Volume(np.full((10, 10, 4), 7, np.float32), grid_of((10, 10, 4)))
    assert np.ptp(prepare(even).data) < 1e-5


def test_noise_gets_less_and_thick_slices_are_not_mixed():
    noise = np.random.default_rng(0).normal(0, 1, (40, 40, 6)).astype(np.float32)
    assert denoised(Volume(noise, grid_of((40, 40, 6)))).data.std() < 0.4
    slices = np.zeros((20, 20, 5), np.float32)
    slices[..., 2] = 1
    prepared = denoised(Volume(slices, grid_of((20, 20, 5), (0.5, 0.5, 4.0)))).data
    assert prepared[..., [0, 1, 3, 4]].max() == 0


def test_shading_is_divided_out():
    slope = np.exp(np.linspace(0, 3, 80))[:, None, None] * np.ones((1, 60, 20))
    flat = evened(Volume(slope.astype(np.float32), grid_of((80, 60, 20)))).data[20:-20]
    assert flat.std() / flat.mean() < 0.4 * slope[20:-20].std() / slope[20:-20].mean()


def test_a_wider_view_lets_a_large_cord_look_like_a_usual_one():
    # This detector knows objects of up to 12 mm: what fills half of its window is no cord to it.
    def usual(patches):
        hot = bright_is_hot(patches)
        hot[(patches > 1).mean((1, 2)) > 0.15] = 0
        return hot

    image = tube(grid_of((60, 60, 6), (1.0, 1.0, 3.0)), radius_mm=18)
    models = Models(FakePredictor(usual, zoom_mm=1.0), FakePredictor(bright_is_cord))
    with pytest.raises(CordNotFoundError):
        segment(image, models)
    found = segment(image, models, settings=MethodSettings(view=1.6)).mask.data > 0
    truth = image.data >= 0.5
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_an_ensemble_gives_the_mean_of_answers_about_the_same_place():
    patches = np.zeros((1, 64, 64), np.float32)
    patches[0, 24:40, 24:40] = 2
    answer = Ensemble(FakePredictor(lambda values: np.abs(values) > 0.5)).predict(patches)
    assert answer[0, 26:38, 26:38].min() == 1
    assert answer[0, :20].max() == 0
    # Bent in brightness, 2 becomes 1.5: an answer that hangs on it is three of four.
    bent = Ensemble(FakePredictor(lambda values: values > 1.7))
    assert bent.predict(patches)[0, 32, 32] == 0.75


@dataclass(frozen=True)
class Doubts:
    """A result with a finding of each code."""

    codes: tuple[str, ...]
    score: float
    severity: str = "warn"

    @property
    def findings(self):
        return tuple(Finding(code, self.severity, "-") for code in self.codes)

    @property
    def verdict(self):
        return verdict_of(self.findings)


@pytest.mark.parametrize(
    ("codes", "score", "is_kept"),
    [
        (("rough",), 0.7, True),
        ((), 0.7, True),
        # The same doubts, what neighbours do not cure, other doubts, and a score that is too much lower.
        (("area-jump", "rough"), 0.75, False),
        (("area-jump",), 0.75, False),
        (("rough", "holes"), 0.75, False),
        (("rough",), 0.6, False),
    ],
)
def test_a_method_that_sees_the_same_patches_wins_if_it_cures_a_jump_and_brings_no_doubt(codes, score, is_kept):
    first, other = Doubts(("area-jump", "rough"), 0.71), Doubts(codes, score)
    found = rescue(answering(first), [(STACKS, answering(other))], comparable=frozenset({STACKS}))
    assert (found.result is other) == is_kept
    assert rescue(answering(first), [(STACKS, answering(other))]).result is first


@pytest.mark.parametrize("failing", ["first", "other"])
def test_fewer_doubts_never_win_where_a_mask_fails(failing):
    first = Doubts(("area-jump", "rough"), 0.5, "fail" if failing == "first" else "warn")
    other = Doubts(("rough",), 0.55, "fail" if failing == "other" else "warn")
    found = rescue(answering(first), [(STACKS, answering(other))], comparable=frozenset({STACKS}))
    assert found.result is first


@pytest.mark.parametrize(("severity", "is_kept"), [("warn", False), ("fail", True)])
def test_few_interpolated_slices_are_no_reason_to_take_another_mask(severity, is_kept):
    first, other = Doubts(("gap-bridged",), 0.85, severity), Doubts((), 0.86)
    assert (rescue(answering(first), [(STACKS, answering(other))]).result is other) == is_kept
