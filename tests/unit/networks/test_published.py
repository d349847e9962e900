"""Published networks: they compute what their files say, and a known file is told by its content."""

import numpy as np
import pytest

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks.legacy.build import build_legacy, plan_grey_matter
from bids_deepseg.networks.legacy.h5 import LegacyNetwork, read_legacy
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.networks.published.predictor import PublishedPredictor, load_published, read_published
from bids_deepseg.networks.published.specs import PUBLISHED, find_file, find_files, git_blob_id, published_spec
from tests.helpers.legacy_files import (
    FIRST,
    LAST,
    compute,
    cord_2d,
    detection,
    random_weights,
    read_plainly,
    to_bytes,
    volume_net,
)

HERE = ("t2_ctr", "t2s_ctr", "dwi_ctr", "t2s_lesion", "t2_ax_lesion", "gm_challenge", "gm_large")


@pytest.mark.parametrize(
    "net",
    [
        detection(3, 3, (16, 12)),
        cord_2d(2, (16, 8), 4),
        cord_2d(3, (8, 16), 2),
        volume_net(2, 2, (8, 4, 6)),
        volume_net(2, 3, (8, 4, 12)),
        volume_net(2, 2, (4, 6, 8), LAST),
    ],
    ids=["ctr", "sc", "t2_sc", "sc_3D", "lesion", "channels_last_3D"],
)
def test_a_rebuilt_network_computes_what_its_file_says(net, rng):
    weights = random_weights(net, rng)
    legacy = read_legacy(to_bytes(net, weights))
    assert legacy.plan.channels_first == (net.data_format == FIRST)
    images = rng.normal(size=(2, *legacy.plan.patch_shape))
    found = np.asarray(build_legacy(legacy).predict_on_batch(images.astype("f4")[..., None]))[..., 0]
    expected = [compute(net.layers, weights, image) for image in images]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found) > 1e-3


def test_the_grey_matter_network_uses_the_mean_of_the_second_convolution(rng):
    plan = plan_grey_matter(1)
    weights = {
        layer.name: tuple(
            np.zeros(shape, "f4") if role in {"kernel", "bias"} else np.ones(shape, "f4")
            for role, shape in layer.weights
        )
        for layer in plan.layers
        if layer.weights
    }
    for name in ("conv2d_1", "conv2d_2"):
        weights[name][0][1, 1] = 1
    # Of six joined maps only the fifth, the mean, reaches the output.
    weights["amort"][0][0, 0, 4, 0] = 1
    weights["predictions"][0][0, 0, 0, 0] = 1
    image = rng.uniform(size=plan.patch_shape).astype("f4")
    network = build_legacy(LegacyNetwork(plan, weights, "2.0.6"))
    found = np.asarray(network.predict_on_batch(image[None, ..., None]))[0, ..., 0]
    scale = 1 / np.sqrt(1.001)

    def norm(value):
        return (value - 1) * scale + 1

    second = norm(np.maximum(norm(image), 0))
    expected = 1 / (1 + np.exp(-norm(max(norm(second.mean()), 0))))
    np.testing.assert_allclose(found, np.full_like(found, expected), atol=1e-5)


def test_the_table_is_consistent():
    assert len({spec.name for spec in PUBLISHED}) == len({spec.blob for spec in PUBLISHED}) == len(PUBLISHED) == 15
    for spec in PUBLISHED:
        assert len(spec.blob) == 40
        assert not set(spec.blob) - set("0123456789abcdef")
        assert 0 < spec.threshold < 1
        assert (spec.mean is None) == (spec.std is None) == (spec.task == "grey matter")
        assert "not stated" in spec.licence
    assert sum(spec.in_release for spec in PUBLISHED) == 11


def test_a_file_has_the_id_that_git_gives_it():
    # `echo hello | git hash-object --stdin`
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        (b"<html>", "no HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 92, "HDF5 file of 100 bytes"),
    ],
)
def test_another_file_of_the_same_name_is_told(tmp_path, content, reason):
    (tmp_path / "t2_sc.h5").write_bytes(content)
    found = find_file(tmp_path, published_spec("t2_sc"))
    assert (found.state, found.blob) == ("changed", git_blob_id(content))
    assert reason in found.reason
    assert find_file(tmp_path, published_spec("t1_sc")).state == "missing"
    with pytest.raises(NetworkError, match="is not the published network t2_sc: git blob id"):
        load_published(tmp_path, "t2_sc")


def test_missing_and_unknown_networks_are_named(tmp_path):
    with pytest.raises(NetworkError, match=r"t1_sc is not in .*t1_sc.h5 is expected"):
        load_published(tmp_path, "t1_sc")
    with pytest.raises(UsageError, match=r"no published network 't3_sc'. Known: t1_ctr"):
        load_published(tmp_path, "t3_sc")
    with pytest.raises(NetworkError, match="is not a folder"):
        find_files(tmp_path / "nowhere")
    with pytest.raises(NetworkError, match="not an ordinary file"):
        read_published(tmp_path, published_spec("t1_sc"))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "t2_sc.h5").open("wb") as stream:
        stream.truncate(2**26 + 1)
    with pytest.raises(NetworkError, match="more than 67108864 bytes"):
        find_file(tmp_path, published_spec("t2_sc"))


