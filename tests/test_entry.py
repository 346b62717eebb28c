"""What public functions say of arguments that no one thought of."""

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

import geomgan as gg
from geomgan import distances, entry
from geomgan.entry import explained, is_ours
from geomgan.errors import TracedError
from tests.child import python
from tests.odd_calls import good_calls, odd_values
from tests.small_models import linear_generator


def mean_share(values: Sequence[float], share: float, weights: np.ndarray | None = None, name: str = "") -> float:
    total = np.asarray(values, float)
    if name == "odd":
        raise ValueError("name is 'odd'; expected another. Take a good one.")
    return total[int(share)] / len(total) + (0 if weights is None else weights @ total)


guarded = explained(mean_share, "geomgan.mean_share")


def test_what_works_is_left_as_it_is():
    assert guarded([1.0, 3.0], 1) == 1.5
    assert (guarded.__name__, guarded.__wrapped__) == ("mean_share", mean_share)
    assert explained(guarded) is guarded  # once


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            (None, 1),
            TypeError,
            r"values is None; expected a sequence, each a number \(.*\)\. help\(geomgan",
        ),
        (([1.0], "a half"), TypeError, r"share is 'a half'; expected a number \("),
        (([1.0], np.ones(3)), TypeError, r"share is an array of shape \(3,\) and dtype float64; expected a number"),
        (([], 0), ValueError, r"values is a list of 0, which is empty \(IndexError: index 0 is out of bounds"),
        (([2.0], 10**12), ValueError, r"share is 1000000000000 \("),
        (([1.0, 2.0], 0, np.ones(3)), ValueError, r"weights is an array of shape \(3,\) and dtype float64 \(matmul"),
        (([1.0, 2.0], 0, {"a": 1}), TypeError, r"weights is a dict of 1; expected an array or None"),
        (([1.0], jax.random.key(0)), TypeError, "share is a typed key; expected a number"),
    ],
)
def test_the_argument_that_does_not_fit_is_named(arguments, kind, message):
    with pytest.raises(kind, match=message) as caught:
        guarded(*arguments)
    assert caught.value.__cause__ is not None


def test_a_traced_value_is_called_one():
    with pytest.raises(TypeError, match="share is a traced value, as inside jit, vmap and grad; expected a number"):
        jax.jit(lambda share: guarded([1.0, 2.0], share))(1.0)


def test_errors_of_ours_of_python_and_of_a_users_function_pass():
    with pytest.raises(TypeError, match=r"^mean_share\(\) missing 1 required positional argument: 'share'$"):
        guarded([1.0])
    G, D = linear_generator(jnp.eye(2)), distances.features(_stops)
    with pytest.raises(KeyError, match="a user's own"):
        gg.metric_tensor(G, D, jnp.ones(2))
    with pytest.raises(gg.OptionError, match="precision='lowest' is not known"):
        gg.metric_tensor(G, distances.mse(), jnp.ones(2), precision="lowest")


def _stops(params, x):
    raise KeyError("a user's own")


# A function of the user's own


def branching(params, z):
    return z if z[0] > 0 else -z


def in_numpy(params, x):
    return np.tanh(np.asarray(x))


def host(z):
    raise LookupError("no such file on the host")


def behind_a_callback(params, z):
    return jax.pure_callback(host, jax.ShapeDtypeStruct((2,), jnp.float32), z, vmap_method="sequential")


def notes_of(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        call()
    return caught.value, [note for note in getattr(caught.value, "__notes__", []) if note.startswith("geomgan.")]


def test_a_note_says_which_function_was_at_work_and_for_whom():
    G, z = linear_generator(jnp.eye(2)), jnp.ones((1, 2))
    error, notes = notes_of(lambda: gg.metric_field(G, distances.features(_stops), z, progress=False))
    assert isinstance(error, KeyError)
    line = _stops.__code__.co_firstlineno + 1
    room, _, what = notes[0].partition(" was calling ")
    assert (len(notes), what) == (1, f"_stops ({__file__}, line {line}), a function of yours.")
    assert room in ("geomgan.metric_field", "geomgan.fields.metric_field")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: gg.Generator.from_function(branching, (), 2), "branching"),
        (lambda: gg.metric_tensor(linear_generator(jnp.eye(2)), distances.features(in_numpy), jnp.ones(2)), "in_numpy"),
    ],
)
def test_what_jax_cannot_trace_is_told_with_the_way_out(call, name):
    error, notes = notes_of(call)
    assert isinstance(error, jax.errors.JAXTypeError)
    assert f"was calling {name} (" in notes[0]
    assert "take jax.numpy for numpy, and jnp.where or jax.lax.cond for if; or put it behind" in notes[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda G, z: G(z),
        lambda G, z: gg.metric_tensor(G, distances.euclidean(), z, hvp="finite-difference"),
        lambda G, z: gg.metric_field(G, distances.euclidean(), z[None], hvp="finite-difference", progress=False),
    ],
)
def test_what_fails_behind_a_callback_blames_no_argument(call):
    G = gg.Generator.from_function(behind_a_callback, (), 2, output_range=None)
    error, notes = notes_of(lambda: call(G, jnp.ones(2)))
    assert "no such file on the host" in str(error)
    assert "help(" not in str(error)
    assert len(notes) == 1


