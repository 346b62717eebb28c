"""The residual generators of PyTorch-StudioGAN and torch-mimicry, against torch."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from geomgan.generators.convolutions import upsample_bilinear
from tests.fixtures import assert_close
from tests.weights_convert.torch_models import saved
from tests.weights_convert.torch_residual import Mimicry, StudioGAN, drawn
from weights_convert.auto import convert_any
from weights_convert.convert import convert

NETS = {
    "BigGAN": (StudioGAN, {"features": (16, 8, 8), "chunk": 3, "classes": 4, "shared": 5, "attention": (1,)}),
    "BigGAN without classes": (StudioGAN, {"features": (8, 6), "chunk": 3}),
    "SAGAN": (StudioGAN, {"features": (8, 8, 6), "classes": 4, "attention": (1,)}),
    "SNGAN without classes": (StudioGAN, {"features": (8, 6), "normed": False}),
    "mimicry's SNGAN": (Mimicry, {"features": (8, 6)}),
    "mimicry's SAGAN": (Mimicry, {"features": (8, 8, 8, 8), "classes": 4, "attention": 2}),
}


def net_of(name: str) -> torch.nn.Module:
    torch.manual_seed(len(name))
    kind, sizes = NETS[name]
    return drawn(kind(**sizes))


def model(folder, net, name="G.pth", family="", **options):
    """The folder that is made of the file in its library's layout, and the family that it was taken as."""
    state = net.state_dict() if isinstance(net, torch.nn.Module) else net
    key = "model_state_dict" if "l1.bias" in state else "state_dict"
    (folder / name).write_bytes(saved({key: state, "optimizer": {"state": {}, "param_groups": []}}))
    if family:
        return family, convert(family, folder / name, folder / "model", options)
    return convert_any(folder / name, folder / "model", options, say=lambda _: None)


@pytest.mark.parametrize("name", NETS)
def test_equals_torch(tmp_path, name):
    net = net_of(name)
    family, folder = model(tmp_path, net)
    assert family == ("mimicry" if "mimicry" in name else "studiogan")
    classes = NETS[name][1].get("classes", 0)
    G = gg.load(folder, **({"class_index": classes - 1} if classes else {}))
    z = torch.randn(2, G.latent_dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        theirs = net.double()(z, torch.full((2,), max(classes - 1, 0))).movedim(1, -1).numpy()
    assert 0.1 < np.abs(theirs).mean() < 0.95
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02
    assert_close(jax.vmap(G)(z.numpy()), theirs)
    assert gg.zoo.card(folder)["config"]["resolution"] == theirs.shape[1]


def test_a_class_between_two(tmp_path):
    """Without hierarchical codes the space of classes is that of one-hot vectors; without classes there is none."""
    net = net_of("SAGAN")
    _, folder = model(tmp_path, net)
    z, mixed = np.linspace(-1, 1, 5), np.array([0.25, 0, 0.75, 0])
    G = gg.load(folder, space="class", base=z)
    norm = net.blocks[0][0].bn1
    shift = norm.bias(torch.from_numpy(mixed).float()[None])[0].detach().numpy()
    at_zero = gg.load(folder, space="class", base=z).params["network"]["block1_norm1"]["shift"]
    assert_close(mixed @ np.asarray(at_zero), shift)
    assert G.sample_shape.shape == (16, 16, 3)
    _, plain = model(tmp_path, net_of("SNGAN without classes"), "plain.pth")
    with pytest.raises(OptionError, match=r"space='class' is not known|space"):
        gg.load(plain, space="class")


def test_the_end_may_be_a_sigmoid(tmp_path):
    net = net_of("mimicry's SNGAN")
    _, folder = model(tmp_path, net, output="sigmoid")
    G, z = gg.load(folder), np.linspace(-1, 1, 5)
    assert G.output_range == (0, 1)
    with torch.no_grad():
        y = torch.atanh(net.double()(torch.from_numpy(z)[None], None)[0].movedim(0, -1))
    assert_close(G(z), torch.sigmoid(y))


def test_as_many_classes_as_numbers_of_the_code(tmp_path):
    torch.manual_seed(3)
    net = drawn(StudioGAN((8, 6), code=4, classes=4))
    _, folder = model(tmp_path, net, hierarchical="false")
    z = torch.linspace(-1, 1, 4)
    with torch.no_grad():
        theirs = net(z[None], torch.tensor([2]))[0].movedim(0, -1)
    assert_close(gg.load(folder, class_index=2)(z.numpy()), theirs)


def test_bilinear_upsampling_is_torch_s():
    x = np.random.default_rng(0).standard_normal((5, 3, 2))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(x).movedim(-1, 0)[None], scale_factor=2, mode="bilinear")
    np.testing.assert_allclose(upsample_bilinear(x), theirs[0].movedim(0, -1), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"blocks.0.0.conv2d4.weight": torch.ones(2, 2, 1, 1)}, "deep blocks; expected a generator of resnet"),
        ({"info_mix_linear.weight": torch.ones(2, 2)}, "InfoGAN's codes"),
        ({"blocks.0.0.conv2d2.bias": None}, r"1 tensors missing: blocks\.0\.0\.conv2d2\.bias"),
        ({"extra": torch.ones(2)}, "1 tensors left over: extra"),
        ({"shared.weight": torch.ones(4, 6)}, r"see 8 numbers; expected 6 of the class .* and 3 of the code"),
        ({"linear0.weight_orig": torch.ones(3)}, "expected a matrix linear0"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    state = {k: v for k, v in (dict(net_of("BigGAN").state_dict()) | change).items() if v is not None}
    with pytest.raises(CheckpointError, match=says):
        model(tmp_path, state, family="studiogan")
    assert not (tmp_path / "model").exists()


def test_attention_at_an_unknown_place_is_refused(tmp_path):
    net = drawn(Mimicry((8, 8, 8), classes=2, attention=1))
    with pytest.raises(CheckpointError, match="has attention and 2 blocks, and does not say behind which"):
        model(tmp_path, net, family="mimicry")
