"""Weights that distances take: the small digit classifier, and the networks and heads of LPIPS."""

from __future__ import annotations

from collections.abc import Iterator

from geomgan.models.digit_classifier import DigitClassifier
from geomgan.models.families.declaration import Checkpoint, Family, Part

TORCHVISION = {  # net -> torchvision's name of it, and its published file
    "alex": ("alexnet", "alexnet-owt-7be5be79.pth"),
    "vgg": ("vgg16", "vgg16-397923af.pth"),
    "vgg19": ("vgg19", "vgg19-dcbb9e9d.pth"),
    "squeeze": ("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth"),
}
HEADS = {"alex": 5, "vgg": 5, "squeeze": 7}  # of the networks that LPIPS was fitted to
_TRUNKS = {  # net -> names that tell torchvision's from each other
    "alex": ("features.0.weight", "features.3.weight", "features.8.weight"),
    "vgg": ("features.0.weight", "features.2.weight", "features.26.weight"),
    "vgg19": ("features.0.weight", "features.2.weight", "features.34.weight"),
    "squeeze": ("features.0.weight", "features.3.squeeze.weight", "features.12.squeeze.weight"),
}
_LPIPS, _FEATURES = "lpips(net, weights={})", "classifier_features({!r}, layer, weights={{}})"
_VERSION = {"version": "0.1 or 0.0, of heads other than the published ones"}


def _of_network(net: str) -> Iterator[Family]:
    """The trunk; where LPIPS has heads for it, these, and both in one state dict."""
    model, file = TORCHVISION[net]
    of_trunk = _TRUNKS[net]
    trunk = Checkpoint(
        f"a file: torchvision's {file}", "families.lpips:trunk", stem=file.rpartition("-")[0], signature=of_trunk
    )
    if net not in HEADS:
        yield Family(f"torchvision-{model}", checkpoint=trunk, net=net, call=_FEATURES.format(net))
        return
    yield Family(f"torchvision-{model}", checkpoint=trunk, net=net, call=_LPIPS)
    of_heads = tuple(f"lin{i}.model.1.weight" for i in range(HEADS[net]))
    heads = Checkpoint(
        f"a file: lpips/weights/v0.1/{net}.pth, or v0.0", "families.lpips:heads", options=_VERSION, signature=of_heads
    )
    beside = f"a file: torchvision's {net} features.* with LPIPS heads lin0 to lin{HEADS[net] - 1} beside them"
    yield Family(f"lpips-heads-{net}", checkpoint=heads, net=net, call=_LPIPS)
    both = Checkpoint(beside, "families.lpips:both", options=_VERSION, signature=(*of_trunk, *of_heads))
    yield Family(f"lpips-{net}", checkpoint=both, net=net, call=_LPIPS)


FAMILIES = (
    Family("digit-classifier", {"classifier": Part(lambda _: DigitClassifier(), lambda _: ((32, 32, 1),))}),
    *(family for net in TORCHVISION for family in _of_network(net)),
)
