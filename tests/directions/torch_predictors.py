"""The published networks, in torch: LeNet, ResNet-18 and the deformator's ``fc``, under their published names."""

from collections import OrderedDict

import torch
from torch import nn


class LeNet(nn.Module):
    names = ("convnet", "fc_logits", "fc_shift")

    def __init__(self, paths, channels=1, names=names):
        super().__init__()
        layers = []
        for before, after in ((2 * channels, 6), (6, 16), (16, 120)):
            layers += [nn.Conv2d(before, after, 5), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, 2)]
        self.names = names
        parts = [nn.Sequential(*layers[:-1])]
        parts += [
            nn.Sequential(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU(), nn.Linear(84, n)) for n in (paths, 1)
        ]
        for name, part in zip(names, parts, strict=True):
            self.add_module(name, part)

    def forward(self, images, moved):
        features, logits, magnitude = (getattr(self, name) for name in self.names)
        x = features(torch.cat([images, moved], 1)).mean([-1, -2])
        return logits(x), magnitude(x)[:, 0]


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, paths, channels=3, names=("type_estimator", "shift_estimator")):
        super().__init__()
        stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
        layers = OrderedDict(
            conv1=nn.Conv2d(2 * channels, 64, 7, 2, 3, bias=False),
            bn1=nn.BatchNorm2d(64),
            relu=nn.ReLU(),
            maxpool=nn.MaxPool2d(3, 2, 1),
        )
        for i, (before, after, stride) in enumerate(stages, start=1):
            layers[f"layer{i}"] = nn.Sequential(Block(before, after, stride), Block(after, after, 1))
        self.features_extractor = nn.Sequential(layers)
        self.features_extractor.add_module("fc", nn.Linear(512, 1000))  # of ImageNet, which nothing uses
        self.names = names
        for name, n in zip(names, (paths, 1), strict=True):
            self.add_module(name, nn.Linear(512, n))

    def forward(self, images, moved):
        x = torch.cat([images, moved], 1)
        for name, layer in self.features_extractor.named_children():
            x = layer(x) if name != "fc" else x
        x = x.mean([-1, -2])
        return getattr(self, self.names[0])(x), getattr(self, self.names[1])(x)[:, 0]


class FC(nn.Module):
    def __init__(self, paths, dim, inner=1024):
        super().__init__()
        for i, (a, b) in enumerate([(paths, inner), (inner, inner), (inner, inner), (inner, dim)], start=1):
            self.add_module(f"fc{i}", nn.Linear(a, b))
            if i < 4:
                self.add_module(f"bn{i}", nn.BatchNorm1d(b))

    def forward(self, x):
        x1 = self.fc1(x)
        elu = nn.functional.elu
        x2 = self.fc2(elu(self.bn1(x1)))
        x3 = self.fc3(elu(self.bn2(x2 + x1)))
        return self.fc4(elu(self.bn3(x3 + x2 + x1))) + x


def with_random_statistics(module):
    """Running statistics and affine maps of batch norms as a training leaves them."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low in ((layer.weight.data, 0.5), (layer.bias.data, -0.2)):
                tensor.uniform_(low, low + 1)
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 1.5)
    return module
