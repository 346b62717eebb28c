import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.errors import CheckpointError, NotFiniteError, StoreError
from geomgan.runs import loop
from geomgan.runs.curve import read_curve
from tests.faults import full_disk


class State(NamedTuple):
    params: Any
    step: jax.Array
    key: jax.Array


def start():
    return State({"w": jnp.arange(3.0)}, jnp.asarray(0, jnp.int32), jax.random.key(7))


def step(state):
    noise = jax.random.normal(jax.random.fold_in(state.key, state.step), (3,))
    return State({"w": state.params["w"] + noise}, state.step + 1, state.key), {"w": noise[0]}


def test_a_state_comes_back_whole(tmp_path):
    state, _ = step(start())
    loop.save(tmp_path / "deep" / "state.npz", state, {"seed": 1}, 2.5)
    back, seconds = loop.restore(tmp_path / "deep" / "state.npz", start(), {"seed": 1})
    assert seconds == 2.5
    np.testing.assert_array_equal(back.params["w"], state.params["w"])
    assert int(back.step) == 1
    assert jax.random.key_data(back.key).tolist() == jax.random.key_data(state.key).tolist()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state.npz"]


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path):
    file = tmp_path / "state.npz"
    loop.save(file, start(), {}, 1.0)

    with full_disk(100), pytest.raises(StoreError, match=r"cannot write .*state\.npz"):
        loop.save(file, step(start())[0], {}, 2.0)
    assert loop.restore(file, start(), {})[1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_finished_run_does_not_train_again(tmp_path):
    file = tmp_path / "state.npz"
    done, _ = loop.run(step, start(), 3, checkpoint=file, every=2, progress=False)

    def never(state):
        raise AssertionError

    again, _ = loop.run(never, start(), 3, checkpoint=file, progress=False)
    np.testing.assert_array_equal(again.params["w"], done.params["w"])


def test_other_settings_are_refused(tmp_path):
    loop.save(tmp_path / "state.npz", start(), {"seed": 0}, 0.0)
    with pytest.raises(
        CheckpointError, match=r"belongs to another run\. seed: stored 0, now 1\. Remove it to start anew"
    ):
        loop.restore(tmp_path / "state.npz", start(), {"seed": 1})


@pytest.mark.parametrize(
    ("params", "message"),
    [({"w": jnp.zeros(4)}, r"params/w .*\(3,\); expected float32\(4,\)"), ({"v": jnp.zeros(3)}, "other arrays")],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, params, message):
    loop.save(tmp_path / "state.npz", start(), {}, 0.0)
    with pytest.raises(CheckpointError, match=message):
        loop.restore(tmp_path / "state.npz", start()._replace(params=params), {})


def test_a_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "state.npz"
    loop.save(file, start(), {}, 0.0)
    whole = file.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="not a readable checkpoint"):
            loop.restore(file, start(), {})


def curve_of(file):
    return loop.curve_file(file).read_text()


def test_the_loss_curve_holds_means_of_windows(tmp_path):
    file, each = tmp_path / "state.npz", []

    def told(state):
        state, scalars = step(state)
        each.append(float(scalars["w"]))
        return state, scalars

    loop.run(told, start(), 120, checkpoint=file, every=70, progress=False)
    header, *rows = [line.split(",") for line in curve_of(file).splitlines()]
    assert header == ["step", "w"]
    assert [int(row[0]) for row in rows] == [50, 70, 100, 120]
    ends = [0, 50, 70, 100, 120]
    means = [np.mean(each[a:b]) for a, b in itertools.pairwise(ends)]
    np.testing.assert_allclose([float(row[1]) for row in rows], means, rtol=1e-12)


def test_a_killed_run_goes_on_with_the_same_curve(tmp_path):
    killed, whole = tmp_path / "killed.npz", tmp_path / "whole.npz"

    class Killed(BaseException):
        pass

    def dies(state):
        if int(state.step) == 110:
            raise Killed
        return step(state)

    with pytest.raises(Killed):
        loop.run(dies, start(), 150, checkpoint=killed, every=40, progress=False)
    assert int(loop.restore(killed, start(), {})[0].step) == 80
    with loop.curve_file(killed).open("a") as file:
        file.write("100,7.5\n")  # as if it had died between the curve and the state
    a, _ = loop.run(step, start(), 150, checkpoint=killed, every=40, progress=False)
    b, _ = loop.run(step, start(), 150, checkpoint=whole, every=40, progress=False)
    np.testing.assert_array_equal(a.params["w"], b.params["w"])
    assert curve_of(killed) == curve_of(whole)
    assert [row["step"] for row in read_curve(loop.curve_file(whole)).rows] == [40, 50, 80, 100, 120, 150]


def test_a_training_that_diverges_stops_before_its_checkpoint(tmp_path):
    def diverges(state):
        state, scalars = step(state)
        return state, {"w": jnp.where(state.step > 30, jnp.nan, scalars["w"])}

    with pytest.raises(NotFiniteError, match=r"diverged: w is nan at step 40; .* smaller learning rate"):
        loop.run(diverges, start(), 100, checkpoint=tmp_path / "state.npz", every=20, progress=False)
    assert int(loop.restore(tmp_path / "state.npz", start(), {})[0].step) == 20


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "step,w\n1\n", "step,w\nx,1\n", "\x00"])
def test_a_damaged_curve_is_refused(tmp_path, text):
    file = tmp_path / "state.npz"
    loop.run(step, start(), 3, checkpoint=file, progress=False)
    loop.curve_file(file).write_text(text)
    with pytest.raises(CheckpointError, match=r"state\.csv is not a loss curve"):
        loop.run(step, start(), 5, checkpoint=file, progress=False)


def test_a_picture_is_drawn_after_every_so_many_steps_and_the_last():
    seen = []
    loop.run(step, start(), 7, picture=lambda state: seen.append(int(state.step)), picture_every=3, progress=False)
    assert seen == [3, 6, 7]
