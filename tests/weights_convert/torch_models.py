"""Published architectures with random weights, as the original frameworks hold and save them."""

from __future__ import annotations

import os
import sys
import types
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from unittest import mock

import torch

from tests.weights_convert.torch_saved import saved


def randomise(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random weights and batch statistics away from 0 and 1, in evaluation mode."""
    draw = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            positive = name.endswith("running_var")
            values = torch.randn(tensor.shape, generator=draw) * (0.5 if tensor.ndim < 2 else 0.2)
            tensor.copy_(values.abs() + 0.3 if positive else values)
    return module.eval()


def tutorial_dcgan(
    latent: int, features: Sequence[int], channels: int, bias: bool = False, seed: int = 0
) -> torch.nn.Module:
    """The generator of PyTorch's DCGAN tutorial, of any width and depth; its layers are ``main.0``, ``main.1``, ..."""
    layers: list[torch.nn.Module] = []
    widths = [latent, *features]
    for i, (before, after) in enumerate(zip(widths, features, strict=False)):
        stride, padding = (1, 0) if i == 0 else (2, 1)
        layers += [torch.nn.ConvTranspose2d(before, after, 4, stride, padding, bias=bias)]
        layers += [torch.nn.BatchNorm2d(after), torch.nn.ReLU(True)]
    layers += [torch.nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=bias), torch.nn.Tanh()]
    return randomise(torch.nn.Sequential(OrderedDict(main=torch.nn.Sequential(*layers))), seed)


class Harmful:
    """What calls ``os.system`` when it is unpickled by ``pickle``; nothing of it may run."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


class BaseConfig:
    """What the PyTorch GAN zoo pickles its settings as."""


def gan_zoo_checkpoint(state: Any, zipped: bool = False, **settings: Any) -> bytes:
    """A checkpoint of the PyTorch GAN zoo; ``netG`` is not what is to be used."""
    modules = {name: types.ModuleType(name) for name in ("models", "models.utils", "models.utils.config")}
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    config = BaseConfig()
    config.__dict__.update(settings)
    with mock.patch.dict(sys.modules, modules), mock.patch.object(BaseConfig, "__module__", "models.utils.config"):
        modules["models.utils.config"].BaseConfig = BaseConfig  # type: ignore[attr-defined]
        return saved({"config": config, "netG": other, "netD": {}, "avgG": state, "tmp": BaseConfig()}, zipped)
