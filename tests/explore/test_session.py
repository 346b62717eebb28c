"""A session as its page meets it: what each request shows, says and keeps."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import geomgan as gg
from geomgan.directions import Direction, random_directions
from geomgan.errors import OptionError
from geomgan.explore import session as sessions
from geomgan.explore.frames import frame
from geomgan.explore.subject import subject
from tests.explore.sessions import Heard
from tests.small_models import linear_generator, smooth_generator


@pytest.fixture(scope="module")
def model():
    return smooth_generator(), gg.distances.mse()


@pytest.fixture
def heard(model):
    return Heard(subject(*model, np.linspace(-1, 1, 6), sliders=3))


def picture(G, code):
    x = np.asarray(G(np.asarray(code, np.float32)))
    return np.rint(255 * np.clip((x + 1) / 2, 0, 1)).astype(np.uint8)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_first_things_shown(heard, model):
    G, D = model
    scene, _ = heard.last("scene")
    assert (scene["model"], scene["distance"], scene["ready"], scene["kind"]) == ("smooth", "mse", True, "image")
    assert [axis["name"] for axis in scene["axes"]] == ["axis 1", "axis 2", "axis 3"]
    g = np.asarray(gg.metric_tensor(G, D, np.linspace(-1, 1, 6, dtype=np.float32)), np.float64)
    np.testing.assert_allclose(scene["spectrum"]["values"], np.linalg.eigvalsh(g)[::-1], rtol=1e-3)
    np.testing.assert_array_equal(pixels(heard.last("frame")[1]), picture(G, np.linspace(-1, 1, 6)))
    numbers, _ = heard.last("numbers")
    assert numbers["start"] == 0
    np.testing.assert_allclose(numbers["prior"], np.sqrt(np.mean(np.linspace(-1, 1, 6) ** 2)), rtol=1e-6)


def test_a_slider_moves_the_picture_by_what_it_says(heard, model):
    G, D = model
    heard.rest()
    axis = heard.axis()
    assert axis["measured"]
    assert axis["low"] < 0 < axis["high"]
    heard.move(0.5 * axis["high"])
    np.testing.assert_array_equal(pixels(heard.last("frame")[1]), picture(G, heard.place.code))
    assert heard.axis()["s"] == pytest.approx(0.5 * axis["high"])
    heard.rest()
    between = D(G(heard.place.start), G(heard.place.code)) ** 0.5
    assert heard.last("numbers")[0]["start"] == pytest.approx(float(between), rel=1e-4)
    before = heard.axis(1)
    heard.ask("grab", axis=before["number"])  # the first has moved: the second is measured again, from here
    heard.rest()
    assert heard.axis(1)["scale"] != before["scale"]


def test_undo_save_and_open_are_exact(heard, tmp_path):
    heard.move(0.1)
    first, png = heard.place, heard.last("frame")[1]
    heard.ask("save", what="codes", axis=None)
    file = heard.last("file")
    heard.move(-0.1, 1, "b")
    assert heard.last("frame")[1] != png
    heard.ask("undo")
    assert heard.place is first
    assert heard.last("frame")[1] == png
    heard.ask("redo")
    heard.ask("open", file[1], file=file[0]["name"])
    assert heard.last("frame")[1] == png
    assert heard.place.start.astype(np.float32).tobytes() == first.code.astype(np.float32).tobytes()
    with np.load(io.BytesIO(file[1])) as saved:
        assert saved["names"].tolist() == ["shown"]
        assert saved["codes"].tobytes() == first.code.astype(np.float32).tobytes()


def test_directions_are_named_saved_and_opened(heard, model, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    heard.move(0.1)
    code = heard.place.code
    heard.ask("name", name=hostile)
    np.testing.assert_allclose(heard.place.code, code, rtol=1e-12)
    heard.ask("save", what="directions", axis=None)
    header, content = heard.last("file")
    assert header["name"] == "smooth-directions.npz"
    (tmp_path / "d.npz").write_bytes(content)
    found = gg.directions.load(tmp_path / "d.npz", model[0])
    assert found.names == ("axis 1", "axis 2", "axis 3", hostile)
    np.testing.assert_allclose(found[hostile].path(heard.place.start)(np.ones(1))[0], code, rtol=1e-5)
    heard.ask("open", content, file="d.npz")
    assert len(heard.place.axes) == 8
    heard.ask("save", what="directions", axis=None)
    (tmp_path / "d.npz").write_bytes(heard.last("file")[1])  # of sliders that are called alike, too
    again = gg.directions.load(tmp_path / "d.npz", model[0])
    assert again.names == (*found.names, *(f"{name} (2)" for name in found.names))
    heard.ask("open", b"no file", file="x")
    assert heard.last("said")[0]["bad"]
    assert len(heard.place.axes) == 8


def test_codes_are_kept_and_walked_to(heard):
    heard.ask("keep", name="a")
    kept = heard.place.code
    heard.ask("new")
    assert heard.place.said == "new code 1"
    np.testing.assert_array_equal(
        heard.place.start, np.asarray(heard.session.subject.G.sample_latent(jax.random.key(1), 1)[0])
    )
    assert [axis["name"] for axis in heard.last("scene")[0]["axes"]] == ["axis 1", "axis 2", "axis 3"]
    heard.ask("towards", name="a")
    heard.rest()
    heard.move(heard.axis(3)["high"], 3)
    np.testing.assert_allclose(heard.place.code, kept, atol=1e-12)
    heard.ask("towards", name="b")
    assert "no code is kept as 'b'" in heard.last("said")[0]["text"]


def test_axes_are_picked_and_dropped(heard):
    heard.ask("pick", rank=5)
    assert [axis.rank for axis in heard.place.axes] == [1, 2, 3, 5]
    heard.ask("pick", rank=1)
    assert [axis.rank for axis in heard.place.axes] == [2, 3, 5]
    heard.ask("pick", rank=7)
    assert "there is no axis 7" in heard.last("said")[0]["text"]
    heard.ask("here", layers=[0, 2])
    assert "in z" in heard.last("said")[0]["text"]
    assert [axis.rank for axis in heard.place.axes] == [2, 3, 5]


@pytest.mark.slow
def test_strips_films_and_projection(heard, model):
    heard.ask("save", what="strip", axis=None)
    assert pixels(heard.last("file")[1]).ndim == 3
    heard.ask("save", what="film", axis=None)
    assert Image.open(io.BytesIO(heard.last("file")[1])).n_frames > 20
    target = model[0](np.full(6, 0.3, np.float32))
    buffer = io.BytesIO()
    Image.fromarray(picture(model[0], np.full(6, 0.3))).save(buffer, "PNG")
    heard.ask("project", buffer.getvalue(), file="<b>.png")
    assert heard.place.said == "projected <b>.png"
    assert float(model[1](model[0](heard.place.start.astype(np.float32)), target)) < 1e-3
    np.testing.assert_array_equal(pixels(heard.last("reference")[1]), pixels(buffer.getvalue()))
    heard.move(heard.axis()["high"])
    heard.rest()
    numbers, x = heard.last("numbers")[0], np.asarray(model[0](heard.place.code.astype(np.float32)), np.float64)
    image = pixels(buffer.getvalue()).reshape(x.shape) / 127.5 - 1
    assert numbers["beside"] == "image"
    assert numbers["reference"] == pytest.approx(np.sqrt(np.mean((x - image) ** 2)), rel=1e-4)
    heard.ask("here", layers=None)
    assert heard.last("scene")[0]["beside"] == "image"
    heard.ask("pin")
    assert heard.last("scene")[0]["beside"] == "start"
    np.testing.assert_array_equal(pixels(heard.last("reference")[1]), picture(model[0], heard.place.code))
    heard.ask("project", b"GIF", file="x")
    assert heard.last("said")[0]["bad"]


def broken(params, z):
    return jnp.where(z[0] > 1, jnp.nan, params * jnp.tanh(z).reshape(1, 2, 1))


def test_a_picture_that_is_not_finite_is_left_again():
    G = gg.Generator.from_function(broken, np.ones(()), 2)
    heard = Heard(subject(G, gg.distances.euclidean(), np.zeros(2), Direction(np.eye(2)[0], name="x"), sliders=0))
    before = heard.place
    heard.move(2.0)
    assert heard.place is before
    assert any("went back" in header["text"] for header, _ in heard.said if header["is"] == "said")


def test_a_slow_model_says_so_and_measures_what_is_asked_for(model, monkeypatch):
    monkeypatch.setattr(sessions, "SLOW", 0.0)
    heard = Heard(subject(*model, np.zeros(6), sliders=2))
    assert any("One picture takes" in header["text"] for header, _ in heard.said if header["is"] == "said")
    heard.rest()
    assert not heard.axis()["measured"]
    heard.ask("grab", axis=heard.axis()["number"])
    heard.rest()
    axis = heard.axis()
    assert axis["measured"]
    made = []
    monkeypatch.setattr(sessions, "frame", lambda *a: made.append(a) or frame(*a))
    for share in (0.3, -0.8, 1.0, 0.31):
        heard.move(share * axis["high"])
        strides = np.arange(-12, 13) * axis["step"]
        strides = strides[(strides >= axis["low"]) & (strides <= axis["high"])]
        nearest = strides[np.abs(strides - share * axis["high"]).argmin()]
        assert heard.axis()["s"] == pytest.approx(nearest)
        np.testing.assert_array_equal(pixels(heard.last("frame")[1]), picture(model[0], heard.place.code))
    assert not made  # the pictures were there
    assert axis["step"] == pytest.approx(max(a["high"] - a["low"] for a in heard.last("scene")[0]["axes"]) / 12)


def test_sound_is_shown_as_its_wave_and_sent_with_the_sharp_frame():
    tone = lambda params, z: jnp.sin(params * jnp.arange(400.0) * (1 + z[0]))[:, None] * z[1]
    G = gg.Generator.from_function(tone, np.asarray(0.1, np.float32), 2)
    heard = Heard(subject(G, gg.distances.euclidean(), np.array([0.0, 0.5]), sliders=1, rate=8000))
    assert heard.last("sound")[1][:4] == b"RIFF"
    assert pixels(heard.last("frame")[1]).shape == (96, 384)


def test_arguments_that_do_not_fit_are_told_of_before_any_work(model, rng):
    G, D = model
    with pytest.raises(OptionError, match=r"samples of linear have shape \(40,\)"):
        gg.explore(linear_generator(rng.standard_normal((40, 3))), D, np.zeros(3))
    with pytest.raises(ValueError, match="this generator's latent space has 6 dimensions"):
        gg.explore(G, D, np.zeros(5))
    with pytest.raises(TypeError, match="directions hold int"):
        gg.explore(G, D, np.zeros(6), [3])
    with pytest.raises(ValueError, match="sliders is 99"):
        gg.explore(G, D, np.zeros(6), sliders=99)
    found = random_directions(G, jax.random.key(0), 2)
    assert "smooth under mse" in repr(gg.explore(G, D, np.zeros(6), found))


@pytest.mark.slow
def test_axes_of_style_layers_move_these_rows_alone():
    from tests.generators.test_style_spaces import loaded, model

    G, depth = loaded("w+", of=model((4, 3))), 4
    z = np.asarray(G.sample_latent(jax.random.key(0), 1)[0], np.float64)
    heard = Heard(subject(G, gg.distances.mse(), z, sliders=1))
    assert heard.last("scene")[0]["rows"] == depth
    heard.ask("here", layers=[1, 3])
    assert heard.axis()["name"] == "axis 1 of layers 1 to 2"
    heard.rest()
    heard.move(0.5 * heard.axis()["high"])
    moved = np.abs(heard.place.code - z).reshape(depth, -1).max(axis=1)
    assert (moved > 0).tolist() == [False, True, True, False]
    heard.ask("here", layers=[3, 9])
    assert "layers=(3, 9)" in heard.last("said")[0]["text"]
