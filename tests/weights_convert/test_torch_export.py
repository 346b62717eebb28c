"""Networks that ``torch.export`` wrote: each equals torch, with its derivatives; nothing in the file is executed."""

from __future__ import annotations

import io
import json

import jax
import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import CheckpointError
from geomgan.models.build import build
from tests.fixtures import assert_close
from tests.weights_convert import torch_programs
from tests.weights_convert.torch_programs import PROGRAMS
from weights_convert.convert import read


def archive(module: torch.nn.Module, *inputs: torch.Tensor, **options) -> bytes:
    """The file of a network in evaluation."""
    file = io.BytesIO()
    torch.export.save(torch.export.export(module.eval(), inputs), file, **options)
    return file.getvalue()


def opened(data: bytes, folder, **options: str):
    """The generator, without writing it."""
    (folder / "net.pt2").write_bytes(data)
    made = read("torch-export", folder / "net.pt2", options)
    return build(made.card, made.params, None, "net", {})


def made(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """A program and two codes for it."""
    make, shape = PROGRAMS[name]
    torch.manual_seed(sum(map(ord, name)))
    return make().eval(), torch.randn(2, 1, *shape)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_equals_torch(tmp_path, name):
    module, codes = made(name)
    G = opened(archive(module, codes[0]), tmp_path)
    flat = codes.reshape(2, -1).numpy()
    theirs = torch.stack([module(z)[0].movedim(0, -1) for z in codes]).detach().numpy()
    ours, jacobian, inside = jax.jit(lambda z: (jax.vmap(G)(z), jax.jacfwd(G)(z[1]), G.at(G.layers[-1])(z[1])))(flat)
    assert_close(ours, theirs, 1e-5)
    pull = torch.randn(theirs[1].shape)
    z = codes[1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad((module(z)[0].movedim(0, -1) * pull).sum(), z)
    assert_close(np.tensordot(pull.numpy(), jacobian, pull.ndim), gradient.numpy().ravel(), 1e-4)
    assert np.isfinite(inside).all()


def with_example(module: torch.nn.Module, *inputs: torch.Tensor, off: float = 0.0) -> bytes:
    """As the recipe writes it; with ``off``, a sample that is another."""
    sample = module.eval()(*inputs) * (1 + off)
    example = {"inputs": [x.tolist() for x in inputs], "sample": sample.tolist()}
    return archive(module, *inputs, extra_files={"geomgan.json": json.dumps(example)})


def test_the_stored_sample_is_compared(tmp_path):
    (tmp_path / "net.pt2").write_bytes(with_example(made("dcgan")[0], torch.randn(1, 6)))
    parity = read("torch-export", tmp_path / "net.pt2").card["parity"]
    assert float(parity.partition(" ")[0]) < 1e-6
    assert parity.endswith("against torch at the export")
    with pytest.raises(CheckpointError, match=r"1\.0e-03 of the largest magnitude away.*net\.eval\(\)\.float\(\)"):
        opened(with_example(made("dcgan")[0], torch.randn(1, 6), off=1e-3), tmp_path)


class Conditional(torch.nn.Module):
    """Takes a label and noise besides the code, and one input that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.linear = torch.nn.Embedding(5, 4), torch.nn.Linear(4, 6)

    def forward(self, z, unused, noise, label):
        """A sample."""
        return self.linear(z + self.table(label)) + noise


def test_inputs_besides_the_code(tmp_path):
    torch.manual_seed(0)
    module, z, noise = Conditional(), torch.randn(1, 4), torch.randn(1, 6)
    inputs = (z, torch.ones(1), noise, torch.tensor([3]))
    (tmp_path / "net.pt2").write_bytes(with_example(module, *inputs))
    made = read("torch-export", tmp_path / "net.pt2")
    assert "against torch" in made.card["parity"]
    assert made.card["config"]["inputs"] == {"label": 3}
    assert "assumed" not in made.card or "inputs" not in made.card["assumed"]
    for label in (0, 4):
        G = build(made.card, made.params, None, "net", {"label": label})
        assert_close(G(z[0].numpy()), module(*inputs[:3], torch.tensor([label])).detach().numpy()[0], 1e-5)
    other = read("torch-export", tmp_path / "net.pt2", {"inputs": "noise=0.5,label=2"})
    assert other.card["parity"] == "not compared: an option gives an input another value"
    G = build(other.card, other.params, None, "net", {})
    theirs = module(z, z, torch.full((1, 6), 0.5), torch.tensor([2]))
    assert_close(G(z[0].numpy()), theirs.detach().numpy()[0], 1e-5)


def test_the_recipe_runs_and_converts(tmp_path, monkeypatch, capsys):
    assert main(["export-recipe", "1x6"]) == 0
    recipe = capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    exec(recipe, {"net": made("dcgan")[0]})
    command = recipe.splitlines()[-1].partition("geomgan ")[2].split()
    assert main(command) == 0
    G = gg.load("my-model")
    assert G.output_range == (-1.0, 1.0)
    assert "against torch" in gg.zoo.card("my-model")["parity"]
    assert main(["export-recipe", "128"]) == 2
    assert "expected that of a batch of one code, such as 1x128" in capsys.readouterr().err


def test_one_of_several_results(tmp_path):
    several = torch_programs.Of(lambda s, z: (s.linear(z), {"twice": 2 * z}, z.argmax(1)), linear=torch.nn.Linear(4, 6))
    data, z = archive(several, torch.randn(1, 4)), torch.randn(1, 4)
    with pytest.raises(CheckpointError, match=r"returns 3 tensors \(0: linear, float32 \(1, 6\), 1: mul, .*output=0"):
        opened(data, tmp_path)
    assert_close(opened(data, tmp_path, output="0")(z[0].numpy()), several.linear(z)[0].detach().numpy(), 1e-6)
    assert_close(opened(data, tmp_path, output="mul")(z[0].numpy()), 2 * z[0].numpy(), 1e-6)
    with pytest.raises(CheckpointError, match="output='3' is no result of the network; it returns 0: linear"):
        opened(data, tmp_path, output="3")
    with pytest.raises(CheckpointError, match="returns int64 of shape"):
        opened(data, tmp_path, output="2")
