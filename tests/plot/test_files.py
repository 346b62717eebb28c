"""Figures as files: laid out once, the same bytes every time, whole."""

import io
from unittest import mock

import numpy as np
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

import geomgan as gg
from geomgan import plot
from geomgan.errors import OptionError
from tests.plot.gallery import pictures, tensors


def draw():
    return plot.spectra({"A": tensors()})


def test_files_are_the_same_bytes_every_time():
    assert plot.png(draw()) == plot.png(draw())
    assert plot.svg(draw()) == plot.svg(draw())


def test_a_figure_is_laid_out_once_for_all_its_files():
    fig, execute = draw(), ConstrainedLayoutEngine.execute
    with mock.patch.object(ConstrainedLayoutEngine, "execute", autospec=True, side_effect=execute) as counted:
        first = plot.png(fig)
        plot.svg(fig)
        assert plot.png(fig) == first
    assert counted.call_count == 1


def test_the_picture_has_the_size_of_the_figure_and_keeps_it():
    fig = draw()
    size, dpi = fig.get_size_inches().copy(), fig.dpi
    with Image.open(io.BytesIO(plot.png(fig, dpi=200))) as image:
        np.testing.assert_allclose(image.size, 200 * size, atol=1)
    np.testing.assert_array_equal(fig.get_size_inches(), size)
    assert fig.dpi == dpi


def test_text_of_an_svg_is_paths_and_images_are_embedded():
    text = plot.svg(plot.image_grid(pictures(2), title="Two")).decode()
    assert "<text" not in text
    assert 'href="data:image/png;base64,' in text
    assert "<dc:date>" not in text
    assert "matplotlib.org/" not in text.split("<defs>")[0].replace("<!--", "")  # nothing that depends on the version


def test_settings_of_the_user_do_not_change_a_file():
    import matplotlib as mpl

    expected = plot.png(draw()), plot.svg(draw())
    changed = {"savefig.bbox": "tight", "svg.fonttype": "none", "font.size": 20, "figure.constrained_layout.use": True}
    with mpl.rc_context(changed):
        assert (plot.png(draw()), plot.svg(draw())) == expected


def test_a_figure_is_saved_in_several_formats(tmp_path):
    files = plot.save(draw(), tmp_path / "spectra", (".png", ".svg"))
    assert [file.name for file in files] == ["spectra.png", "spectra.svg"]
    assert files[0].read_bytes() == plot.png(draw())
    assert files[1].read_bytes() == plot.svg(draw())
    assert plot.save(draw(), tmp_path / "one.svg") == (tmp_path / "one.svg",)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.svg", "spectra.png", "spectra.svg"]


def test_what_cannot_be_saved_is_explained(tmp_path):
    with pytest.raises(OptionError, match=r"the suffix of a\.pdf='\.pdf' is not known"):
        plot.save(draw(), tmp_path / "a.pdf")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(gg.StoreError, match="cannot write"):
        plot.save(draw(), tmp_path / "a.png")
