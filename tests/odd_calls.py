"""A good call of every public function, and arguments that none of them can use."""

import functools
from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import geomgan as gg
from geomgan import analysis, distances, paths, plot, restricted_pickle, study, training, zoo
from tests.analysis.tensors import field_of, random_tensors
from tests.plot import gallery
from tests.small_models import small_dcgan

PIXELS = (8, 8, 3)


def odd_values(rng):
    """What a user may pass by mistake: new objects on each call."""
    return {
        "None": None,
        "text": "odd",
        "bytes": b"odd",
        "empty": np.zeros((0,)),
        "empty rows": np.zeros((0, 3), np.float32),
        "integers": rng.integers(-3, 3, (2, 3)),
        "complex": rng.standard_normal((3,)) + 1j,
        "objects": np.array([None, "a", 3], dtype=object),
        "texts": np.array(["a", "b"]),
        "a scalar array": np.array(1.5),
        "a huge integer": 10**30,
        "a list of lists": [[1.0, 2.0], [3.0]],
        "no list": [],
        "NaN": float("nan"),
        "an array of NaN": np.full((3,), np.nan, np.float32),
        "four axes": rng.standard_normal((2, 1, 2, 3)).astype(np.float32),
        "negative": -7,
        "zero": 0,
        "a dict": {"odd": 1},
        "a function": len,
        "a class": dict,
        "a fraction": Fraction(1, 3),
        "a key": jax.random.key(3),
        "an old key": jnp.zeros(2, jnp.uint32),
        "a set": {1, 2},
        "a date": np.array(["2020-01-01"], "datetime64[D]"),
    }


