"""Published deformators: folders as GANLatentDiscovery writes them, with files of torch."""

import json
import os

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from tests.directions.torch_predictors import FC, LeNet, ResNet, with_random_statistics
from tests.small_models import largest_difference, small_dcgan

D, PATHS = 8, 5


@pytest.fixture(scope="module")
def G():
    return small_dcgan(D)


def published(folder, kind, state, predictor=None, *, options=(), names="", step=100_000):
    """A folder in the published layout."""
    (folder / "models").mkdir(parents=True)
    args = {"deformator": kind, "shift_predictor": "LeNet", "shift_scale": 6.0, "directions_count": PATHS}
    (folder / "args.json").write_text(json.dumps({**args, **dict(options)}))
    torch.save(state, folder / "models" / f"deformator_{step}.pt")
    if predictor is not None:
        torch.save(predictor.state_dict(), folder / "models" / f"shift_predictor_{step}.pt")
    if names:
        (folder / "human_annotation.txt").write_text(names)
    return folder


def test_a_rotation_with_names_and_its_predictor(G, tmp_path):
    torch.manual_seed(0)
    L, predictor = torch.randn(D, D), with_random_statistics(LeNet(D, 3)).eval()
    names = "2: zoom\n5: background removal\n7: zoom\n"
    published(tmp_path / "old", "ortho", {"log_mat_half": torch.zeros(D, D)}, step=90_000)
    folder = published(tmp_path / "a", "ortho", {"log_mat_half": L}, predictor, names=names)
    (tmp_path / "old/models/deformator_90000.pt").rename(folder / "models/deformator_90000.pt")
    found, deformator, judge, args = gg.zoo.load_deformator(folder, G)
    Q = scipy.linalg.expm((L - L.T).double().numpy())
    assert largest_difference(found.vectors, Q) < 1e-5
    assert found.names == ("0", "1", "zoom", "3", "4", "background removal", "6", "zoom (7)")
    assert found["background removal"].name == "background removal"
    assert (found.orthonormal, args["shift_scale"], deformator.kind) == (True, 6.0, "ortho")
    images = np.random.default_rng(0).standard_normal((2, 4, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = predictor(*torch.tensor(images).permute(0, 1, 4, 2, 3))
    logits, magnitudes, _ = judge(*jnp.asarray(images))
    assert largest_difference(logits, expected[0]) < 1e-5
    assert largest_difference(magnitudes, expected[1]) < 1e-5


@pytest.mark.parametrize("kind", ["linear", "proj"])
def test_matrices(kind, G, tmp_path):
    torch.manual_seed(1)
    module = torch.nn.Linear(PATHS, D)
    names = {f"linear.{name}": value for name, value in module.state_dict().items()}
    found, deformator, judge, _ = gg.zoo.load_deformator(published(tmp_path / "a", kind, names), G)
    assert judge is None
    x = 6.0 * torch.eye(PATHS)
    with torch.no_grad():
        y = module(x)
        expected = y if kind == "linear" else y * x.norm(dim=1, keepdim=True) / y.norm(dim=1, keepdim=True)
    moved, _ = deformator.shifts(None, jnp.arange(PATHS), jnp.full(PATHS, 6.0))
    assert largest_difference(moved, expected) < 1e-6
    assert found.vectors.shape == (D, PATHS)


def test_a_network_and_an_old_option(G, tmp_path):
    torch.manual_seed(2)
    module = with_random_statistics(FC(D, D)).eval()
    options = {"shift_predictor": "ResNet", "shift_predictor_size": 64, "max_latent_ind": D, "directions_count": D}
    folder = published(tmp_path / "a", "fc", module.state_dict(), ResNet(D, 3), options=options)
    _, deformator, judge, _ = gg.zoo.load_deformator(folder, G)
    magnitudes = np.linspace(-6, 6, D, dtype=np.float32)
    with torch.no_grad():
        expected = module(torch.diag(torch.tensor(magnitudes)))
    moved, _ = deformator.shifts(None, jnp.arange(D), jnp.asarray(magnitudes))
    assert largest_difference(moved, expected) < 1e-5
    assert (judge.kind, judge.resize) == ("resnet", 64)


def test_the_axes_have_no_weights(G, tmp_path):
    found, *_ = gg.zoo.load_deformator(published(tmp_path / "a", "id", {}), G)
    np.testing.assert_array_equal(found.vectors, np.eye(D, PATHS))


def test_what_cannot_be_loaded(G, tmp_path):
    with pytest.raises(CheckpointError, match="its matrix is not in the file"):
        gg.zoo.load_deformator(published(tmp_path / "random", "random", {}), G)
    with pytest.raises(CheckpointError, match=r"the deformator \(ortho\) has no tensor 'log_mat_half'"):
        gg.zoo.load_deformator(published(tmp_path / "other", "ortho", {"linear.weight": torch.zeros(D, D)}), G)
    folder = published(tmp_path / "names", "ortho", {"log_mat_half": torch.zeros(D, D)}, names="9: zoom")
    with pytest.raises(CheckpointError, match=r"'9: zoom' is not 'index: name' with an index below 8"):
        gg.zoo.load_deformator(folder, G)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotHereError, match=r"has no models/deformator_<step>.pt"):
        gg.zoo.load_deformator(tmp_path / "empty", G)
    with pytest.raises(NotHereError, match="is no folder"):
        gg.zoo.load_deformator(tmp_path / "nowhere", G)


@pytest.mark.parametrize("finished", [True, False])
def test_support_sets_and_a_reconstructor(finished, G, tmp_path):
    torch.manual_seed(3)
    K, DIPOLES = 3, 4
    supports = torch.randn(K, 2 * DIPOLES * D)
    sets = {"SUPPORT_SETS": supports, "ALPHAS": torch.randn(K, 2 * DIPOLES), "LOGGAMMA": torch.randn(K, 1) - 2}
    names = ("feature_extractor", "path_indices", "shift_magnitudes")
    states = {"support_sets": sets, "reconstructor": LeNet(K, 3, names).state_dict()}
    (tmp_path / "models").mkdir()
    (tmp_path / "args.json").write_text(json.dumps({"reconstructor_type": "LeNet"}))
    if finished:
        for name, state in states.items():
            torch.save(state, tmp_path / "models" / f"{name}.pt")
    else:
        torch.save({"iter": 7, **states}, tmp_path / "models" / "checkpoint.pt")
    warps, judge, _ = gg.zoo.load_warps(tmp_path, G)
    assert judge.kind == "lenet"
    z = torch.randn(D, dtype=torch.float64, requires_grad=True)
    s, a, g = supports[1].reshape(-1, D).double(), sets["ALPHAS"][1].double(), sets["LOGGAMMA"][1].double().exp()
    (a * torch.exp(-g * ((z - s) ** 2).sum(1))).sum().backward()
    moved, _ = warps.shifts(jnp.asarray(z.detach().numpy(), jnp.float32)[None], jnp.asarray([1]), jnp.asarray([0.3]))
    assert largest_difference(moved[0], 0.3 * z.grad / z.grad.norm()) < 1e-5
    with pytest.raises(CheckpointError, match=r"SUPPORT_SETS of the support sets has shape \(3, 64\); expected"):
        gg.zoo.load_warps(tmp_path, small_dcgan(D + 1))


def test_nothing_in_a_file_is_executed(G, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    folder = published(tmp_path / "a", "ortho", {"log_mat_half": torch.zeros(D, D), "code": Hostile()})
    with pytest.raises(CheckpointError, match="mkdir"):
        gg.zoo.load_deformator(folder, G)
    assert not (tmp_path / "executed").exists()
