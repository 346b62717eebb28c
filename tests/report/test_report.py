"""The report on a generator of one's own: what it writes, how it resumes, and what its page says."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geomgan as gg
from geomgan.report import TRIPLES, Section, Triple
from tests.small_models import small_dcgan, smooth_generator

KEY = jax.random.key(3)
OPTIONS = {"key": KEY, "top": 2, "progress": False}


class Killed(BaseException):
    """What ends a run at once, as Ctrl-C does."""


def logged(log, stop_before=None):
    """The triples, which write the name of each part into ``log`` as it is computed; one of them is never begun."""

    def noted(triple):
        def compute(subject, results):
            if triple.name == stop_before:
                raise Killed
            found = triple.compute(subject, results)
            log.append(triple.name)
            return found

        return replace(triple, compute=compute) if triple.compute else triple

    return tuple(map(noted, TRIPLES))


@pytest.fixture(scope="module")
def G():
    return smooth_generator()


@pytest.fixture(scope="module")
def made(G, tmp_path_factory):
    """A whole report with everything that this generator can have."""
    out = tmp_path_factory.mktemp("report") / "run"
    return gg.report(G, gg.distances.mse(), 6, out=out, compare=gg.distances.euclidean(), **OPTIONS)


@pytest.fixture(scope="module")
def told(made):
    return json.loads(made.summary.read_text())


# What is written


def figures_of(page):
    """The page without the strips of its walks, which lie nowhere else."""
    return re.sub(r'<figure class="strip".*?</figure>', "", page, flags=re.S)


def test_the_folder_holds_fields_results_figures_and_the_page(made):
    names = {path.name for path in made.folder.iterdir()}
    assert names == {"field.zarr", "control.zarr", "other.zarr", "parts", "journal.json", "figures", "summary.json",
                     "report.html", "directions.npz", "axes-mean.npz", "axes-code0.npz"}  # fmt: skip
    drawn = {path.stem for path in (made.folder / "figures").glob("*.png")}
    assert drawn == {path.stem for path in (made.folder / "figures").glob("*.svg")}
    assert {path.stem for path in (made.folder / "figures").glob("*.csv")} >= drawn
    page = made.page.read_text()
    assert figures_of(page).count("data:image/png;base64,") == len(drawn)
    assert set(re.findall(r"(?:src|href)=\"(.)", page)) == {"d", "#"}  # complete in itself: data, and its own places
    saved = {path.stem for path in (made.folder / "parts").glob("*.npz")}
    assert saved == set(made.computed) == {t.name for t in TRIPLES if t.compute} - {"layers"}
    assert str(made) == f"{made.finding} See {made.page}."


def test_the_page_embeds_the_pictures_that_lie_beside_it(made):
    import base64

    embedded = re.findall(r"data:image/png;base64,([^\"]*)", figures_of(made.page.read_text()))
    files = [path.read_bytes() for path in (made.folder / "figures").glob("*.png")]
    assert sorted(map(base64.b64decode, embedded)) == sorted(files)


def test_the_summary_holds_every_number_of_the_page(made, told):
    page = made.page.read_text()
    for name, section in told["sections"].items():
        body = re.search(rf'<section id="{name}".*?</section>', page, re.S)[0]
        numbers = {float(x) for row in json.loads(json.dumps(section.get("table", {}))).values() for x in flat(row)}
        shown = [float(x) for x in re.findall(r'data-value="([^"]+)"', body)]
        assert {x for x in shown if x == x} <= numbers, name
        said = section["said"]
        for fact in section.get("facts", {}).values():
            assert not isinstance(fact, float) or any(
                close(fact, x) for x in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?", said)
            )
    assert set(told["sections"]) == set(re.findall(r'<section id="(\w+)"', page)) - {"provenance"}
    law = told["sections"]["random_directions"]["facts"]
    values = gg.MetricField.read(made.folder / "field.zarr").values[0]
    assert law["predicted"] == pytest.approx(2 / 8 * values.var())


def flat(row):
    for x in row:
        yield from flat(x) if isinstance(x, list) else [x] if isinstance(x, int | float) else []


def close(x, text):
    return float(text) == pytest.approx(x, rel=0.06, abs=0.006)


def test_numbers_are_those_of_the_library(made, told, G):
    field = gg.MetricField.read(made.folder / "field.zarr")
    np.testing.assert_allclose(told["mean_eigenvalues"], field.values.mean(axis=0))
    c = gg.analysis.consistency(field, above_floor=True)
    assert told["consistency"]["smooth"]["log"][0] == pytest.approx(c.summary("log").mean)
    pairs = gg.eigenpairs(np.asarray(field.tensors[0]))
    trust = gg.analysis.trust_radius(G, gg.distances.mse(), field.codes[0], pairs, reach=6.0)
    shown = told["sections"]["trust_radius"]["table"]
    np.testing.assert_allclose(shown["trust radius"], trust.radius[np.array(shown["rank"]) - 1], rtol=1e-3)
    other = gg.MetricField.read(made.folder / "other.zarr")
    r = float(np.mean(gg.analysis.compare(field, other).tensor_r))  # the mean that the figure shows
    assert f"The tensors under {gg.distances.euclidean().name} correlate with these with r = {r:.2f} " in made.finding
    assert made.finding.endswith("(mean of 6 codes, 95 % interval 1.00 to 1.00).")  # mse is euclidean, scaled


def test_claims_state_effect_interval_and_n(made, told):
    field = gg.MetricField.read(made.folder / "field.zarr")
    c = gg.analysis.consistency(field, above_floor=True)
    relation = gg.analysis.consistency_and_distance(c, KEY)
    facts, said = (told["sections"]["latent_distance"][part] for part in ("facts", "said"))
    assert (facts["pairs"], facts["codes"]) == (15, 6)
    assert facts["slope"] == pytest.approx(relation.slope)
    assert facts["effect"] == pytest.approx(relation.slope * np.ptp(relation.distances))
    assert "15 pairs of 6 codes" in said
    assert not re.search("similar|no relation|significant", said)  # numbers, no verdict
    estimate, low, high = gg.analysis.consistency_interval(c, KEY)
    assert f"log r = {estimate:.2f} (mean over pairs of 6 codes, 95 % interval {low:.2f} to {high:.2f}" in made.finding
    shape = gg.analysis.anisotropy(field, KEY).intervals
    half, most = shape["dimensions_0.9"], shape["dimensions_0.99"]
    assert f"{half[0]} of 6 latent dimensions hold 90 %" in made.finding
    assert f"{most[0]} hold 99 % (medians of 6 codes, 95 % intervals {half[1]} to {half[2]} and" in made.finding
    counts = [shape for name, shape in told["anisotropy"]["smooth"].items() if name.startswith("dimensions")]
    assert all(type(number) is int for interval in counts for number in interval)


def test_text_and_figure_of_the_null_space_have_one_mean(made, told, G):
    field = gg.MetricField.read(made.folder / "field.zarr")
    pairs = gg.eigenpairs(np.asarray(field.tensors[0]))
    moves = gg.analysis.null_space(G, gg.distances.mse(), field.codes[0], pairs, 1, KEY, np.linspace(0, 6, 7))
    facts = told["sections"]["null_space"]["facts"]
    np.testing.assert_allclose([facts["top"], facts["bottom"]], moves.ratios[:, -1], rtol=1e-2)
    assert facts["top_low"] <= facts["top"] <= facts["top_high"]


def test_the_rows_of_the_montage_have_the_trust_radii_of_their_axes(made, told):
    radii = told["sections"]["trust_radius"]["table"]
    assert radii["rank"][:2] == [1, 2]
    drawn = np.genfromtxt(made.folder / "figures" / "axes.csv", delimiter=",", names=True)
    columns = [name for name in drawn.dtype.names if name.startswith("trust_radius_towards")]
    for column, side in zip(columns, ("towards -t", "towards +t"), strict=True):
        np.testing.assert_allclose(drawn[column], [float(x) for x in radii[side][:2]])


@pytest.mark.parametrize(("contrast", "dead"), [(0.03, True), (0.099, True), (0.1, False), (0.9, False)])
def test_nothing_is_concluded_from_a_control_that_is_nearly_dead(G, tmp_path, contrast, dead):
    names = ("spectrum", "anisotropy", "homogeneity")
    few = [triple for triple in TRIPLES if triple.name in names]
    few[0] = replace(few[0], compute=lambda *given: replace(TRIPLES[2].compute(*given), contrast=contrast))
    made = gg.report(G, gg.distances.mse(), 3, out=tmp_path, triples=few, **OPTIONS)
    page, told = made.page.read_text(), json.loads(made.summary.read_text())
    assert ("shuffled" in made.finding) is not dead
    assert "axes in random directions: 0" in made.finding
    for name in names:
        said = told["sections"][name]["said"]
        assert ("nearly dead" in said) is dead
        assert told["sections"][name]["facts"]["contrast"] == contrast
    tables = [told["sections"][name]["table"] for name in names[1:]]
    assert all(("shuffled weights (nearly dead)" in table) is dead for table in tables)
    assert all(("shuffled weights" in table) is not dead for table in tables)
    assert ("(nearly dead)" in page) is dead


def test_a_call_that_makes_the_report_again_is_on_the_page(made):
    assert "geomgan.report(G, D, codes, out=..., key=..., top=2, control=True)" in made.page.read_text()


def test_codes_can_be_given(G, made, tmp_path):
    codes = G.sample_latent(KEY, 6)
    again = gg.report(G, gg.distances.mse(), codes, out=tmp_path, compare=gg.distances.euclidean(), **OPTIONS)
    assert again.finding == made.finding
    assert sorted(again.computed) == sorted(made.computed)


def test_samples_that_are_no_images_have_a_report_too(tmp_path):
    sound = gg.Generator.from_function(lambda A, z: jnp.tanh(A @ z)[:, None], jnp.eye(32)[:, :5] * 0.1, 5, name="sound")
    made = gg.report(sound, gg.distances.mse(), 1, out=tmp_path / "run", control=False, **OPTIONS)
    told = json.loads(made.summary.read_text())
    assert list(told["sections"]) == ["spectrum", "anisotropy", "random_directions", "curves", "trust_radius",
                                      "null_space", "directions"]  # fmt: skip
    assert told["anisotropy"]["sound"]["dimensions_0.99"][0] == 5
    assert not (made.folder / "control.zarr").exists()


def test_layers_are_compared_where_there_are_some(tmp_path):
    made = gg.report(small_dcgan(), gg.distances.mse(), 1, out=tmp_path, control=False, layers=True, **OPTIONS)
    assert {"layers", "alignment"} <= set(json.loads(made.summary.read_text())["sections"])


# Going on


def test_a_run_that_is_killed_before_each_part_computes_every_part_once(G, made, tmp_path):
    log = []
    for name in made.computed:
        with pytest.raises(Killed):
            gg.report(G, gg.distances.mse(), 6, out=tmp_path, compare=gg.distances.euclidean(),
                      triples=logged(log, stop_before=name), **OPTIONS)  # fmt: skip
        assert not (tmp_path / "report.html").exists()
    last = gg.report(G, gg.distances.mse(), 6, out=tmp_path, compare=gg.distances.euclidean(), triples=logged(log),
                     **OPTIONS)  # fmt: skip
    assert tuple(log) == made.computed  # each once, statistics included
    assert last.computed == (log[-1],)
    assert last.finding == made.finding
    same = lambda report: without_runs(json.loads(report.summary.read_text()))
    assert same(last) == same(made)


def without_runs(summary):
    return {name: part for name, part in summary.items() if name != "provenance"}


def test_a_process_that_dies_leaves_finished_parts_for_the_next(G, tmp_path):
    script = (
        "import os; from tests.report.test_report import *; "
        "die = lambda subject, results: os._exit(7); "
        "parts = [replace(t, compute=die) if t.name == 'homogeneity' else t for t in TRIPLES]; "
        f"gg.report(smooth_generator(), gg.distances.mse(), 6, out={str(tmp_path)!r}, triples=parts, **OPTIONS)"
    )
    assert subprocess.run([sys.executable, "-c", script], env=os.environ, check=False).returncode == 7
    done, log = {path.stem for path in (tmp_path / "parts").glob("*.npz")}, []
    assert done >= {"spectrum", "anisotropy", "axes"}
    field = (tmp_path / "field.zarr" / "zarr.json").stat().st_mtime_ns
    gg.report(G, gg.distances.mse(), 6, out=tmp_path, triples=logged(log), **OPTIONS)
    assert not done & set(log)
    assert "homogeneity" in log
    assert (tmp_path / "field.zarr" / "zarr.json").stat().st_mtime_ns == field


def test_a_finished_run_computes_and_writes_nothing(G, made):
    times = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*") if path.is_file()}
    log = []
    again = gg.report(G, gg.distances.mse(), 6, out=made.folder, compare=gg.distances.euclidean(),
                      triples=logged(log), **OPTIONS)  # fmt: skip
    assert not log
    assert again == replace(made, computed=())
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("*") if path.is_file()} == times


@pytest.mark.parametrize("damage", [None, *(pytest.param(text, marks=pytest.mark.slow) for text in ("[]", '{"run": '))])
def test_other_choices_keep_the_fields_and_compute_the_parts_again(G, tmp_path, damage):
    first = gg.report(G, gg.distances.mse(), 2, out=tmp_path, control=False, **OPTIONS)
    stored = (tmp_path / "field.zarr" / "zarr.json").stat().st_mtime_ns
    for name in ("summary.json", "journal.json") if damage else ():
        (tmp_path / name).write_text(damage)
    second = gg.report(G, gg.distances.mse(), 2, out=tmp_path, control=False, **OPTIONS | {"top": 3})
    assert second.computed == first.computed
    assert (tmp_path / "field.zarr" / "zarr.json").stat().st_mtime_ns == stored
    assert np.load(second.directions)["vectors"].shape == (2, 6, 3)
    before = second.page.read_bytes()
    with pytest.raises(gg.StoreError, match="another run"):
        gg.report(G, gg.distances.euclidean(), 2, out=tmp_path, control=False, **OPTIONS)
    assert second.page.read_bytes() == before


@dataclass(frozen=True)
class Largest:
    value: float


def test_a_later_room_adds_a_part(G, tmp_path):
    mine = Triple(
        "largest",
        lambda _, found: Section("largest", "Mine", "It is {value:.3g}.", {"value": found.value}),
        Largest,
        lambda subject, results: Largest(float(results("directions").values[0])),
    )
    options = {**OPTIONS, "top": None, "triples": (*TRIPLES, mine)}
    made = gg.report(G, gg.distances.mse(), 2, out=tmp_path, control=False, **options)
    assert np.load(made.directions)["vectors"].shape == (2, 6, 6)  # all, where there are fewer than eight
    section = json.loads(made.summary.read_text())["sections"]["largest"]
    mean = np.mean(gg.MetricField.read(tmp_path / "field.zarr").tensors, axis=0)
    assert section["facts"]["value"] == pytest.approx(np.linalg.eigvalsh(mean)[-1])
    assert section["said"] == f"It is {section['facts']['value']:.3g}."


# Mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 7}, "top is 7; expected 1 to 6"),
        ({"layers": True}, "has no named layers to compare"),
        ({"codes": 0}, "codes is 0; expected a positive integer"),
        ({"codes": 4.5}, "codes is 4.5; expected a positive integer"),
        ({"codes": np.zeros((2, 5), np.float32)}, "5"),
        ({"compare": gg.distances.lpips("alex")}, "16 x 16 pixels"),
    ],
)
def test_mistakes_are_told_before_any_work(G, options, message, tmp_path):
    given = {"codes": 2} | OPTIONS | options
    with pytest.raises(ValueError, match=message):
        gg.report(G, gg.distances.mse(), given.pop("codes"), out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_a_key_that_is_a_number_is_refused(G, tmp_path):
    with pytest.raises(TypeError, match=r"key is the number 7; .* Pass jax.random.key\(7\)"):
        gg.report(G, gg.distances.mse(), 2, out=tmp_path / "run", key=7)


def test_a_generator_that_is_finite_nowhere_is_told(tmp_path):
    broken = gg.Generator.from_function(lambda A, z: A @ jnp.log(-z * z), jnp.eye(4), 4, name="broken")
    with pytest.warns(UserWarning, match="failed"), pytest.raises(gg.GeomganError, match="no code of broken"):
        gg.report(broken, gg.distances.euclidean(), 2, out=tmp_path, control=False, **OPTIONS)


# The axes, to go on with


def test_directions_are_the_axes_of_the_codes_and_of_their_mean(made):
    axes, field = np.load(made.directions), gg.MetricField.read(made.folder / "field.zarr")
    assert {axes[name].dtype for name in ("codes", "vectors", "mean_vectors")} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(axes["codes"], field.codes)
    np.testing.assert_allclose(axes["vectors"], np.asarray(field.vectors)[:, :, :2], atol=1e-7)
    np.testing.assert_array_equal(axes["eigenvalues"], field.values[:, :2])
    mean = np.mean(field.tensors, axis=0)
    reached = axes["mean_vectors"].T @ mean @ axes["mean_vectors"]
    np.testing.assert_allclose(reached, np.diag(axes["mean_eigenvalues"]), atol=1e-6 * mean.max())


def code_of(made, purpose):
    import html

    found = re.search(rf"<h3>{purpose}</h3>.*?<code>(.*?)</code>", made.page.read_text(), re.S)
    return html.unescape(found[1])


def test_the_lines_for_jax_run_as_they_stand(tmp_path, monkeypatch):
    G = gg.load("digits-dcgan")
    few = [triple for triple in TRIPLES if triple.name in ("anisotropy", "directions")]
    options = OPTIONS | {"triples": few, "notes": {"opened": "geomgan.load('digits-dcgan')"}}
    made = gg.report(G, gg.distances.mse(), 1, out=tmp_path, control=False, layers=False, **options)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code_of(made, "With JAX"), names)
    assert names["samples"].shape == (7, 32, 32, 1)
    np.testing.assert_allclose(names["samples"][3], G(names["z"]), atol=1e-5)
    exec(code_of(made, "With geomgan"), names)
    assert names["walks"].samples.shape == (4, 2, 3, 32, 32, 1)
    np.testing.assert_allclose(names["walks"].samples[1, 0, 1], G(names["codes"][1]), atol=1e-5)


def test_the_lines_for_torch_run_as_they_stand(made, G, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch to run this")
    first, second = (torch.from_numpy(np.array(weight)) for weight in G.params)
    monkeypatch.chdir(made.folder)
    names = {"generator": lambda z: torch.tanh(torch.tanh(z @ first.T) @ second.T)}
    exec(code_of(made, "With PyTorch"), names)
    ours = jax.vmap(G)(names["walk"])
    np.testing.assert_allclose(names["samples"].reshape(7, 16, 16, 3), ours, atol=1e-5)


def test_the_room_is_the_function_however_it_is_imported():
    script = (
        "import geomgan.report; import geomgan as gg; from geomgan.report import report; "
        "assert gg.report.report is report; assert callable(gg.report); gg.report(1, 2, 3, out='', key=4)"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ, check=False, capture_output=True, text=True)
    assert "TypeError: G is" in ended.stderr, ended.stderr


def test_a_network_without_derivatives_or_weights_has_a_report(tmp_path):
    matrix = np.random.default_rng(0).standard_normal((192, 3)).astype("f4") / 10

    def fn(params, z):
        outside = lambda z: np.tanh(matrix @ z).reshape(8, 8, 3)
        return jax.pure_callback(outside, jax.ShapeDtypeStruct((8, 8, 3), jnp.float32), z, vmap_method="sequential")

    G = gg.Generator.from_function(fn, (), 3, name="outside")
    options = OPTIONS | {"out": tmp_path / "run", "hvp": "finite-difference"}
    made = gg.report(G, gg.distances.mse(), 2, **options)
    field = gg.MetricField.read(made.folder / "field.zarr")
    for z, values in zip(field.codes, field.values, strict=True):
        J = (1 - np.tanh(matrix @ z) ** 2)[:, None] * matrix
        np.testing.assert_allclose(values, np.linalg.eigvalsh(J.T @ J / 192)[::-1], rtol=1e-3)
    assert not (made.folder / "control.zarr").exists()  # there are no weights to shuffle
    assert "control=False, layers=False, hvp=" in made.page.read_text()
    with pytest.raises(ValueError, match="no array with more than one axis"):
        gg.report(G, gg.distances.mse(), 2, **options | {"control": True, "out": tmp_path / "other"})
    with pytest.raises(ValueError, match="hvp='exakt' is not known"):
        gg.report(G, gg.distances.mse(), 2, **options | {"hvp": "exakt"})