@functools.cache
def good_calls():
    """Name -> (function, positional and keyword arguments that it takes)."""
    rng, key = np.random.default_rng(0), jax.random.key(0)
    A = rng.standard_normal((int(np.prod(PIXELS)), 3)).astype(np.float32)
    G = gg.Generator.from_function(_image, jnp.asarray(A), 3, output_range=(-1, 1), name="tiny")
    D, z = distances.mse(), rng.standard_normal((3, 3)).astype(np.float32)
    x = np.asarray(G(z[0]))
    tensors = random_tensors(rng, 5, 4)
    F = field_of(tensors)
    own = field_of(np.stack([A.T @ A] * 3).astype(float), z)
    g, v = own.tensors[0], own.vectors[0]
    net = small_dcgan(latent_dim=3, features=(2, 2))
    op = gg.metric_operator(G, D, z[0])
    walks = gallery.walks(2, 5)
    lines = paths.lines(z[0], v[:, :2])
    alike = analysis.consistency(F)
    call = lambda function, *args, **kwargs: (function, args, kwargs)
    drawn = {f"plot.{name}": (f.func, f.args, f.keywords) for name, f in gallery.figures().items() if " " not in name}
    return {
        "eigenpairs": call(gg.eigenpairs, g, 2, solver="dense", tol=1e-6, seed=0),
        "eigenpairs of products": call(gg.eigenpairs, op, k=2, solver="block", max_products=50),
        "eigh": call(gg.eigh, jnp.asarray(g), 2),
        "ensemble": call(gg.ensemble, G, jnp.stack([jnp.asarray(A)] * 2)),
        "hessian_operator": call(gg.hessian_operator, G, jnp.sum, z[0], chunk=1, precision="highest"),
        "load": call(gg.load, "digits-dcgan", part="generator"),
        "metric_field": call(gg.metric_field, G, D, z, k=2, chunk=1, batch=1, memory="1GB", progress=False, notes={}),
        "metric_operator": call(gg.metric_operator, G, D, z[0], chunk=1, precision="highest", hvp="exact"),
        "metric_tensor": call(gg.metric_tensor, G, D, z[0], chunk=1, precision="highest", hvp="exact"),
        "plan": call(gg.plan, G, D, 4, k=2, chunk=1, batch=1, memory="1GB", estimate=False),
        "Generator.from_function": call(
            partial(gg.Generator.from_function, _image, jnp.asarray(A)), 3, output_range=None
        ),
        "Generator.sample_latent": call(G.sample_latent, key, 2),
        "Generator.at": call(net.at, net.layers[0]),
        "Generator": call(G, z[0]),
        "Generator.activations": call(net.activations, z[0]),
        "MetricOperator.matvec": call(op.matvec, z[0]),
        "MetricOperator.matmat": call(op.matmat, z.T),
        "Distance": call(D, x, x),
        "Distance.embed": call(D.embed, x),
        "distances.activation": call(distances.activation, "digits", "conv1", 0),
        "distances.check": call(distances.check, D, x, x),
        "distances.classifier_features": call(distances.classifier_features, "digits", "conv1", unit=0, resize=8),
        "distances.euclidean": call(distances.euclidean, np.ones((8, 8)), np.ones(3)),
        "distances.features": call(distances.features, _features, jnp.ones(1)),
        "distances.fisher": call(distances.fisher, "bernoulli", logits=True, input_range=(0, 1)),
        "distances.from_function": call(distances.from_function, _squared, jnp.ones(1)),
        "distances.gaussian": call(distances.gaussian, D),
        "distances.lpips": call(distances.lpips, "alex", (-1, 1), "standard", 16, None, version="0.1", linear=True),
        "distances.mse": call(distances.mse, np.ones((8, 8)), np.ones(3)),
        "distances.ms_ssim": call(distances.ms_ssim, (-1, 1), (0.5, 0.5), 3, 1.5, 0.01, 0.03),
        "distances.spectrogram": call(distances.spectrogram, 16000.0, windows=(0.01,), overlap=0.5, floor=1e-4),
        "distances.ssim": call(distances.ssim, (-1, 1), 3, 1.5, 0.01, 0.03),
        "analysis.anisotropy": call(analysis.anisotropy, F, key=key, shares=(0.9,), draws=10, level=0.9),
        "analysis.compare": call(analysis.compare, F, F, 2),
        "analysis.compression": call(analysis.compression, G, D, z, v, [1, 2], centre=z[0], key=key, draws=1, shown=1),
        "analysis.consistency": call(analysis.consistency, F),
        "analysis.consistency_and_distance": call(
            analysis.consistency_and_distance, alike, key, F.codes, "log", draws=9
        ),
        "analysis.consistency_example": call(analysis.consistency_example, F, 0, 1),
        "analysis.consistency_examples": call(analysis.consistency_examples, F, 3),
        "analysis.consistency_interval": call(analysis.consistency_interval, alike, key, "log", 10, 0.9),
        "analysis.eigenspaces": call(analysis.eigenspaces, F, F, key, 2, draws=2),
        "analysis.equivalent_directions": call(
            analysis.equivalent_directions, G, D, z[0], v[:, 0], g, [0, 1], key, length=1.0, dims=1, draws=1, shown=1
        ),
        "analysis.layer_alignment": call(
            analysis.layer_alignment, analysis.layer_metrics(net, D, z[0], net.layers[:2])
        ),
        "analysis.layer_metrics": call(analysis.layer_metrics, net, D, z[0], net.layers[:1]),
        "analysis.mean_metric": call(analysis.mean_metric, tensors, "arithmetic", None, 1e-6, 5),
        "analysis.mean_spectrum": call(analysis.mean_spectrum, F, (5, 95), "mean"),
        "analysis.null_space": call(analysis.null_space, G, D, z[0], g, 1, key, [0, 1], 2, path="linear", shown=1),
        "analysis.original_dimensions": call(analysis.original_dimensions, F, (0.99,)),
        "analysis.pair_interval": call(analysis.pair_interval, alike.log, key, 10, 0.9),
        "analysis.random_direction_law": call(analysis.random_direction_law, g, key, 20, level=0.9, resamples=10),
        "analysis.random_frames": call(analysis.random_frames, F, key),
        "analysis.shared_trace": call(analysis.shared_trace, F, 0.9),
        "analysis.shuffle_weights": call(analysis.shuffle_weights, net, key, "weights"),
        "analysis.spectra_of": call(analysis.spectra_of, F, "F", 1, True),
        "analysis.trust_radius": call(analysis.trust_radius, G, D, z[0], g, 0.1, 10.0, ranks=[1], steps=8),
        "paths.axes_of_rank": call(paths.axes_of_rank, v, own.values[0], [1]),
        "paths.constant_speed_steps": call(paths.constant_speed_steps, G, D, lines, 3, reach=1.0, grid=5, batch=4),
        "paths.constant_speed_walk": call(paths.constant_speed_walk, G, D, lines, 3, reach=1.0, grid=5),
        "paths.equal_distance_steps": call(paths.equal_distance_steps, walks, 3),
        "paths.equal_distance_walk": call(paths.equal_distance_walk, G, D, lines, 3, reach=1.0, batch=4),
        "paths.great_circles": call(paths.great_circles, z[0], v),
        "paths.initial_speeds": call(paths.initial_speeds, G, D, z[0], v, path="linear"),
        "paths.leaving": call(paths.leaving, z[0], v, "linear"),
        "paths.lines": call(paths.lines, z[0], v),
        "paths.measure": call(paths.measure, G, D, z, z, keep=False, batch=2),
        "paths.neighbour_distances": call(paths.neighbour_distances, G, D, z, batch=2),
        "paths.walk": call(paths.walk, G, D, lines, [0.0, 1.0], keep=True, batch=2),
        "plot.displayable": call(plot.displayable, x, (-1, 1)),
        "plot.axis_on_many": call(plot.axis_on_many, G, D, v[:, 0], z, rank=1, side=1, progress=False),
        "plot.spectrum_pages": call(plot.spectrum_pages, G, D, z[0], v, own.values[0], rows=2, side=1, progress=False),
        "plot.png": call(plot.png, None, 50),
        "plot.svg": call(plot.svg, None),
        **drawn,
        "study.krippendorff_alpha": call(
            study.krippendorff_alpha, rng.integers(1, 4, (3, 4)).astype(float), "interval"
        ),
        "study.parse_ranks": call(study.parse_ranks, "1,2,5-8"),
        "study.permutation_test": call(
            study.permutation_test, rng.standard_normal((3, 4)), np.array([True, True, False, False]), rng
        ),
        "study.StudyPlan": call(study.StudyPlan, "digits-dcgan"),
        "study.read_key": call(study.read_key, "nowhere.json"),
        "study.read_answers": call(study.read_answers, _study_key(), ["nowhere.json"]),
        "training.load_mnist": call(training.load_mnist, "nowhere.npz"),
        "zoo.card": call(zoo.card, "digits-dcgan"),
        "zoo.load_generator": call(zoo.load_generator, "digits-dcgan"),
        "zoo.locate": call(zoo.locate, "digits-dcgan"),
        "zoo.fetch": call(zoo.fetch, "digits-dcgan"),
        "restricted_pickle.load": call(restricted_pickle.load, b"\x80\x02K\x01.", start=0, max_steps=9),
        "restricted_pickle.load_file": call(restricted_pickle.load_file, "nowhere.pkl"),
        "restricted_pickle.looks_like": call(restricted_pickle.looks_like, b"PK"),
        "plot.layer_scatter of one": call(plot.layer_scatter, gallery.alignment(), 0, [1]),
    }


def _image(A, z):
    return (A @ z).reshape(PIXELS)


def _features(params, x):
    return params * x


def _squared(params, x, y):
    return jnp.sum(params * (x - y) ** 2)


def _study_key():
    return study.StudyKey("s", 5, ("a",), ("axis 1",), np.array([True]), np.ones(1), "f")
