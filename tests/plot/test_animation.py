"""Animations: what the files hold."""

import resource
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

import geomgan as gg
from geomgan import plot
from geomgan.paths.axes import constant_speed_walk, walk
from geomgan.plot import animation
from geomgan.plot.style import ACCENT
from tests.small_models import linear_generator, small_dcgan

MSE = gg.distances.mse()


@pytest.fixture(scope="module")
def walks():
    return constant_speed_walk(small_dcgan(), MSE, np.ones(8), np.eye(8)[:, :2], 6, reach=1.0, grid=30)


def frames_of(path):
    """The frames of a file as floats, and how long each is shown, in milliseconds."""
    if path.suffix == ".mp4":
        import av

        with av.open(str(path)) as container:
            images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            return np.array(images, float), 1000 / float(container.streams.video[0].average_rate)
    with Image.open(path) as file:
        images = [np.asarray(frame.convert("RGB"), float) for frame in ImageSequence.Iterator(file)]
        file.seek(1)
        return np.array(images), file.info["duration"]


@pytest.mark.parametrize("suffix", [".gif", ".png", ".apng", ".mp4"])
def test_there_and_back(walks, tmp_path, suffix):
    if suffix == ".mp4":
        pytest.importorskip("av", reason="PyAV is not installed: pip install 'geomgan[video]' to run this")
    path = plot.animate(tmp_path / f"walk{suffix}", walks, [2.0, 1.0], fps=20)
    frames, duration = frames_of(path)
    tolerance = {".gif": 12, ".mp4": 12}.get(suffix, 0)  # a palette; a lossy codec that halves the colours' resolution
    assert frames.shape[0] == 11
    assert duration == 50
    assert np.abs(frames[0] - frames[-1]).mean() <= tolerance / 10
    assert np.abs(frames[2] - frames[8]).mean() <= tolerance / 10
    assert np.abs(frames[0] - frames[5]).mean() > 1
    panel = frames[3, 10 + 18 : 10 + 18 + 256, 10 : 10 + 256]  # the first axis, under its label
    expected = np.clip((walks.samples[0, 3] + 1) * 127.5, 0, 255).repeat(16, axis=0).repeat(16, axis=1)
    assert np.abs(panel - expected).mean() <= tolerance / 4 + 0.5
    assert frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("low", "high", "written"), [
    (-3, 3, ["−3", "0", "+3"]), (-0.2, 3, ["0", "+3"]), (-3, 0.2, ["−3", "0"]), (0, 2, ["0", "+2"]),
])  # fmt: skip
def test_the_scale_keeps_its_zero_before_a_close_end(low, high, written):
    texts = sorted((place, text) for _, text, place in animation.ticks(low, high, 160) if text)
    assert [text for _, text in texts] == written


def test_one_way(walks, tmp_path):
    frames, duration = frames_of(plot.animate(tmp_path / "a.gif", walks, fps=30, there_and_back=False))
    assert len(frames) == 6
    assert duration == 30  # hundredths of a second


def test_plain_frames_in_two_rows_at_their_size(tmp_path, rng):
    images = rng.uniform(0, 255, (3, 4, 50, 100, 3))
    path = plot.animate(tmp_path / "a.png", images, output_range=(0, 255), size=100, columns=2, fps=10)
    frames, duration = frames_of(path)
    assert frames.shape == (7, 130, 230, 3)
    assert duration == 100
    np.testing.assert_allclose(frames[1, 10:60, 10:110], images[0, 1], atol=0.51)
    np.testing.assert_allclose(frames[1, 10:60, 120:220], images[1, 1], atol=0.51)
    np.testing.assert_allclose(frames[1, 70:120, 10:110], images[2, 1], atol=0.51)
    assert (frames[:, 70:120, 120:220] == 255).all()
    single, _ = frames_of(plot.animate(tmp_path / "b.png", images[0], output_range=(0, 255), size=100))
    assert single.shape == (7, 70, 120, 3)


