"""Checkpoint files in the layout of the official StyleGAN repositories."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tests.fixtures import golden
from tests.golden import make_weights
from weights_convert.__main__ import main


def write_pickle(path: Path, state: Mapping[str, torch.Tensor], **arguments: Any) -> None:
    """An official pickle of a generator with these tensors and constructor arguments."""
    sizes = {"z_dim": 0, "c_dim": 0, "w_dim": 0, "img_resolution": 0, "img_channels": 3}
    tensors = [
        {"name": name, "shape": list(x.shape), "dtype": "float32", "init": {"kind": "values", "values": x.tolist()}}
        for name, x in state.items()
    ]
    config = {"init_kwargs": {**sizes, **arguments}, "num_ws": 0}
    write_manifest({"config": config, "seed": 0, "tensors": tensors}, path)


def write_manifest(manifest: Mapping[str, Any], path: Path) -> None:
    """An official pickle with the tensors of a fixture."""
    sys.modules.setdefault("make_weights", make_weights)  # as the module below imports it
    from tests.golden.make_nvidia_pickle import write_nvidia_pickle

    write_nvidia_pickle(manifest, path)


def write_fixture(name: str, family: str, folder: Path) -> Path:
    """The model folder of a fixture, from an official pickle and by the command line."""
    write_manifest(golden(name)[0], folder / "a.pkl")
    assert main([family, str(folder / "a.pkl"), str(folder / "model")]) == 0
    (folder / "a.pkl").unlink()
    return folder / "model"