def test_a_predictor_does_not_depend_on_batches_and_checks_its_patches():
    net = detection(1, 1, (80, 80))
    network = build_legacy(read_legacy(to_bytes(net, random_weights(net, np.random.default_rng(1)))))
    predictor: Predictor = PublishedPredictor(published_spec("t2_ctr"), network)
    assert (predictor.patch_shape, predictor.zoom_mm, predictor.threshold) == ((80, 80), 0.5, 0.5)
    patches = np.random.default_rng(2).normal(size=(23, 80, 80)).astype("f4")
    together = predictor.predict(patches)
    apart = np.concatenate([predictor.predict(patches[:5]), predictor.predict(patches[5:])])
    np.testing.assert_allclose(together, apart, atol=1e-6)
    with pytest.raises(ValueError, match=r"Patches of \(80, 80\) are expected"):
        predictor.predict(patches[:, :64, :64])
    assert len(predictor.predict(patches[:0])) == 0


def test_standardising_follows_the_table():
    values = np.array([0.0, 51.1417, 255.0])
    found = PublishedPredictor(published_spec("t2_ctr"), None).standardise(values)
    np.testing.assert_allclose(found, (values - 51.1417) / 57.4408, rtol=1e-6)
    np.testing.assert_array_equal(
        PublishedPredictor(published_spec("t2_sc"), None).standardise(values), values.astype("f4")
    )
    own = PublishedPredictor(published_spec("gm_large"), None).standardise(values)
    np.testing.assert_allclose([own.mean(), own.std()], [0, 1], atol=1e-6)


@pytest.fixture(scope="session")
def published(shared_data):
    """Return the folder of published networks, or skip."""
    folder = shared_data / "weights"
    if not folder.is_dir():
        pytest.skip(f"no published networks: {folder} is absent")
    return folder


@pytest.mark.slow
def test_the_files_here_are_the_published_ones(published):
    found = {file.spec.name for file in find_files(published) if file.state == "present"}
    assert found == set(HERE)


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_published_files_load_and_give_the_known_outputs(published, name):
    predictor = load_published(published, name)
    assert predictor.network.count_params() == predictor.spec.n_parameters
    shape = (1, *predictor.patch_shape)
    noise = np.random.default_rng(0).standard_normal(shape).astype("f4")
    noise, zeros = predictor.predict(np.concatenate([noise, np.zeros(shape, "f4")]))
    # Noise shows no cord: the largest outputs were measured with another implementation (docs/published-networks.md).
    largest = {"t2_ctr": 3e-10, "t2s_ctr": 2e-9, "dwi_ctr": 2e-9, "t2s_lesion": 1e-3, "t2_ax_lesion": 1e-5}
    for values in (noise, zeros):
        assert values.shape == predictor.patch_shape
        assert values.min() >= 0
        assert values.max() < largest.get(name, 1e-6)
    if name == "t2_ctr":
        np.testing.assert_allclose([zeros.min(), zeros.max()], [3.2e-11, 1.7e-10], rtol=0.03)
        np.testing.assert_allclose([noise.min(), noise.max()], [2.36e-11, 6.30e-11], rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE[:5])
def test_published_networks_compute_what_their_files_say(published, name, rng):
    layers, weights = read_plainly(published / f"{name}.h5")
    # A smaller input than the published one keeps NumPy busy for seconds only; the weights are the same.
    content = (published / f"{name}.h5").read_bytes().replace(b"48, 48, 48]", b"16, 16, 16]")
    legacy = read_legacy(content)
    image = rng.normal(size=legacy.plan.patch_shape)
    found = np.asarray(build_legacy(legacy).predict_on_batch(image.astype("f4")[None, ..., None]))[0, ..., 0]
    expected = compute(layers, weights, image)
    # Logarithms: the outputs on noise are next to zero. float32 ends at exp(-87).
    seen = expected > 1e-30
    assert seen.mean() > 0.5
    np.testing.assert_allclose(np.log(found[seen]), np.log(expected[seen]), atol=2e-3)


@pytest.mark.slow
def test_a_published_file_that_was_changed_is_refused(published, tmp_path):
    content = bytearray((published / "dwi_ctr.h5").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "dwi_ctr.h5").write_bytes(content)
    with pytest.raises(NetworkError, match="is not the published network dwi_ctr"):
        load_published(tmp_path, "dwi_ctr")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t2_ctr", "t2s_lesion"])
def test_a_published_file_with_another_lambda_or_layer_is_refused(published, name, tmp_path):
    content = (published / f"{name}.h5").read_bytes()
    word = b"\\u0000\\u001bS(" if name == "t2_ctr" else b'"UpSampling3D"'
    other = b"\\u0000\\u0014S(" if name == "t2_ctr" else b'"UpSamplingXD"'
    assert content.count(word) >= 1
    with pytest.raises(NetworkError, match=r"instructions differ|not on the list"):
        read_legacy(content.replace(word, other))