def test_the_mark_follows_t(walks, tmp_path):
    frames, _ = frames_of(plot.animate(tmp_path / "a.png", walks, labels=["", ""], there_and_back=False))
    accent = np.array([int(ACCENT[i : i + 2], 16) for i in (1, 3, 5)])
    track = (frames[:, 10 + 256 : 10 + 256 + 20, 10 : 10 + 256] == accent).all(axis=-1).any(axis=1)
    centres = np.array([np.flatnonzero(row).mean() for row in track])
    t = walks.steps[0]
    np.testing.assert_allclose(centres, 5 + (255 - 10) * (t - t[0]) / (t[-1] - t[0]), atol=1)


def test_the_caption_says_what_was_computed(walks):
    assert animation.caption_of(walks) == (
        "walks z + t v, step t (latent units), at constant speed under mse: "
        f"{walks.gaps[0]:.2g}, {walks.gaps[1]:.2g} from frame to frame"
    )
    lines = animation.wrapped(animation.caption_of(walks), 200)
    assert max(animation.font().getlength(line) for line in lines) <= 200
    assert " ".join(lines) == animation.caption_of(walks)


def test_nothing_is_rendered_for_what_cannot_be_written(walks, tmp_path, monkeypatch):
    nothing = None  # would fail where it is looked at: the file's name and speed are checked before
    with pytest.raises(ValueError, match=r"the suffix of a\.avi='\.avi' is not known"):
        plot.animate(tmp_path / "a.avi", nothing)
    with pytest.raises(gg.StoreError, match="there is no folder"):
        plot.animate(tmp_path / "none" / "a.gif", walks)
    with pytest.raises(ValueError, match="players slow a GIF down"):
        plot.animate(tmp_path / "a.gif", nothing, fps=60)
    with pytest.raises(ValueError, match="fps is 0"):
        plot.animate(tmp_path / "a.png", nothing, fps=0)
    with pytest.raises(ValueError, match="1 labels for 2 panels"):
        plot.animate(tmp_path / "a.png", walks, labels=["one"])
    with pytest.raises(ValueError, match="size is 3"):
        plot.animate(tmp_path / "a.png", walks, size=3)
    with pytest.raises(ValueError, match="there is 1 frame"):
        plot.animate(tmp_path / "a.png", np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="the frames holds 96 NaN"):
        plot.animate(tmp_path / "a.png", np.full((2, 4, 4, 3), np.nan))
    with pytest.raises(ValueError, match="expected images"):
        plot.animate(tmp_path / "a.png", np.zeros((4, 4, 3)))
    audio = walk(linear_generator(np.ones((20, 2), np.float32)), MSE, np.zeros(2), np.eye(2), [-1.0, 1.0])
    with pytest.raises(ValueError, match="expected images"):
        plot.animate(tmp_path / "a.png", audio)
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'geomgan\[video\]'"):
        plot.animate(tmp_path / "a.mp4", nothing)
    assert not list(tmp_path.iterdir())


def test_each_frame_is_drawn_once_and_looks_alike_in_every_format(walks, tmp_path):
    exact, _ = frames_of(plot.animate(tmp_path / "a.png", walks, [2.0, 1.0]))
    paletted, _ = frames_of(plot.animate(tmp_path / "a.gif", walks, [2.0, 1.0]))
    for frames in (exact, paletted):
        np.testing.assert_array_equal(frames, frames[::-1])
    assert np.abs(exact - paletted).mean() < 1.5
    assert np.abs(exact - paletted)[0, : 10 + 18].max() < 45  # letters keep their edges
    assert (paletted[:, :5] == 255).all()  # white paper stays white


def test_a_full_disk_leaves_the_old_file(walks, tmp_path):
    path = tmp_path / "a.gif"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(gg.StoreError, match=r"cannot write .*a\.gif: .*Free space"):
            plot.animate(path, walks)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]
