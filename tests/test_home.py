"""What is kept for a user: compiled programs are found again by the next process, and a user's settings win."""

import os
from functools import partial
from pathlib import Path

import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import OptionError, StoreError
from geomgan.home import check_writable, home
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


# --- Where it can be no folder ---


@pytest.fixture
def blocked(tmp_path, monkeypatch):
    """Sets a variable to a place that is a file, or lies in one."""
    (tmp_path / "file").write_text("mine")

    def block(place, name="GEOMGAN_HOME"):
        for other in ("GEOMGAN_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(other, raising=False)
        monkeypatch.setenv(name, str(tmp_path / place))

    return block


@pytest.mark.parametrize("place", ["file", "file/home", "file/a/b"])
def test_a_home_that_is_a_file_is_told_wherever_models_are_kept(blocked, tmp_path, place):
    blocked(place)
    says = rf"GEOMGAN_HOME is .*{place}, but .*file is not a folder; expected one, or a free name\. Set GEOMGAN_HOME"
    of_models = [partial(call, "faces64") for call in (gg.load, gg.zoo.fetch, gg.zoo.card)]
    for call in [home, check_writable, *of_models, partial(gg.distances.lpips, "squeeze")]:
        with pytest.raises(OptionError, match=says):
            call()
    assert gg.load("digits-dcgan").latent_dim == 64  # what ships with the package needs none
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["models"], ["models", "--check"], ["models", "faces64"], ["fetch", "faces64"]])
def test_commands_tell_it_in_one_line(blocked, capsys, arguments):
    blocked("file")
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: GEOMGAN_HOME is ")
    assert shown.err.count("\n") == 1


def test_other_ways_to_have_no_home(blocked, tmp_path, monkeypatch):
    blocked("file", "XDG_CACHE_HOME")
    with pytest.raises(OptionError, match=r"the cache is .*file/geomgan, but .*file is not a folder.*Set GEOMGAN_HOME"):
        home()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    blocked("link")
    with pytest.raises(OptionError, match=r"link is not a folder"):
        home()
    monkeypatch.setenv("GEOMGAN_HOME", "~nobody-of-this-name/models")
    with pytest.raises(OptionError, match=r"there is no folder for models: .*Set GEOMGAN_HOME to one"):
        home()
    (tmp_path / "folder").mkdir()
    (tmp_path / "good").symlink_to(tmp_path / "folder")
    for place in ("good", "good/below", "folder", "free/deep"):
        blocked(place)
        assert home() == tmp_path / place


def test_a_home_that_cannot_be_written_is_told_before_the_download(blocked, tmp_path, monkeypatch):
    blocked("here/home")
    (tmp_path / "here").mkdir(mode=0o555)
    if os.access(tmp_path / "here", os.W_OK):  # root may write everywhere
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "here")
    with pytest.raises(StoreError, match=r"kept in .*here/home, and .*here cannot be written; .*Set GEOMGAN_HOME"):
        gg.zoo.fetch("faces64")
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("GEOMGAN_HOME", str(elsewhere))
    check_writable()
    assert not elsewhere.exists()


def test_a_source_tree_that_was_never_installed_knows_its_version_and_computes():
    code = """
from importlib import metadata
installed = metadata.version
def version(package):
    if package in ("geomgan", "flax"):
        raise metadata.PackageNotFoundError(package)
    return installed(package)
metadata.version = version
import jax
import geomgan as gg
G = gg.Generator.from_function(lambda w, z: jax.numpy.tanh(w * z), jax.numpy.ones(3), latent_dim=3)
field = gg.metric_field(G, gg.distances.mse(), jax.numpy.ones((2, 3)), progress=False)
made = field.provenance["runs"][-1]["versions"]
print(gg.__version__, made["geomgan"], made["flax"], made["jax"] == jax.__version__, field.provenance["traced_by"])
"""
    own, made, flax, same, *traced = python(code).split()
    assert own == made == gg.__version__ != "unknown"
    assert (flax, same) == ("unknown", "True")
    assert f"geomgan {own}" in " ".join(traced)