def test_what_runs_on_the_host_says_so_inside_jit(tmp_path):
    G, D, z = linear_generator(jnp.eye(2)), distances.euclidean(), jnp.ones((1, 2))
    field = lambda z, G=G: gg.metric_field(G, D, z, progress=False).values
    way_out = r"geomgan.metric_field runs on the host.*Take jax.vmap\(geomgan.metric_tensor, \(None, None, 0\)\)"
    for call in (lambda: jax.jit(field)(z), lambda: jax.vmap(field)(z[None]), lambda: jax.jit(field)(z, G)):
        with pytest.raises(TracedError, match=way_out):
            call()
    with pytest.raises(TracedError, match=r"MetricOperator\.to_dense runs .*Take geomgan\.metric_tensor there"):
        jax.jit(lambda z: gg.metric_operator(G, D, z).to_dense())(z[0])
    with pytest.raises(TracedError, match=r"geomgan\.report runs on the host"):
        jax.jit(lambda z: gg.report(G, D, z, out=tmp_path / "run", key=jax.random.key(0)))(z)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("value", "hint", "fits"),
    [
        (3, int, True),
        (3.0, int, True),
        (3.5, int, False),
        (np.int64(3), float, True),
        (jnp.ones(()), float, True),
        (1j, float, False),
        ("a", str | None, True),
        (b"a", str, False),
        ((0, 1), tuple[float, float], True),
        (np.array([0, 1]), tuple[float, float], True),
        ((0, 1, 2), tuple[float, float], False),
        (np.zeros((2, 2)), tuple[float, float], False),
        (range(3), Sequence[int], True),
        ("abc", Sequence[str], False),
        ([1, "a"], Sequence[int], False),
        ({}, Mapping[str, int], True),
        (collections.OrderedDict(), Mapping[str, int], True),
        (len, Callable[..., int], True),
        (None, Callable[..., int], False),
        ([[1.0]], np.ndarray, True),
        (object(), Any, True),
    ],
)
def test_what_an_annotation_admits(value, hint, fits):
    assert entry.fits(value, hint) == fits


def test_every_public_function_and_method_is_behind_a_door():
    rooms = "analysis distances eigen fields generators geodesics metric paths plot report restricted_pickle study zoo"
    rooms += " training"
    functions = {
        f"{room}.{name}": getattr(getattr(gg, room), name)
        for room in rooms.split()
        for name in getattr(gg, room).__all__
    }
    plain = {name: f for name, f in functions.items() if callable(f) and hasattr(f, "__code__")}
    assert len(plain) > 90
    assert [name for name, f in plain.items() if not hasattr(f, "_explained")] == []
    assert all(
        hasattr(f, "_explained") for f in (gg.plan, gg.Generator.from_function, gg.Generator.at, gg.report.report)
    )


def calls(every):
    """``(name, argument, what, function, positional, keyword)`` of every ``every``-th odd call."""
    rng = np.random.default_rng(0)
    for name, (function, args, kwargs) in good_calls().items():
        for place in [*range(len(args)), *kwargs]:
            for what, value in odd_values(rng).items():
                if rng.random() * every < 1:
                    new = [value if i == place else x for i, x in enumerate(args)]
                    yield name, place, what, function, new, {k: value if k == place else x for k, x in kwargs.items()}


def complaints(every):
    found = {}
    for name, place, what, function, args, kwargs in calls(every):
        try:
            function(*args, **kwargs)
        except Exception as error:
            if not is_ours(error):
                found[name, place, what] = f"{type(error).__name__}: {error}"[:200]
        finally:
            plt.close("all")
    return found


@pytest.mark.filterwarnings("ignore")
def test_odd_arguments_are_told_of_in_our_words():
    assert complaints(every=20) == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_odd_arguments_are_told_of_in_our_words():
    assert complaints(every=1) == {}


def test_errors_of_code_that_is_typed_in_are_a_users():
    code = "import geomgan as gg, jax.numpy as jnp\ndef own(params, x):\n  raise KeyError('mine')\n"
    code += "G = gg.Generator.from_function(lambda A, z: A @ z, jnp.eye(2), 2, output_range=None)\n"
    code += (
        "try:\n  gg.metric_tensor(G, gg.distances.features(own), jnp.ones(2))\nexcept KeyError as error: print(error)"
    )
    assert python(code) == "'mine'"
