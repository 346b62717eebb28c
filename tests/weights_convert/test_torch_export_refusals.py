"""What no generator of one code is: refused, with the operator, its place in the user's program, and what to do."""

from __future__ import annotations

import io
import zipfile

import pytest
import torch
from torch import nn

from geomgan.errors import CheckpointError
from tests.weights_convert.test_torch_export import archive, opened
from tests.weights_convert.torch_programs import Of

Z = torch.randn(1, 4)


class Noisy(nn.Module):
    """Draws its noise."""

    def forward(self, x):
        """With noise."""
        return x + torch.randn_like(x)


def _counting(s, z):
    s.count.add_(1)
    return z * 2


def _written_through(s, z):
    x = z * 2
    halves = x.split(2, 1)
    x.add_(1)
    return halves[0] * 3


@torch.library.custom_op("geomgan_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    """An operator that nothing in the file defines."""
    return x * 2


twice.register_fake(torch.empty_like)

REFUSED = {
    "noise": (
        lambda: nn.Sequential(nn.Linear(4, 4), Noisy()),
        r"randn_like at randn_like \(module 1, test_torch_",
    ),
    "bernoulli": (lambda: Of(lambda s, z: torch.bernoulli(z.sigmoid())), "bernoulli at .* draws random numbers"),
    "counting": (lambda: Of(_counting, count=torch.zeros(1)), "changes the weight count: .*net.eval"),
    "complex": (lambda: Of(lambda s, z: torch.fft.fft(z)), "returns complex64"),
    "labels": (lambda: Of(lambda s, z: z.argmax(1)), "returns int64"),
    "no code": (lambda: Of(lambda s, z: s.w * 2, w=torch.ones(1, 3)), "does not depend on the code"),
    "one weight": (lambda: Of(lambda s, z: s.w, w=torch.ones(1, 3)), "does not depend on the code"),
    "custom": (lambda: Of(lambda s, z: twice(z)), "geomgan_tests.twice.default at .* is a custom operator"),
    "sizes": (lambda: Of(lambda s, z: z[z > 0].sum() + z), "known only when it runs.*fixed shapes"),
    "cond": (
        lambda: Of(lambda s, z: torch.cond(z.sum() > 0, lambda z: z + 1, lambda z: z - 1, (z,))),
        r"higher_order\.cond at .* is control flow",
    ),
    "missing": (
        lambda: Of(lambda s, z: torch.special.bessel_j0(z) + torch.special.airy_ai(z)),
        r"special_bessel_j0\.default at .*; special_airy_ai\.default at .*run_decompositions",
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), nn.BatchNorm1d(2, track_running_stats=False)),
        r"batch_norm at batch_norm \(module 1.*takes the statistics of its batch.*Give it running statistics",
    ),
    "views": (lambda: Of(_written_through), r"takes getitem, which is changed in place.*run_decompositions\(\{\}\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_generator_is_named(tmp_path, name):
    make, says = REFUSED[name]
    with pytest.raises(CheckpointError, match=rf"(?s)net\.pt2: .*{says}"):
        opened(archive(make(), Z), tmp_path)


def training(module: nn.Module, *shape: int) -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(module.train(), (torch.randn(shape),)), file)
    return file.getvalue()


def test_training_mode_is_named(tmp_path):
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
    for module, says in ((net, r"batch_norm at batch_norm \(module 1"), (nn.Dropout(0.5), "dropout at dropout")):
        with pytest.raises(CheckpointError, match=rf"{says}.*is in training mode.*Call net\.eval\(\)"):
            opened(training(module, 1, 2, 3, 3), tmp_path)
    with pytest.raises(CheckpointError, match=r"div\.out at .* writes into .*Call net\.eval\(\)"):
        opened(training(nn.utils.spectral_norm(nn.Linear(4, 3)), 1, 4), tmp_path)


def test_inputs_that_are_no_code(tmp_path):
    with pytest.raises(CheckpointError, match=r"float32 of shape \(3, 4\); expected a batch of one code"):
        opened(archive(nn.Linear(4, 2), torch.randn(3, 4)), tmp_path)
    with pytest.raises(CheckpointError, match=r"int64 of shape \(1, 2\); expected a batch of one code"):
        opened(archive(nn.Embedding(4, 2), torch.ones(1, 2, dtype=torch.int64)), tmp_path)
    file = io.BytesIO()
    sizes = ({0: torch.export.Dim("batch", min=1, max=9)},)
    torch.export.save(torch.export.export(nn.Linear(4, 2), (torch.randn(3, 4),), dynamic_shapes=sizes), file)
    with pytest.raises(CheckpointError, match=r"the shape of input is dynamic.*fixed shapes"):
        opened(file.getvalue(), tmp_path)


def rewritten(data: bytes, change, name: str = "models/model.json") -> bytes:
    """The archive with ``change(text)`` for one file, everything else as it was, and right checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            text = old.read(entry)
            new.writestr(entry.filename, change(text) if entry.filename.endswith(name) else text)
    return out.getvalue()


def test_other_schemas_and_files(tmp_path):
    data = archive(nn.Linear(4, 2), Z)
    newer = rewritten(data, lambda text: text.replace(b'"major": 8, "minor": 20', b'"major": 9, "minor": 0'))
    with pytest.raises(CheckpointError, match=r"version 9\.0 of torch\.export's schema; expected 8\. Update geomgan"):
        opened(newer, tmp_path)
    script, old, state = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(4, 2), Z), script)
    torch.save(nn.Linear(4, 2).state_dict(), state)
    with zipfile.ZipFile(old, "w") as file:
        file.writestr("serialized_exported_program.json", "{}")
    for file, says in (
        (script, r"a TorchScript archive.*export-recipe"),
        (old, r"an older torch\.export.*torch\.export\.load\(OLD\)"),
        (state, r"a file of torch\.save.*export-recipe"),
        (io.BytesIO(b"PK\x03\x04"), "a damaged or truncated zip archive"),
    ):
        with pytest.raises(CheckpointError, match=says):
            opened(file.getvalue(), tmp_path)


def test_a_zip_that_lies(tmp_path):
    data, packed = archive(nn.Linear(4, 2), Z), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry) + bytes(1 << 20) * entry.filename.endswith("model.json"))
    larger = bytearray(data)
    at = int.from_bytes(data[-6:-2], "little") + 20  # the sizes of the first file, in the directory
    larger[at : at + 8] = (1 << 30).to_bytes(4, "little") * 2
    for lie, says in (
        (packed.getvalue(), "larger than itself|compressed or encrypted"),
        (bytes(larger), "larger than itself"),
        (data[:-10], "damaged or truncated"),
    ):
        with pytest.raises(CheckpointError, match=says):
            opened(lie, tmp_path)


def test_a_tensor_in_a_pickle_is_never_opened(tmp_path):
    pickled = lambda text: text.replace(b'"use_pickle": false', b'"use_pickle": true')
    with pytest.raises(CheckpointError, match="a tensor in a pickle"):
        opened(rewritten(archive(nn.Linear(4, 2), Z), pickled, "weights_config.json"), tmp_path)
