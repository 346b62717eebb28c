"""R3GAN from a pickle of plain classes, against torch; files that are refused."""

from __future__ import annotations

import pickle

import jax
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import geomgan as gg
from geomgan.errors import CheckpointError, OptionError
from tests.fixtures import assert_close
from weights_convert.auto import convert_any
from weights_convert.convert import convert


class Holder(nn.Module):
    """Parts by their published names; what they do is :func:`generated`."""

    def __init__(self, **parts) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def normal(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) / max(1, torch.Size(shape[1:]).numel()) ** 0.5)


def conv(before: int, after: int, side: int = 1, groups: int = 1) -> nn.Module:
    return Holder(Layer=nn.Conv2d(before, after, side, padding=side // 2, groups=groups, bias=False))


def block(features: int, groups: int) -> nn.Module:
    wide = 2 * features
    return Holder(
        LinearLayer1=conv(features, wide),
        LinearLayer2=conv(wide, wide, 3, groups),
        LinearLayer3=conv(wide, features),
        NonLinearity1=Holder(Bias=normal(wide)),
        NonLinearity2=Holder(Bias=normal(wide)),
    )


def net(widths=(8, 8, 6), classes: int = 0, latent: int = 5, embedding: int = 3) -> nn.Module:
    torch.manual_seed(len(widths) + classes)
    row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    stages = []
    for s, features in enumerate(widths):
        if s == 0:
            code = latent + (embedding if classes else 0)
            first = Holder(Basis=normal(features, 4, 4), LinearLayer=nn.Linear(code, features, bias=False))
        else:
            resampler = Holder()
            resampler.register_buffer("Kernel", torch.outer(row, row))
            changes = {"LinearLayer": conv(widths[s - 1], features)} if features != widths[s - 1] else {}
            first = Holder(Resampler=resampler, **changes)
        stage = Holder(Layers=nn.ModuleList([first, block(features, 2), block(features, 2)]))
        stage.DataType = torch.bfloat16  # which is not what is computed here
        stages.append(stage)
    parts = {"MainLayers": nn.ModuleList(stages), "AggregationLayer": conv(widths[-1], 3)}
    parts |= {"EmbeddingLayer": nn.Linear(classes, embedding, bias=False)} if classes else {}
    return Holder(Model=Holder(**parts)).double()


def generated(model: nn.Module, z: torch.Tensor, label: int = 0) -> np.ndarray:
    """Images, channels last; the filter runs over zeros behind every pixel, by its definition."""
    if hasattr(model, "EmbeddingLayer"):
        y = model.EmbeddingLayer(F.one_hot(torch.tensor([label] * len(z)), model.EmbeddingLayer.in_features).to(z))
        z = torch.cat([z, y], 1)
    x = None
    for stage in model.MainLayers:
        first, *blocks = stage.Layers
        if x is None:
            x = first.Basis * first.LinearLayer(z)[:, :, None, None]
        else:
            x = first.LinearLayer.Layer(x) if hasattr(first, "LinearLayer") else x
            spread = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]).to(x)
            spread[:, :, ::2, ::2] = x
            kernel = (4 * first.Resampler.Kernel).expand(x.shape[1], 1, 4, 4)
            x = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel, groups=x.shape[1])
        for part in blocks:
            y = part.LinearLayer1.Layer(x) + part.NonLinearity1.Bias[:, None, None]
            y = part.LinearLayer2.Layer(F.leaky_relu(y, 0.2)) + part.NonLinearity2.Bias[:, None, None]
            x = x + part.LinearLayer3.Layer(F.leaky_relu(y, 0.2))
    return model.AggregationLayer.Layer(x).detach().movedim(1, -1).numpy()


def file_of(folder, tree):
    path = folder / "network-snapshot-000001.pkl"
    path.write_bytes(pickle.dumps(tree))
    return path


@pytest.mark.parametrize("classes", [0, 4])
def test_equals_torch(tmp_path, classes):
    module = net(classes=classes)
    tree = {"G": None, "D": None, "G_ema": module.float(), "augment_pipe": None, "training_set_kwargs": {"x": 1}}
    family, folder = convert_any(file_of(tmp_path, tree), tmp_path / "model", say=lambda _: None)
    assert family == "r3gan"
    z = np.random.default_rng(0).standard_normal((2, 5))
    theirs = generated(module.double().Model, torch.from_numpy(z), 2)
    assert theirs.shape == (2, 16, 16, 3)
    assert np.abs(theirs[0] - theirs[1]).max() > 0.02 * np.abs(theirs).max()
    assert_close(jax.vmap(gg.load(folder, **({"class_index": 2} if classes else {})))(z), theirs)
    assert "bfloat16 are computed in float32" in gg.zoo.card(folder)["note"]
    if classes:
        fixed = gg.load(folder, space="class", base=z[0])
        assert_close(fixed(module.Model.EmbeddingLayer.weight[:, 2].detach().numpy()), theirs[0])
    else:
        with pytest.raises(OptionError, match="space='class'"):
            gg.load(folder, space="class")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"MainLayers.1.Layers.2.NonLinearity2.Bias": None}, r"1 tensors missing: MainLayers\.1\.Layers\.2\.Non"),
        ({"MainLayers.1.Extra": torch.ones(2)}, r"1 tensors left over: MainLayers\.1\.Extra"),
        ({"MainLayers.1.Layers.0.Resampler.Kernel": torch.ones(4, 4) + torch.eye(4)}, "are not one separable filter"),
        ({"MainLayers.0.Layers.0.LinearLayer.weight": torch.ones(3)}, "no generator of R3GAN"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    state = {k: v for k, v in (dict(net((6, 4)).Model.state_dict()) | change).items() if v is not None}
    with pytest.raises(CheckpointError, match=says):
        convert("r3gan", file_of(tmp_path, state), tmp_path / "model")
