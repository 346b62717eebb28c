"""Spectrogram distances against scipy's STFT, closed forms, and real speech."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

import geomgan as gg
from tests.fixtures import ASSETS, needs_assets
from tests.oracles import half_hessian
from tests.small_models import in_float64, largest_difference

RATE = 8000
LENGTH = 1203  # no whole number of hops


def voice(params, z):
    """A smooth generator of two channels: chirps with a tail that dies out."""
    time = jnp.arange(LENGTH, dtype=z.dtype)[:, None] / RATE
    pitch = 200 + 150 * jnp.tanh(params @ z)[None, :]
    return jnp.tanh(0.5 * jnp.sin(2 * jnp.pi * pitch * time) * jnp.exp(-20 * time * (1 + z[0] ** 2)) + 0.01 * z[1])


def voice_generator():
    params = jnp.asarray(np.random.default_rng(1).standard_normal((2, 4)), jnp.float32)
    return gg.Generator.from_function(voice, params, 4)


def by_scipy(x, y, windows, frames, floor):
    """The docstring's formula, its transforms by scipy, for windows in samples."""
    total = 0
    for length in windows:
        hop = length // frames

        def log_magnitude(signal_, length=length, hop=hop):
            padded = np.pad(signal_, ((length - hop, length - hop + -len(signal_) % hop), (0, 0)))
            _, _, S = signal.stft(padded, 1, "hann", length, length - hop, boundary=None, padded=False, axis=0)
            return 0.5 * np.log(np.abs(2 * S) ** 2 + floor**2)  # scipy's sine of amplitude one reads one half

        total += ((log_magnitude(x) - log_magnitude(y)) ** 2).mean() / len(windows)
    return total


@pytest.mark.parametrize(
    ("options", "windows", "frames", "floor"),
    [
        ({}, (64, 256, 1024), 4, 1e-4),
        ({"windows": (0.01, 0.05), "overlap": 0.5, "floor": 1e-3}, (80, 400), 2, 1e-3),
        ({"windows": 0.03, "overlap": 0.875}, (240,), 8, 1e-4),
        ({"windows": (0.0333,), "overlap": 2 / 3}, (264,), 3, 1e-4),
    ],
)
def test_it_is_the_formula_of_its_docstring(rng, options, windows, frames, floor):
    x, y = rng.uniform(-1, 1, (2, LENGTH, 2)) * np.linspace(0, 1, LENGTH)[:, None] ** 4
    expected = by_scipy(x, y, windows, frames, floor)
    D = gg.distances.spectrogram(RATE, **options)
    assert float(D(x.astype(np.float32), y.astype(np.float32))) == pytest.approx(expected, rel=1e-4)


