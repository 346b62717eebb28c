"""What is kept for a user: compiled programs are found again by the next process, and a user's settings win."""

from pathlib import Path

import pytest

from tests.child import python

CODE = """
import jax
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name.rpartition("/")[2]))
{before}
import geomgan as gg
gg.generators
{after}
G = gg.Generator.from_function(lambda w, z: jax.numpy.tanh(w * z), jax.numpy.ones(3), latent_dim=3)
jax.jit(gg.metric_tensor)(G, gg.distances.mse(), jax.numpy.ones(3))
config = jax.config
print(config.jax_compilation_cache_dir, config.jax_persistent_cache_min_compile_time_secs)
print(events.count("cache_hits"), events.count("cache_misses"))
"""
NAMES = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


@pytest.fixture
def run(tmp_path):
    """Runs a process that compiles: the folder of JAX's cache, the seconds it asks, programs found and written."""

    def run(before="", after="", **environment):
        values = {"GEOMGAN_HOME": str(tmp_path / "home"), "GEOMGAN_COMPILED": ""} | environment
        unset = [f"os.environ.pop({name!r}, None)" for name in NAMES if name not in environment]
        code = "\n".join(["import os", *unset]) + CODE.format(before=before, after=after)
        folder, seconds, found, written = python(code, PYTHONWARNINGS="error::UserWarning", **values).split()
        return folder, float(seconds), int(found), int(written)

    return run


def programs(folder):
    return {path.name for path in Path(folder).rglob("*-cache")}


def test_programs_are_kept_and_found_again_small_ones_too(run, tmp_path):
    folder, seconds, found, written = run()
    assert Path(folder).parent == tmp_path / "home" / "compiled"
    assert (seconds, found) == (0, 0)
    assert len(programs(folder)) == written >= 1
    kept = programs(folder)
    assert run() == (folder, 0, written, 0)
    assert programs(folder) == kept


def test_the_switch(run, tmp_path):
    assert run(GEOMGAN_COMPILED="off") == ("None", 1, 0, 0)
    assert not (tmp_path / "home").exists()
    with pytest.raises(AssertionError, match="GEOMGAN_COMPILED is 'of'; expected 'on' or 'off'"):
        run(GEOMGAN_COMPILED="of")


@pytest.mark.parametrize("where", ["environment", "before", "after"])
def test_a_folder_of_ones_own_wins(run, tmp_path, where):
    mine = str(tmp_path / "mine")
    if where == "environment":
        got = run(JAX_COMPILATION_CACHE_DIR=mine)
    else:
        got = run(**{where: f"jax.config.update('jax_compilation_cache_dir', {mine!r})"})
    assert got[0] == mine
    assert got[1] == (0 if where == "after" else 1)
    assert not programs(tmp_path / "home")


@pytest.mark.parametrize("where", ["environment", "before"])
def test_how_long_a_compilation_must_take_is_ones_own_choice(run, where):
    if where == "environment":
        got = run(JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="1.0")
        assert got[1] == 1
    else:
        assert run(before="jax.config.update('jax_persistent_cache_min_compile_time_secs', 7)")[1] == 7


def test_a_folder_that_cannot_be_written_is_harmless(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert run(GEOMGAN_HOME=str(tmp_path / "file" / "home")) == ("None", 1, 0, 0)
    assert (
        run(before="os.access = lambda path, mode: False", after="", GEOMGAN_HOME=str(tmp_path / "seen"))[0] == "None"
    )
