"""Opening models: by a name of the catalogue, or from the folder of a converted checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geomgan.errors import NotHereError, OptionError, of_torch, warn
from geomgan.generators import Generator
from geomgan.models.build import build
from geomgan.models.card import CARD, is_model, read_card, without_card
from geomgan.models.folder import read_model
from geomgan.zoo.catalogue import NONE_STATED, WARPED, catalogue, entry


def load(model: str | os.PathLike[str], *, part: str | None = None, **options: Any) -> Any:
    """Open a model; nothing is downloaded.

    Args:
        model: a name of the catalogue (``geomgan models``), or the folder of a converted checkpoint.
        part: another network of the model than its generator: ``"encoder"``, ``"discriminator"``, ``"classifier"``.
        options: what the model's family offers: ``space``, ``class_index``, ``truncation``, ``base``, ...

    Returns:
        A ``Generator``, or a ``Network`` for another part.

    Raises:
        ValueError: unknown name or part, the nearest are given; an option cannot have that value.
        TypeError: an option that the family does not have.
        NotHereError: the model is known but not here, or a file that is none yet; says which command brings it.
        CheckpointError: the folder is damaged.
    """
    folder, name = locate(model)
    card, params = read_model(folder)
    return build(card, params, part, name, options)


def load_generator(model: str | os.PathLike[str], **options: Any) -> Generator:
    """Open a model that must be a generator; as :func:`load`.

    Raises:
        OptionError: the model has no generator.
    """
    G = load(model, **options)
    if not isinstance(G, Generator):
        raise OptionError(
            f"{model} is a network of a distance, not a generator. Pass a generator, such as digits-dcgan; "
            "`geomgan models` lists them."
        )
    return G


def locate(model: str | os.PathLike[str]) -> tuple[Path, str]:
    """The folder of a model that is here, and its name.

    A path, with a separator in it or as an object, is a folder. A bare name is a known model; a folder of that name is
    taken where the known one is not here, and is told of where both are. The names that WarpedGANSpace gives its
    generators are known too, such as ``SNGAN_MNIST``.
    """
    model = WARPED.get(str(model), model)
    if hint := of_torch(model):
        raise TypeError(f"model is {type(model).__name__}; expected a name or a folder.{hint}")
    folder, known = Path(os.path.expanduser(model)), catalogue().get(str(model))
    is_path = isinstance(model, os.PathLike) or os.sep in str(model)
    if known and not is_path and known.is_here:
        if is_model(folder) and folder.resolve() != known.folder.resolve():
            warn(f"{model} is a known model and a folder here: took the known one. The folder is ./{model}.")
        return known.folder, known.name
    if is_model(folder):
        return folder, folder.resolve().name
    if is_path or (os.path.exists(folder) and not known):
        raise NotHereError(_about(folder))
    known = known or entry(str(model), [path.name for path in Path().iterdir() if is_model(path)])
    if not known.is_here:
        raise NotHereError(f"{model} is not on this machine: {known.how_to_get}.")
    return known.folder, known.name


def _about(path: Path) -> str:
    """What a path is that is no converted model, and the shortest way from it to one."""
    from weights_convert.auto import about
    from weights_convert.folders import weight_files

    if path.name == CARD:
        return f"{path} is the card of a model; expected its folder. Name {path.parent}."
    if os.path.isfile(path):
        return about(path)
    found = about(path) if weight_files(path) else ""
    return found or without_card(path)


def card(model: str | os.PathLike[str]) -> dict[str, Any]:
    """The card of a model: family, source, licences of weights and code, latent spaces, prior, output range, figures.

    It is what the catalogue knows, and for a model that is here ``model.json``: besides the configuration, the
    ``files`` it was made from with size and sha256, ``parameters`` by part, ``forward_gflop`` and the ``reference``
    that ``geomgan models --check`` compares its samples with. A model that is not here has ``how_to_get`` instead.

    Raises:
        ValueError: unknown name; the nearest are given.
        NotHereError, CheckpointError: a folder that is no model, or a damaged one.
    """
    known = catalogue().get(WARPED.get(str(model), str(model)))
    if known and not known.is_here and not is_model(Path(model)):
        return {**known.card, "how_to_get": known.how_to_get}
    folder, _ = locate(model)
    of_catalogue = known.card if known and folder == known.folder else {}
    return {"licence": NONE_STATED, "code_licence": NONE_STATED, **of_catalogue, **read_card(folder)}
