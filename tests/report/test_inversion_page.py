"""The page of an inversion: what it says is what was found."""

import dataclasses
import json

import numpy as np

import geomgan as gg
from geomgan.report.inversion import inversion_page
from geomgan.report.short import Asked
from tests.plot.gallery import inverted

SUBJECT = Asked("digits", tuple("abcde"), "geomgan.load('digits')", "geomgan invert digits a b c d e")


def test_a_page_of_three_sections_with_their_files(tmp_path):
    found = inverted()
    said, page = inversion_page(found, SUBJECT, tmp_path)
    text, summary = page.read_text(), json.loads((tmp_path / "summary.json").read_text())
    assert summary["finding"] == said == str(found)
    assert all(f'id="{name}"' in text for name in ("reconstructions", "curves", "runs"))
    assert text.count("data:image/png;base64,") == 2
    runs = summary["runs"]
    assert runs["target"] == [name for name in "abcde" for _ in range(3)]
    np.testing.assert_allclose(runs["lpips-alex"], found.losses.ravel())
    assert runs["best"] == ["yes" if i % 3 == best else "" for best in found.best for i in range(3)]
    facts = summary["sections"]["reconstructions"]
    np.testing.assert_allclose(facts["median"], np.median(found.losses.min(axis=1)))
    numbers = np.genfromtxt(tmp_path / "figures" / "curves.csv", delimiter=",", names=True)
    np.testing.assert_allclose(numbers["target_2_run_1"], found.history[2, 1])
    with np.load(tmp_path / "codes.npz") as codes:
        np.testing.assert_array_equal(codes["codes"], found.best_codes)


def test_sound_has_no_images_and_a_registration_has_columns(tmp_path):
    found, ones = inverted(), np.ones((5, 3))
    transforms = gg.optimize.Similarity(1.1 * ones, np.radians(3) * ones, np.stack([ones, -ones], axis=-1))
    silence = np.zeros((5, 3, 100, 1))
    sound = dataclasses.replace(found, samples=silence, aligned=silence, targets=silence[:, 0], transforms=transforms)
    _, page = inversion_page(sound, SUBJECT, tmp_path)
    assert 'id="reconstructions"' not in page.read_text()
    runs = json.loads((tmp_path / "summary.json").read_text())["runs"]
    assert runs["scale"] == [1.1] * 15
    np.testing.assert_allclose(runs["turn, degrees"], 3.0)
    assert (runs["x"][0], runs["y"][0]) == (1.0, -1.0)
