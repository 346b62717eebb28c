"""torchvision's trunks and the heads of lpips, converted apart: LPIPS and classifier features take what they need."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

import geomgan as gg
from geomgan.errors import CheckpointError, NotHereError
from geomgan.models.families.judges import HEADS, TORCHVISION
from tests.distances.torch_networks import features, our_weights, seeded
from tests.fixtures import golden
from tests.weights_convert.torch_models import saved
from weights_convert.convert import convert
from weights_convert.families import lpips as module_under_test


def tensors(net: str, *prefixes: str) -> dict[str, torch.Tensor]:
    """A part of the fixture's state dict; of torchvision's file, with the classifier that it also holds."""
    state = seeded(net) | {"classifier.1.weight": np.ones((2, 3), "f4"), "classifier.1.bias": np.ones(2, "f4")}
    return {k: torch.from_numpy(v.copy()) for k, v in state.items() if k.startswith(prefixes)}


def written(folder, name: str, state) -> str:
    (folder / name).write_bytes(saved(state))
    return str(folder / name)


def pair(net: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Two images in (0, 1), and their distance by the original."""
    arrays = golden(f"lpips_{net}_seeded")[1]
    x, y = (np.moveaxis(arrays[f"image{i}_64"][0], 0, -1).astype(np.float32) / 255 for i in (0, 1))
    return x, y, float(arrays["distance_64_normalize1"][0])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder with the trunk and the heads of every network, each converted from its own file."""
    home = tmp_path_factory.mktemp("home")
    for net in HEADS:
        model, _ = TORCHVISION[net]
        trunk = written(home, f"{model}.pth", tensors(net, "features.", "classifier."))
        convert(f"torchvision-{model}", trunk, home / "lpips" / net)
        heads = written(home, f"{net}.pth", tensors(net, "lin"))
        convert(f"lpips-heads-{net}", heads, home / "lpips" / f"{net}-heads-0.1")
        convert(f"lpips-heads-{net}", heads, home / "lpips" / f"{net}-heads-0.0", {"version": "0.0"})
    return home


@pytest.mark.parametrize("net", HEADS)
def test_a_trunk_in_a_folder_and_heads_in_another(cache, net):
    x, y, expected = pair(net)
    folders = {"trunk": cache / "lpips" / net, "heads": cache / "lpips" / f"{net}-heads-0.1"}
    D = gg.distances.lpips(net, input_range=(0, 1), weights=folders)
    assert float(D(x, y)) == pytest.approx(expected, rel=1e-5)


def test_the_cache_is_found(cache, monkeypatch):
    monkeypatch.setenv("GEOMGAN_HOME", str(cache))
    x, y, expected = pair("squeeze")
    assert float(gg.distances.lpips("squeeze", input_range=(0, 1))(x, y)) == pytest.approx(expected, rel=1e-5)
    by_hand = gg.distances.lpips("squeeze", (0, 1), weights=our_weights("squeeze", seeded("squeeze")), version="0.0")
    assert float(gg.distances.lpips("squeeze", (0, 1), version="0.0")(x, y)) == pytest.approx(float(by_hand(x, y)))
    features = gg.distances.classifier_features("squeeze", "fire9", input_range=(0, 1))
    assert float(features(x, y)) > 0
    # alex: the trunk that the package carries, with heads 0.0 from the cache
    own = [np.ravel(seeded("alex")[f"lin{k}.model.1.weight"]) for k in range(5)]
    by_hand = gg.distances.lpips("alex", (0, 1), weights={"heads": own}, version="0.0")
    assert float(gg.distances.lpips("alex", (0, 1), version="0.0")(x, y)) == pytest.approx(float(by_hand(x, y)))


def test_a_trunk_alone_is_enough_without_heads(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("GEOMGAN_HOME", str(tmp_path))
    folder = cache / "lpips" / "squeeze"
    assert gg.distances.lpips("squeeze", weights=folder, linear=False).name == "lpips-squeeze-features"
    assert gg.distances.classifier_features("squeeze", "fire3", weights=folder).name == "squeeze-fire3"
    with pytest.raises(NotHereError, match=r"heads of LPIPS 0\.1 for 'squeeze'"):
        gg.distances.lpips("squeeze", weights=folder)
    with pytest.raises(NotHereError, match=r"weights of the network 'squeeze'"):
        gg.distances.lpips("squeeze", weights=cache / "lpips" / "squeeze-heads-0.1")


def test_heads_of_another_version_or_part_are_refused(cache):
    heads = cache / "lpips" / "alex-heads-0.0"
    with pytest.raises(CheckpointError, match=r"heads of LPIPS 0\.0; expected 0\.1\. Pass version='0\.0'"):
        gg.distances.lpips("alex", weights=heads)
    assert gg.distances.lpips("alex", weights=heads, version="0.0").name == "lpips-alex-0.0"
    with pytest.raises(CheckpointError, match="'lpips-heads-alex', which has no trunk"):
        gg.distances.lpips("alex", weights={"trunk": heads})
    with pytest.raises(CheckpointError, match="holds 'lpips-heads-alex'; expected one of 'torchvision-vgg16'"):
        gg.distances.lpips("vgg", weights=heads)


def test_features_of_vgg19_at_28_pixels(tmp_path):
    """The feature map of GenerativeLatentSpace: relu5_2 of grey digits, 512 numbers."""
    torch.manual_seed(0)
    net = features("vgg19")
    for layer in net:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    path = written(tmp_path, "vgg19.pth", {f"features.{name}": value for name, value in net.state_dict().items()})
    folder = convert("torchvision-vgg19", path, tmp_path / "model")
    x, y = torch.rand(2, 1, 28, 28).expand(2, 3, 28, 28)
    shift, scale = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        a, b = net[:32]((torch.stack([x, y]) - shift) / scale)  # up to relu5_2
    assert a.shape == (512, 1, 1)
    D = gg.distances.classifier_features("vgg19", "relu5_2", weights=folder, input_range=(0, 1))
    x, y = (np.asarray(image[:1]).transpose(1, 2, 0) for image in (x, y))
    assert float(D(x, y)) == pytest.approx(float(((a - b) ** 2).sum()), rel=1e-4)
    with pytest.raises(ValueError, match="'vgg19'"):
        gg.distances.lpips("vgg19")


def test_trunk_and_heads_in_one_state_dict(tmp_path):
    x, y, expected = pair("squeeze")
    path = written(tmp_path, "both.pth", tensors("squeeze", "features.", "lin", "classifier."))
    folder = convert("lpips-squeeze", path, tmp_path / "model")
    assert float(gg.distances.lpips("squeeze", (0, 1), weights=folder)(x, y)) == pytest.approx(expected, rel=1e-5)


def test_what_is_ignored_is_listed_with_its_reason(cache):
    card = json.loads((cache / "lpips" / "squeeze" / "model.json").read_text())
    assert list(card["ignored"]) == ["classifier.*"]
    assert "no distance here compares" in card["ignored"]["classifier.*"]
    assert card["config"] == {"net": "squeeze"}


def test_published_heads_are_known_by_their_numbers(tmp_path, monkeypatch):
    state = tensors("alex", "lin")
    digest = hashlib.sha256(b"".join(head.numpy().tobytes() for head in state.values())).hexdigest()
    monkeypatch.setitem(module_under_test.PUBLISHED, digest[:16], "0.0")
    path = written(tmp_path, "alex.pth", state)
    folder = convert("lpips-heads-alex", path, tmp_path / "heads")
    assert json.loads((folder / "model.json").read_text())["config"] == {"net": "alex", "version": "0.0"}
    with pytest.raises(CheckpointError, match=r"published heads of LPIPS 0\.0; the option says 0\.1"):
        convert("lpips-heads-alex", path, tmp_path / "other", {"version": "0.1"})
    with pytest.raises(ValueError, match="version='1' is not known"):
        convert("lpips-heads-alex", path, tmp_path / "other", {"version": "1"})
    assert not (tmp_path / "other").exists()


def test_a_published_name_promises_the_sha256(tmp_path):
    data = saved(tensors("squeeze", "features.", "classifier."))
    start = hashlib.sha256(data).hexdigest()[:8]
    wrong = "00000000" if start != "00000000" else "11111111"
    for name, good in ((f"{start}.pth", True), (f"{wrong}.pth", False), (f"{wrong} (1).pth", False)):
        path = tmp_path / f"squeezenet1_1-{name}"
        path.write_bytes(data)
        if good:
            assert (convert("torchvision-squeezenet1_1", path, tmp_path / "model") / "model.json").is_file()
        else:
            with pytest.raises(CheckpointError, match=rf"sha256 {start}.*begins with {wrong}.*Download it again"):
                convert("torchvision-squeezenet1_1", path, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("family", "prefixes", "says"),
    [
        ("torchvision-alexnet", ("features.",), r"torchvision's alexnet: .* missing"),
        ("torchvision-squeezenet1_1", ("features.", "lin"), r"7 tensors left over: lin0\.model"),
        ("lpips-heads-squeeze", ("lin", "classifier."), r"2 tensors left over: classifier\.1"),
        ("lpips-heads-alex", ("lin",), r"LPIPS heads for alex: 2 tensors left over: lin5\.model"),
    ],
)
def test_other_files_are_refused(tmp_path, family, prefixes, says):
    path = written(tmp_path, "file.pth", tensors("squeeze", *prefixes))
    with pytest.raises(CheckpointError, match=says):
        convert(family, path, tmp_path / "model")
    assert not (tmp_path / "model").exists()
