from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.errors import CheckpointError, StoreError
from geomgan.runs import loop
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
