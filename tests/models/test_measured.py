"""What a conversion measures, and what a check of models finds."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.errors import CheckpointError
from geomgan.generators.cost import largest_array
from geomgan.models import measured
from geomgan.models.families import NETWORKS
from geomgan.models.folder import read_model, write_model
from geomgan.models.measured import measure, thinned, weights_sha256, write_measured
from geomgan.zoo import check as zoo_check
from geomgan.zoo.check import check
from tests.fixtures import ASSETS, assert_close, golden, needs_assets, random_params
from weights_convert.convert import convert

CARD = {
    "family": "dcgan-tutorial",
    "config": {"latent_dim": 3, "features": [4, 4], "channels": 3, "resolution": 16},
    "output_range": [-1, 1],
    "files": [],
}


def weights(card=CARD):
    part = NETWORKS[card["family"]]["generator"]
    return {"generator": random_params(part.module(card["config"]), *part.inputs(card["config"]), scale=0.3)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(home):
    return write_measured(home / "models" / "tiny", CARD, weights())


# --- What is measured ---


def never(*_):
    pytest.fail("run")


def test_a_network_with_huge_activations_is_not_run():
    _, reference = measure(CARD, weights())
    assert reference is not None
    widest = largest_array(lambda x: jnp.tanh(jnp.zeros((4, 1000)) + x).sum(), jnp.ones(1000))
    assert widest == 4 * 4 * 1000
    figures, reference = measure(CARD, weights(), widest=16 * 16 * 3 * 4 - 1, run=never)  # less than its sample
    assert reference is None
    assert figures["reference"].startswith("none: an activation takes")


def test_figures_of_a_model(model):
    card, G = gg.zoo.card(model), gg.load(model)
    assert card["parameters"] == {"generator": sum(leaf.size for leaf in jax.tree.leaves(G.params))}
    z = np.random.default_rng(0).standard_normal(3).astype(np.float32)
    with np.load(model / "reference.npz") as reference:
        np.testing.assert_array_equal(reference["codes"], z[None])
        sample = np.asarray(G(z))
        assert_close(reference["samples"][0], thinned(sample.ravel()), 1e-6)
    assert card["reference"]["mean"] == pytest.approx(sample.mean(dtype=np.float64), abs=1e-6)
    assert card["reference"]["std"] == pytest.approx(sample.std(dtype=np.float64), abs=1e-6)


@pytest.mark.parametrize("shape", [(1,), (28, 28, 1), (64, 64, 3), (65536, 1)])
def test_a_thinned_sample_meets_every_channel_and_column(shape):
    kept = thinned(np.arange(np.prod(shape)))
    assert min(np.prod(shape), 100) <= len(kept) <= measured.NUMBERS
    for axis, size in list(zip(np.unravel_index(kept, shape), shape, strict=True))[1:]:
        assert len(np.unique(axis)) == size


def test_the_checksum_sees_every_change():
    tree = {"a": {"b": np.arange(6, dtype="f4").reshape(2, 3)}, "c": np.float32(1)}
    sums = [weights_sha256(tree)]
    sums += [weights_sha256({**tree, "c": value}) for value in (np.float32(1 + 1e-7), np.float64(1), np.ones(2, "f4"))]
    sums += [weights_sha256({"a": {"b": tree["a"]["b"].reshape(3, 2)}, "c": tree["c"]})]
    sums += [weights_sha256({"a": {"d": tree["a"]["b"]}, "c": tree["c"]})]
    assert len(set(sums)) == len(sums)
    assert weights_sha256({"c": np.float32(1), "a": {"b": np.asfortranarray(tree["a"]["b"])}}) == sums[0]


def test_a_large_forward_pass_is_not_run():
    figures, reference = measure(CARD, jax.tree.map(np.asarray, weights()), largest=1e3, run=never)
    assert reference is None
    assert figures["reference"].startswith("none: a forward pass takes more than")
    assert figures["forward_gflop"] > 0


def test_weights_that_are_no_network():
    figures, reference = measure({"family": "lpips-alex"}, {"heads": {"head1": np.ones(5, "f4")}})
    assert reference is None
    assert set(figures) == {"parameters", "weights_sha256"}


# --- What a check finds ---


def rewrite(folder, **changes):
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, **changes}))


def test_a_model_that_is_as_it_was(model):
    finding = check(model)
    assert (finding.name, finding.against, finding.verdict, finding.ok) == ("tiny", "its conversion", "ok", True)
    assert finding.difference < 1e-6


def test_weights_that_changed(model):
    card, params = read_model(model)
    params["generator"]["output"]["bias"] = params["generator"]["output"]["bias"] + np.float32(1e-3)
    with np.load(model / "reference.npz") as arrays:
        reference = dict(arrays)
    write_model(model, card, params, reference)
    assert check(model).verdict == "DIFFERS: its weights are not those that were written"
    rewrite(model, weights_sha256=weights_sha256(params))  # then the samples tell
    finding = check(model)
    assert (finding.verdict, finding.ok) == ("DIFFERS", False)
    assert 1e-4 < finding.difference < 1e-2


@pytest.mark.parametrize("damage", ["weights", "model.json", "reference.npz", "no reference", "family"])
def test_damage_is_reported_and_the_others_are_checked(model, home, damage):
    write_measured(home / "models" / "whole", CARD, weights())
    if damage == "weights":
        for path in (model / "weights").rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:20])
    elif damage == "no reference":
        (model / "reference.npz").unlink()
    elif damage == "family":
        rewrite(model, config={})
    else:
        (model / damage).write_bytes((model / damage).read_bytes()[:20])
    found = {finding.name: finding for finding in zoo_check.check_all()}
    embedded = {name for name, entry in gg.zoo.catalogue().items() if entry.embedded}
    assert set(found) == {*embedded, "tiny", "whole"}
    assert found["tiny"].verdict.startswith("damaged: ")
    assert [name for name, finding in found.items() if not finding.ok] == ["tiny"]


def test_models_without_a_reference_are_only_half_checked(home, tmp_path):
    old = write_model(home / "models" / "old", CARD, weights())
    assert check(old).verdict.startswith("ok: its weights; its samples have no reference (written before")
    lpips = write_measured(tmp_path / "lpips", {"family": "lpips-alex"}, {"heads": {"head1": np.ones(5, "f4")}})
    assert check(lpips).verdict == "ok: its weights; it has no samples"


def test_another_model_under_a_published_name_differs_from_the_original(home):
    folder = write_measured(home / "models" / "faces64", CARD, weights())
    finding = check(folder)
    assert (finding.against, finding.difference, finding.ok) == ("the original", np.inf, False)
    card = CARD | {"config": {"latent_dim": 100, "features": [8, 8, 4, 4], "channels": 3, "resolution": 64}}
    finding = check(write_measured(folder, card, weights(card)))
    assert not finding.ok
    assert finding.difference > 0.1


def test_a_model_that_cannot_be_opened_is_not_written(home):
    with pytest.raises(CheckpointError, match="do not fit each other"):
        write_measured(home / "models" / "tiny", CARD | {"output_range": [1, -1]}, weights())
    assert not (home / "models").exists()


# --- The originals ---


@needs_assets
@pytest.mark.parametrize(
    ("name", "family", "path"),
    [
        ("faces64", "dcgan-tutorial", "dcgan-faces64/weights.tar"),
        ("mnist-vae", "generative-latent-space-vae", "generative-latent-space"),
        ("mnist-bigan", "generative-latent-space-bigan", "generative-latent-space"),
    ],
)
def test_published_models_against_their_originals(home, name, family, path):
    finding = check(convert(family, ASSETS / path, home / "models" / name))
    assert (finding.against, finding.ok) == ("the original", True)
    assert gg.zoo.card(name)["parity"] == f"{finding.difference:.1e} of the largest magnitude, against the original"


@pytest.mark.parametrize(
    ("name", "fixture"), [("faces64", "dcgan_faces64"), ("mnist-vae", "vae_mnist"), ("mnist-bigan", "bigan_mnist")]
)
def test_the_shipped_samples_are_those_of_the_original(name, fixture):
    arrays = golden(fixture)[1]
    with np.load(measured.ORIGINALS / f"{name}.npz") as reference:
        codes, samples = reference["codes"], reference["samples"]
    np.testing.assert_array_equal(codes, arrays["z"][: len(codes)])
    for k, stored in enumerate(samples):
        sample = np.moveaxis(arrays["output"][k], 0, -1).ravel()
        if "output_variance" in arrays:
            sample = np.concatenate([sample, np.sqrt(arrays["output_variance"][k])])
        np.testing.assert_array_equal(stored, thinned(sample))
