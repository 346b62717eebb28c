import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geomgan.training import classifier
from geomgan.training.data import Digits


@pytest.fixture(scope="module")
def data():
    """Bars whose place tells the label."""
    labels = np.arange(40, dtype=np.int32) % 10
    images = np.full((40, 32, 32, 1), -1, np.float32)
    for image, label in zip(images, labels, strict=True):
        image[3 * label + 1 : 3 * label + 3, 4:28] = 1
    return Digits(images, labels, images, labels)


def test_training_lowers_the_loss_and_is_deterministic(data):
    def losses():
        state, values = classifier.initial_classifier(jax.random.key(0), 100), []
        for _ in range(8):
            state, scalars = classifier.classifier_step(
                state, data.train_images, data.train_labels, steps=100, batch=32
            )
            values.append(float(scalars["loss"]))
        return values

    first = losses()
    assert first[-1] < 0.95 * first[0], first
    assert losses() == first


def test_a_killed_run_goes_on_to_the_same_weights(data, tmp_path, monkeypatch):
    file = tmp_path / "classifier.npz"
    train, options = classifier.train_classifier, {"steps": 4, "batch": 8, "every": 2, "progress": False}
    whole, _ = train(data, jax.random.key(0), **options)

    real, calls = classifier.classifier_step, []

    def killed(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(classifier, "classifier_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(data, jax.random.key(0), checkpoint=file, **options)
    assert file.exists()
    resumed, _ = train(data, jax.random.key(0), checkpoint=file, **options)
    assert len(calls) == 4 + 2  # from the checkpoint of step 2, not from the start
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_the_network_is_small_and_names_its_activations():
    state = classifier.initial_classifier(jax.random.key(0), 10)
    assert sum(x.nbytes for x in jax.tree.leaves(state.params)) < 1_000_000
    _, taps = classifier.CLASSIFIER.apply({"params": state.params}, jnp.zeros((32, 32, 1)), mutable=["activations"])
    shapes = {name: x.shape for name, x in taps["activations"].items()}
    assert shapes["conv1"] == shapes["conv1.preactivation"] == (16, 16, 24)
    assert shapes["conv2"] == (16, 16, 48)
    assert shapes["conv3"] == (8, 8, 64)
    assert shapes["dense1"] == (128,)
    assert shapes["logits"] == (10,)
    assert float(taps["activations"]["conv1"].min()) >= 0


def test_predictions_do_not_depend_on_the_batch(data):
    params = classifier.initial_classifier(jax.random.key(0), 10).params
    whole = classifier.predict(params, data.test_images, batch=40)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(classifier.predict(params, data.test_images, batch=15), whole, atol=1e-5)
    expected = np.mean(whole.argmax(1) == data.test_labels)
    assert classifier.accuracy(params, data.test_images, data.test_labels) == pytest.approx(expected)


def test_shifts_move_whole_images_by_up_to_two_pixels():
    image = np.full((32, 32, 1), -1, np.float32)
    image[10, 20] = 1
    moved = np.asarray(classifier.shift(jnp.asarray(np.stack([image] * 200)), jax.random.key(0)))
    assert ((moved == 1).sum((1, 2, 3)) == 1).all()
    assert ((moved == -1).sum((1, 2, 3)) == 32 * 32 - 1).all()
    places = np.argwhere(moved == 1)[:, 1:3] - [10, 20]
    assert {tuple(p) for p in places} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}
