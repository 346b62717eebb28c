"""Shift predictors against torch modules with the same weights, in evaluation and in training, with gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from geomgan.directions import initial_predictor
from geomgan.directions.predictors import nearest
from geomgan.directions.published_deformators import predictor_of
from geomgan.errors import CheckpointError, OptionError
from tests.directions.torch_predictors import LeNet, ResNet, with_random_statistics
from tests.small_models import largest_difference

RNG = np.random.default_rng(0)
PUBLISHED_LENET = ("feature_extractor", "path_indices", "shift_magnitudes")  # of WarpedGANSpace
CASES = {
    "LeNet": lambda: LeNet(7, 1),
    "LeNet of WarpedGANSpace": lambda: LeNet(7, 1, PUBLISHED_LENET),
    "ResNet": lambda: ResNet(7, 1),
    "ResNet of WarpedGANSpace": lambda: ResNet(7, 1, PUBLISHED_LENET[1:]),
}


def tensors(module):
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def pairs(n=6, side=36):
    return [RNG.standard_normal((n, side, side, 1)).astype(np.float32) for _ in range(2)]


def in_torch(x):
    return torch.tensor(x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", CASES)
def test_equals_torch_in_evaluation(name):
    torch.manual_seed(0)
    module = with_random_statistics(CASES[name]()).eval()
    images = pairs()
    with torch.no_grad():
        expected = module(*map(in_torch, images))
    logits, magnitudes, after = predictor_of(tensors(module))(*map(jnp.asarray, images))
    assert largest_difference(logits, expected[0]) < 1e-5
    assert largest_difference(magnitudes, expected[1]) < 1e-5
    np.testing.assert_array_equal(after.kept["norm1"]["mean"], tensors(module)[_first_norm(name)])


@pytest.mark.parametrize("name", ["LeNet", "ResNet"])
def test_equals_torch_in_training(name):
    torch.manual_seed(1)
    module = with_random_statistics(CASES[name]()).train()
    before = tensors(module)
    images, labels = pairs(), np.array([0, 1, 2, 3, 4, 6])
    logits, magnitudes = module(*map(in_torch, images))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels)) + magnitudes.abs().mean()
    loss.backward()
    predictor = predictor_of(before)

    @jax.jit
    def value_and_gradient(learnt, images, moved):
        def loss_fn(learnt):
            again = type(predictor)(learnt, predictor.kept, predictor.kind)
            logits, magnitudes, after = again(images, moved, training=True)
            label = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()
            return label + jnp.abs(magnitudes).mean(), after.kept

        return jax.value_and_grad(loss_fn, has_aux=True)(learnt)

    (value, kept), gradient = value_and_gradient(predictor.learnt, *map(jnp.asarray, images))
    assert float(value) == pytest.approx(loss.item(), rel=1e-5)
    assert largest_difference(kept["norm1"]["mean"], tensors(module)[_first_norm(name)]) < 1e-5
    first = next(iter(module.parameters())).grad.numpy().transpose(2, 3, 1, 0)
    assert largest_difference(gradient["conv1"]["kernel"], first) < 1e-3
    norm = next(p for n, p in module.named_parameters() if n.endswith(_first_norm(name)[-20:-13] + ".weight")).grad
    assert largest_difference(gradient["norm1"]["scale"], norm.numpy()) < 1e-3


def _first_norm(name):
    prefix = "convnet.1" if name == "LeNet" else "feature_extractor.1" if "LeNet" in name else "features_extractor.bn1"
    return f"{prefix}.running_mean"


@pytest.mark.parametrize("kind", ["lenet", "resnet"])
def test_begins_as_torch_does(kind):
    predictor = initial_predictor(jax.random.key(0), kind, 7, (36, 36, 1))
    published = predictor_of(tensors(CASES["LeNet" if kind == "lenet" else "ResNet"]()))
    assert jax.tree.map(jnp.shape, predictor.learnt) == jax.tree.map(jnp.shape, published.learnt)
    if kind == "resnet":  # torchvision's law is of the outputs
        kernel = np.asarray(predictor.learnt["layer2.0.conv1"]["kernel"])
        assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
        return
    for mine, theirs in zip(jax.tree.leaves(predictor.learnt), jax.tree.leaves(published.learnt), strict=True):
        if mine.size > 500:
            assert float(mine.std() / theirs.std()) == pytest.approx(1, abs=0.1)


def test_images_are_resized_to_their_nearest_pixels():
    x = RNG.standard_normal((2, 45, 50, 1)).astype(np.float32)
    expected = torch.nn.functional.interpolate(in_torch(x), size=(32, 32), mode="nearest")
    np.testing.assert_array_equal(nearest(jnp.asarray(x), 32), expected.permute(0, 2, 3, 1))


def test_what_cannot_be():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"images have 28 pixels a side; LeNet needs 32. Pass resize=32"):
        initial_predictor(key, "lenet", 7, (28, 28, 1))
    with pytest.raises(ValueError, match=r"samples have shape \(64,\); expected images"):
        initial_predictor(key, "lenet", 7, (64,))
    with pytest.raises(OptionError, match="predictor='vgg' is not known"):
        initial_predictor(key, "vgg", 7, (64, 64, 1))
    state = tensors(CASES["LeNet"]())
    del state["fc_shift.3.bias"]
    with pytest.raises(CheckpointError, match=r"has no tensor 'fc_shift.3.bias'"):
        predictor_of(state)
    with pytest.raises(CheckpointError, match="tensors that no network of its kind has: extra"):
        predictor_of({**tensors(CASES["LeNet"]()), "extra": np.zeros(3)})
    with pytest.raises(CheckpointError, match=r"convnet.0.weight .* has shape \(6, 2, 5, 4\); expected"):
        predictor_of({**tensors(CASES["LeNet"]()), "convnet.0.weight": np.zeros((6, 2, 5, 4))})
