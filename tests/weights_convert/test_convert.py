"""From a checkpoint to a model folder: what is written, what is refused, and what a failure leaves."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import jax
import numpy as np
import orbax.checkpoint
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError, StoreError
from geomgan.models.families import CHECKPOINTS
from tests.fixtures import ROOT
from tests.weights_convert.torch_models import saved, tutorial_dcgan
from weights_convert.__main__ import main
from weights_convert.convert import convert


def state() -> dict[str, torch.Tensor]:
    return tutorial_dcgan(3, (4,), 1).state_dict()


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "netG.pth"
    path.write_bytes(saved(state()))
    return path


# --- What is written ---


def test_the_card_says_what_the_model_is(tmp_path, checkpoint):
    folder = convert("dcgan-tutorial", checkpoint, tmp_path / "models" / "tiny", card={"licence": "MIT"})
    assert folder == tmp_path / "models" / "tiny"
    card = json.loads((folder / "model.json").read_text())
    measured = {key: card.pop(key) for key in ("parameters", "weights_sha256", "forward_gflop", "reference")}
    assert measured["parameters"] == {"generator": 3 * 64 + 4 + 4 * 16 + 1}  # with the folded norm's shift
    phases = 5 * 5 * 4 * (2 * 2 * 4)  # of the second layer: windows of 2 x 2 pixels and 4 channels, 4 phases
    assert measured["forward_gflop"] == pytest.approx(2 * (3 * 4 * 16 + phases) * 1e-9, rel=1e-3)
    assert set(measured["reference"]) == {"code", "mean", "std"}
    assert card == {
        "format": 1,
        "family": "dcgan-tutorial",
        "config": {"latent_dim": 3, "features": [4], "channels": 1, "resolution": 8},
        "output_range": [-1, 1],
        "prior": "z ~ N(0, I)",
        "assumed": {
            "stride": [1, 2],
            "padding": [0, 1],
            "output_padding": [0, 0],
            "activation": "relu",
            "output": "tanh",
            "epsilon": 1e-5,
        },
        "licence": "MIT",
        "files": [
            {
                "file": "netG.pth",
                "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
                "bytes": checkpoint.stat().st_size,
            }
        ],
    }
    assert gg.load(folder).output_range == (-1, 1)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny"]


def test_denormal_weights_are_zero_in_the_model(tmp_path):
    tensors = state()
    tensors["main.3.weight"][0, 0, 0] = torch.tensor([1e-40, -1e-45, 1e-30, 2.0])
    (tmp_path / "netG.pth").write_bytes(saved(tensors))
    params = gg.load(convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model")).params
    np.testing.assert_array_equal(params["output"]["kernel"][-1, :, 0, 0], np.array([2, 1e-30, 0, 0], "f4"))
    for leaf in map(np.asarray, jax.tree.leaves(params)):
        assert not ((leaf != 0) & (np.abs(leaf) < np.finfo("f4").tiny)).any()


def test_a_model_is_replaced_by_its_new_conversion(tmp_path, checkpoint):
    convert("dcgan-tutorial", checkpoint, tmp_path / "model")
    checkpoint.write_bytes(saved(tutorial_dcgan(5, (4,), 1).state_dict()))
    assert gg.load(convert("dcgan-tutorial", checkpoint, tmp_path / "model")).latent_dim == 5


# --- What is refused ---


def changed(**tensors) -> bytes:
    """The checkpoint with some tensors replaced, or dropped if None."""
    merged = state() | {name.replace("_", ".", 2): tensor for name, tensor in tensors.items()}
    return saved({name: tensor for name, tensor in merged.items() if tensor is not None})


def other_family() -> bytes:
    tensors = {f"features.{i}.weight": torch.ones(2) for i in (0, 3, 6, 8, 10)}
    return saved(tensors | {f"lin{k}.model.1.weight": torch.ones(1, 2, 1, 1) for k in range(5)})


def naming_os_system() -> bytes:
    """A zip checkpoint whose pickle calls os.system."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02cos\nsystem\nX\x0c\x00\x00\x00touch harmed\x85R.")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: changed(main_1_bias=None), r"a tutorial DCGAN: 1 tensors missing: main\.1\.bias\. Check the family"),
        (lambda: changed(main_9_scale=torch.ones(2)), r"1 tensors left over: main\.9\.scale\. "),
        (
            lambda: changed(main_1_bias=torch.ones(5)),
            r"the tensors of main\.0 do not fit each other|published main\.0 gives block1/bias of shape",
        ),
        (
            lambda: changed(main_3_weight=torch.ones(6, 1, 4, 4)),
            r"published main\.3 gives output/kernel of shape \(4, 4, 6, 1\); expected \(4, 4, 4, 1\)",
        ),
        (lambda: changed(main_0_weight=torch.ones(3)), "expected 4 x 4 kernels main.0.weight"),
        (lambda: changed(main_1_running_var=-torch.ones(4)), "block1/kernel with 192 NaN or infinite values"),
        (lambda: saved(state())[:-100], "damaged or truncated zip archive"),
        (lambda: saved(state(), zipped=False)[:-100], "end of the file at byte"),
        (lambda: saved(state(), zipped=False)[:100], "truncated or damaged"),
        (lambda: b"", "an empty file: the download failed"),
        (lambda: b"<html>login</html>", "HTML page"),
        (other_family, r"no tutorial DCGAN: expected 4 x 4.*the file holds features\.0\.weight"),
        (naming_os_system, r"names os\.system, which is not data and is refused"),
        (lambda: saved({"epoch": 3}), r"holds \['epoch'\]; expected a state dict.*under 'netG_state_dict'"),
        (lambda: saved([torch.ones(2)]), "holds list; expected a state dict"),
        (lambda: saved({}), "expected a state dict"),
    ],
)
def test_files_that_are_not_the_model_are_refused(tmp_path, monkeypatch, data, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "netG.pth").write_bytes(data())
    with pytest.raises(CheckpointError, match=says):
        convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "models" / "tiny")
    assert sorted(os.listdir(tmp_path)) == ["netG.pth"]