def test_a_sine_of_amplitude_one_reads_one():
    """1000 Hz is a frequency of the transform of 256 samples at 8 kHz."""
    sine = np.sin(2 * np.pi * 1000 * np.arange(4096) / RATE)[:, None]
    D = gg.distances.spectrogram(RATE, windows=0.032)
    embedded = np.asarray(D.embed(sine.astype(np.float32))).reshape(-1, 129)
    middle = embedded[len(embedded) // 2] * embedded.size**0.5
    assert middle.argmax() == 32
    assert middle.max() == pytest.approx(np.log(1 / 1e-4), rel=1e-5)


def test_twice_as_loud_is_the_logarithm_of_two_squared(rng):
    """Far above the floor, whatever the sound: 6 dB everywhere."""
    x = 0.4 * rng.uniform(-1, 1, (4096, 1)).astype(np.float32)
    assert float(gg.distances.spectrogram(RATE, floor=1e-7)(x, 2 * x)) == pytest.approx(np.log(2) ** 2, rel=1e-3)


def test_it_hears_no_polarity_and_every_sample_alike():
    D = gg.distances.spectrogram(RATE)
    silence = np.zeros((2048, 1), np.float32)
    clicks = [silence + (np.arange(2048) == at)[:, None] * np.float32(0.5) for at in (0, 256, 1024, 1792)]
    heard = [float(D(silence, click)) for click in clicks]
    assert heard[0] > 0.1
    np.testing.assert_allclose(heard, heard[0], rtol=1e-5)
    assert float(D(clicks[0], -clicks[0])) == 0


def test_windows_in_seconds_mean_the_same_at_every_rate():
    """Two tones, sampled at 8 and at 32 kHz: the frequencies in common differ alike."""

    def tones(rate):
        time = np.arange(rate) / rate
        return [(0.3 * np.sin(2 * np.pi * f * time))[:, None].astype(np.float32) for f in (440, 554)]

    slow = float(gg.distances.spectrogram(8000, floor=1e-2)(*tones(8000)))
    fast = float(gg.distances.spectrogram(32000, floor=1e-2)(*tones(32000)))
    assert fast == pytest.approx(slow / 4, rel=0.1)  # three quarters of its frequencies are silent


def test_embedding_symmetry_and_diagonal(rng):
    D = gg.distances.spectrogram(RATE)
    x, y = rng.uniform(-1, 1, (2, LENGTH, 2)).astype(np.float32)
    assert float(D(x, y)) == pytest.approx(float(((D.embed(x) - D.embed(y)) ** 2).sum()), rel=1e-5)
    assert float(D(x, y)) == float(D(y, x))
    assert float(D(x, x)) == 0
    as_integers = gg.distances.spectrogram(RATE, input_range=(-32768, 32768))
    assert float(as_integers(32768 * x, 32768 * y)) == pytest.approx(float(D(x, y)), rel=1e-4)


@pytest.mark.parametrize("overlap", [0.5, 0.75])
def test_metric_is_half_the_hessian_in_float64(rng, float64, overlap):
    G, D = in_float64(voice_generator()), gg.distances.spectrogram(RATE, overlap=overlap)
    z = rng.standard_normal(4)
    g = gg.metric_tensor(G, D, z)
    assert g.dtype == jnp.float64
    assert largest_difference(g, half_hessian(G, D, z)) < 1e-6
    product = gg.metric_operator(G, D, z).matvec(np.ones(4))
    assert largest_difference(product, g @ np.ones(4)) < 1e-9


def test_metric_in_float32_and_batches(rng):
    G, D = voice_generator(), gg.distances.spectrogram(RATE)
    codes = rng.standard_normal((2, 4)).astype(np.float32)
    batched = jax.jit(jax.vmap(gg.metric_tensor, (None, None, 0)))(G, D, codes)
    with jax.enable_x64(True):
        expected = np.stack([gg.metric_tensor(in_float64(G), D, z.astype(np.float64)) for z in codes])
    assert largest_difference(batched, expected) < 1e-3


@pytest.mark.parametrize("value", [0.0, -1.0, 1.0])
def test_derivatives_at_silence_and_on_constant_signals(value):
    D, x = gg.distances.spectrogram(RATE), jnp.full((LENGTH, 1), value)
    direction = jnp.asarray(np.random.default_rng(0).standard_normal(x.shape), jnp.float32)
    embedded, tangent = jax.jvp(D.embed, (x,), (direction,))
    assert np.isfinite(embedded).all()
    assert np.isfinite(tangent).all()
    slopes = jax.grad(D, argnums=1)(x, x), jax.grad(D, argnums=1)(x, jnp.zeros_like(x))
    assert np.abs(slopes[0]).max() < 1e-7
    assert np.isfinite(slopes[1]).all()
    curvature = jax.jvp(lambda y: jax.grad(D, argnums=1)(x, y), (x,), (direction,))[1]
    assert np.isfinite(curvature).all()
    if value == 0:
        assert np.abs(embedded).max() == 0
        assert np.abs(tangent).max() == 0


def test_transformations(rng):
    D = gg.distances.spectrogram(RATE)
    x, y, v = rng.uniform(-1, 1, (3, 2, LENGTH, 1)).astype(np.float32)
    expected = [float(D(*pair)) for pair in zip(x, y, strict=True)]
    np.testing.assert_allclose(jax.jit(jax.vmap(D))(x, y), expected, rtol=1e-5)
    slope = float(jax.jvp(lambda y: D(x[0], y), (y[0],), (v[0],))[1])
    assert float(jnp.vdot(jax.grad(D, argnums=1)(x[0], y[0]), v[0])) == pytest.approx(slope, rel=1e-3)


@pytest.fixture(scope="module")
def speech():
    """Four recordings of each digit by each speaker, ``(speakers, 40, T, 1)``; silence follows the words."""
    with np.load(ASSETS / "spoken-digits" / "fsdd_8k.npz") as file:
        speaker, digit = file["speaker"], file["digit"]
        chosen = [np.flatnonzero((speaker == s) & (digit == d))[:4] for s in np.unique(speaker) for d in range(10)]
        return (file["audio"][chosen] / np.float32(32768)).reshape(-1, 40, 8192, 1)


@needs_assets
def test_the_same_spoken_digit_is_nearer(speech):
    """Other digits are 1.39 to 2.49 times as far, by speaker; for 83 % the nearest other recording has its digit."""
    D = gg.distances.spectrogram(RATE)
    embedded = np.stack([[np.asarray(D.embed(x)) for x in voice] for voice in speech])
    squares = (embedded**2).sum(axis=-1)
    between = squares[:, :, None] + squares[:, None, :] - 2 * embedded @ embedded.transpose(0, 2, 1)
    digits, itself = np.repeat(np.arange(10), 4), np.eye(40, dtype=bool)
    same = digits[:, None] == digits
    ratio = between[:, ~same].mean(axis=1) / between[:, same & ~itself].mean(axis=1)
    assert ratio.min() > 1.3
    between[:, itself] = np.inf
    assert (digits[between.argmin(axis=-1)] == digits).mean() > 0.75  # 3 in 39 by chance


@needs_assets
def test_derivatives_between_speech_and_silence(speech):
    D, word = gg.distances.spectrogram(RATE), jnp.asarray(speech[0, 0])
    silence = jnp.zeros_like(word)
    assert float(D(word, silence)) > 1
    for x, y in ((word, silence), (silence, word)):
        assert np.isfinite(jax.grad(D, argnums=1)(x, y)).all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4096,), r"\(4096,\); expected audio \(T, C\).*x\[:, None\]"),
        ((2, 4096, 1), "vmap"),
        ((1023, 1), r"1023 samples, 0.128 s; expected at least 1024, the longest window \(0.128 s at 8000 Hz\)"),
        ((1, 4096), "time first"),
    ],
)
def test_signals_that_do_not_fit(shape, message):
    D = gg.distances.spectrogram(RATE)
    with pytest.raises(ValueError, match=message):
        D(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 0}, "sample_rate is 0; expected a positive number: hertz"),
        ({"sample_rate": None}, "sample_rate is None"),
        ({"sample_rate": np.nan}, "sample_rate is nan"),
        ({"windows": ()}, "windows is empty"),
        ({"windows": (0.0001,)}, "0.8 samples at 8000 Hz; expected at least 8"),
        ({"windows": (-1.0,)}, "a window is -1.0; expected a positive number: seconds"),
        ({"overlap": 0.6}, r"overlap is 0.6; expected 1 - 1/k"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"overlap": 0.0}, "overlap is 0.0"),
        ({"floor": 0.0}, "floor is 0.0; expected a positive number: an amplitude"),
        ({"input_range": (1, 1)}, "low < high"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        gg.distances.spectrogram(**({"sample_rate": RATE} | options))


def test_the_sample_rate_has_no_default():
    with pytest.raises(TypeError, match="sample_rate"):
        gg.distances.spectrogram()


def test_values_that_cannot_be_right():
    D = gg.distances.spectrogram(RATE)
    with pytest.raises(ValueError, match=r"from 0 to 3.277e\+04; expected about -1 to 1"):
        D(np.zeros((2048, 1)), np.linspace(0, 32767, 2048)[:, None])
    with pytest.raises(TypeError, match="int16"):
        D(np.zeros((2048, 1), np.int16), np.zeros((2048, 1), np.int16))
    with pytest.raises(ValueError, match="NaN"):
        D(np.zeros((2048, 1)), np.full((2048, 1), np.nan))
