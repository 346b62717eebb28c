"""The original systems in torch: torchvision's networks by position, and LPIPS as its authors compute it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.fixtures import golden
from tests.golden import make_weights
from weights_convert.families.lpips import SOURCES

TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29), "squeeze": (1, 4, 7, 9, 10, 11, 12)}
SHIFT, SCALE = (torch.tensor(v)[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))


class Fire(nn.Module):
    def __init__(self, inputs: int, narrow: int, wide: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def features(net: str) -> nn.Sequential:
    """The convolutions of one of torchvision's networks, without weights worth having."""
    if net == "alex":
        pool = [nn.ReLU(), nn.MaxPool2d(3, 2)]
        first = [nn.Conv2d(3, 64, 11, 4, 2), *pool, nn.Conv2d(64, 192, 5, padding=2), *pool]
        widths = ((192, 384), (384, 256), (256, 256))
        return nn.Sequential(*first, *(m for w in widths for m in (nn.Conv2d(*w, 3, padding=1), nn.ReLU())))
    if net in ("vgg", "vgg19"):
        layers, width, deep = [], 3, 4 if net == "vgg19" else 3
        for wide, depth in ((64, 2), (128, 2), (256, deep), (512, deep), (512, deep)):
            for _ in range(depth):
                layers += [nn.Conv2d(width, wide, 3, padding=1), nn.ReLU()]
                width = wide
            layers.append(nn.MaxPool2d(2, 2))
        return nn.Sequential(*layers)
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    layers = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool, Fire(64, 16, 64), Fire(128, 16, 64), pool]
    layers += [Fire(128, 32, 128), Fire(256, 32, 128), pool, Fire(256, 48, 192), Fire(384, 48, 192)]
    return nn.Sequential(*layers, Fire(384, 64, 256), Fire(512, 64, 256))


def seeded(net: str) -> dict[str, np.ndarray]:
    """The random state dict of a fixture: features.* and heads."""
    return make_weights.make_state_dict(golden(f"lpips_{net}_seeded")[0])


def our_weights(net: str, tensors: Mapping[str, np.ndarray]) -> dict:
    """A state dict as the argument ``weights`` of our distances."""
    trunk = {
        ours: {"kernel": tensors[f"{source}.weight"].transpose(2, 3, 1, 0), "bias": tensors[f"{source}.bias"]}
        for ours, source in SOURCES[net].items()
    }
    return {"trunk": trunk, "heads": [tensors[f"lin{k}.model.1.weight"].ravel() for k in range(len(TAPS[net]))]}


def outputs(net: str, tensors: Mapping[str, np.ndarray], x: np.ndarray, *, standardise: bool = True) -> list:
    """What every position of torchvision's ``features`` makes of one image ``(H, W, 3)`` in (-1, 1), channels first."""
    modules = features(net)
    state = {k.removeprefix("features."): torch.from_numpy(v.copy()) for k, v in tensors.items() if "features" in k}
    modules.load_state_dict(state)
    h = torch.from_numpy(np.moveaxis(np.asarray(x, np.float32), -1, 0).copy())
    h = ((h - SHIFT) / SCALE if standardise else h)[None]
    found = []
    with torch.no_grad():
        for module in modules:
            h = module(h)
            found.append(h)
    return found


def lpips_maps(net, tensors, x, y, *, version="0.1", linear=True, spatial=False) -> list[np.ndarray]:
    """Each layer of the original's ``forward``: its mean, or with ``spatial`` its map at the image's pixels."""
    found = []
    sides = [outputs(net, tensors, image, standardise=version == "0.1") for image in (x, y)]
    for k, position in enumerate(TAPS[net]):
        a, b = (h[position] / (h[position].square().sum(1, keepdim=True).sqrt() + 1e-10) for h in sides)
        squares = (a - b) ** 2
        if linear:
            squares = squares * torch.from_numpy(tensors[f"lin{k}.model.1.weight"])
        layer = squares.sum(1, keepdim=True)
        layer = F.interpolate(layer, x.shape[:2], mode="bilinear", align_corners=False) if spatial else layer.mean()
        found.append(layer.squeeze().numpy())
    return found