def test_shapes_that_no_model_has_are_no_crash(tmp_path):
    for tensors in ({"lin.weight": torch.ones(3)}, {"lin.weight": torch.ones(3, 0)}):
        for name in ("VAE_D", "VAE_E"):
            (tmp_path / f"trained{name}.pth").write_bytes(saved(tensors))
        with pytest.raises(CheckpointError, match="not a checkpoint of generative-latent-space-vae: shapes do not fit"):
            convert("generative-latent-space-vae", tmp_path, tmp_path / "model")


def test_a_deep_file_is_no_crash(tmp_path):
    tensors = {f"main.{3 * i}.weight": torch.ones(1, 1, 4, 4) for i in range(70)}
    (tmp_path / "netG.pth").write_bytes(saved(tensors))
    with pytest.raises(CheckpointError, match="of 2 to 10 layers"):
        convert("dcgan-tutorial", tmp_path / "netG.pth", tmp_path / "model")


def test_unknown_families_and_options_name_the_nearest(tmp_path, checkpoint):
    with pytest.raises(ValueError, match=r"family='dcgan-tutorail' is not known\. Did you mean 'dcgan-tutorial'"):
        convert("dcgan-tutorail", checkpoint, tmp_path / "model")
    with pytest.raises(ValueError, match=r"option='latent' is not known\. Known: 'stride', 'padding'"):
        convert("dcgan-tutorial", checkpoint, tmp_path / "model", {"latent": "3"})
    assert not (tmp_path / "model").exists()


def test_a_file_where_a_folder_is_needed_and_the_reverse(tmp_path, checkpoint):
    with pytest.raises(NotHereError, match=r"netG\.pth is not a folder; .* takes a folder with trainedVAE_D\.pth"):
        convert("generative-latent-space-vae", checkpoint, tmp_path / "model")
    with pytest.raises(NotHereError, match=r"lacks trainedVAE_D\.pth, trainedVAE_E\.pth"):
        convert("generative-latent-space-vae", tmp_path, tmp_path / "model")
    with pytest.raises(NotHereError, match="is not a file; dcgan-tutorial takes a file"):
        convert("dcgan-tutorial", tmp_path, tmp_path / "model")
    with pytest.raises(NotHereError, match="absent is not a file"):
        convert("dcgan-tutorial", tmp_path / "absent", tmp_path / "model")


# --- What a failure leaves ---


def test_a_folder_that_is_no_model_is_not_touched(tmp_path, checkpoint):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    for out in (tmp_path / "thesis", checkpoint):
        before = checkpoint.read_bytes()
        with pytest.raises(CheckpointError, match="exists and is not a converted model"):
            convert("dcgan-tutorial", checkpoint, out)
        assert checkpoint.read_bytes() == before
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == ["netG.pth", "thesis"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError("no space left on device"), StoreError)],
)
@pytest.mark.parametrize(("owner", "step"), [(orbax.checkpoint.PyTreeCheckpointer, "save"), (json, "dumps")])
def test_an_interrupted_conversion_leaves_nothing(tmp_path, checkpoint, monkeypatch, owner, step, error, raised):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(raised):
        convert("dcgan-tutorial", checkpoint, tmp_path / "model")
    assert os.listdir(tmp_path) == ["netG.pth"]


# --- The command line ---


def test_command_line_converts(tmp_path, checkpoint, capsys):
    out = tmp_path / "model"
    assert main(["dcgan-tutorial", str(checkpoint), str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        f"Converted to {out}. Open it with geomgan.load({str(out)!r}), or report on it: geomgan analyze {out}.\n"
    )
    assert "assumed, because the file does not say: stride=1,2, padding=0,1, " in printed.err
    assert printed.err.count("\n") == 1
    assert gg.load(out).latent_dim == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dcgan", "netG.pth", "model"], "error: family='dcgan' is not known. Did you mean "),
        (
            ["dcgan-tutorial", "netG.pth", "model", "--option", "latent"],
            "error: --option latent: expected KEY=VALUE.\n",
        ),
        (
            ["dcgan-tutorial", "netG.pth", "model", "--option", "latent=3"],
            "error: option='latent' is not known. Known: 'stride', ",
        ),
        (["dcgan-tutorial", "absent", "model"], "error: absent is not a file; dcgan-tutorial takes a file: "),
        (
            ["lpips-alex", "netG.pth", "model"],
            "error: netG.pth: this is not a checkpoint of LPIPS with alex: 15 tensors missing: ",
        ),
    ],
)
def test_command_line_errors_are_one_line_and_exit_2(tmp_path, checkpoint, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(says)
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert os.listdir(tmp_path) == [checkpoint.name]


def test_command_line_as_a_process(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "weights_convert", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    shown = run("--help")
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in CHECKPOINTS)
    failed = run("dcgan-tutorial", str(tmp_path / "absent"), str(tmp_path / "model"))
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("error: ")
    assert "Traceback" not in failed.stderr
