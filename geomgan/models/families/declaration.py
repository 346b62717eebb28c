"""What a declaration of a family says: its networks, the options of opening it, and who converts its checkpoints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn

from geomgan.generators.spaces import Settings

Config = Mapping[str, Any]
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Part:
    """One network of a family.

    Attributes:
        module: the Flax module of a configuration.
        inputs: the shapes of its inputs, of a configuration. Of a network that is no generator, its keyword-only
            parameters are the options of ``geomgan.load``.
        generator: for a family whose codes are not simply what the network takes:
            ``(config, params, *, option=default, ...) -> Settings``. Its keyword-only parameters are the options
            of ``geomgan.load``; with ``**options`` those are the names in ``config["inputs"]``. ``params`` are all
            parts of the folder, in numpy.
    """

    module: Callable[[Config], nn.Module]
    inputs: Callable[..., Shapes]
    generator: Callable[..., Settings] | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What ``geomgan.load`` takes for this family."""
        return tuple(p.name for p in self._parameters() if p.kind is inspect.Parameter.KEYWORD_ONLY)

    def options_of(self, config: Config) -> tuple[str, ...]:
        """What ``geomgan.load`` takes for the model of this configuration."""
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self._parameters()):
            return (*self.options, *config.get("inputs", {}))
        return self.options

    def _parameters(self) -> Collection[inspect.Parameter]:
        return inspect.signature(self.generator or self.inputs).parameters.values()


@dataclass(frozen=True)
class Checkpoint:
    """What its authors publish of a family, and who converts it.

    Attributes:
        what: which file or folder it is, for the help and for messages.
        converter: ``"module:function"`` in ``weights_convert``, imported when a checkpoint is converted;
            ``function(family, states, options) -> Converted`` takes the network of each file by name (``""`` for a
            single one), found by ``signature``, and under ``"file"`` all that a single one holds.
        reader: ``"module:function"`` there, ``(path) -> state``, which reads one file; empty:
            ``files:read_file``, which takes what any common program writes.
        files: names inside the folder where a model comes in several files -> the ``signature`` of each; empty for a
            single file.
        options: option -> help, for what the file does not say.
        config_files: patterns of a JSON file beside the checkpoint that says what the tensors do not; what is found is
            ``states["config"]``. The first pattern that matches one file is taken.
        needs_config: whether it cannot be converted without one.
        signature: patterns of tensor names that every checkpoint of the family has and few others: they tell where in
            a file the network is, and which family a file is of. Without one the converter takes the whole file.
        finder: a function of ``weights_convert.recognise.finders``, ``(signature) -> Fits``, that tells its networks.
        keys: under which the published file has the network, the first that is there.
        beside: a word of the file's name, and the word in its place in the name of a second file, which is read too
            where it lies there: ``states["beside"]``.
        stem: what comes before ``-`` and the start of the sha256 in the published file's name; a file of such a name
            must keep that promise.
    """

    what: str
    converter: str
    reader: str = ""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    config_files: tuple[str, ...] = ()
    needs_config: bool = False
    signature: tuple[str, ...] = ()
    finder: str = "signed"
    keys: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None
    stem: str = ""


@dataclass(frozen=True)
class Family:
    """A family of models, declared once.

    Attributes:
        name: in ``model.json``, in the catalogue and on the command line.
        networks: part -> network; empty for weights that a distance takes.
        checkpoint: what is converted; None for a family that this project trains.
        net: of weights for a distance: which ``net`` of ``geomgan.distances`` they are for.
        call: that opens them, with ``{}`` for the folder.
    """

    name: str
    networks: Mapping[str, Part] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    net: str = ""
    call: str = "geomgan.load({})"

    def use(self, folder: str) -> str:
        """The call that opens a model of this family, with ``folder`` as its argument."""
        return self.call.format(folder)


def code(config: Config) -> Shapes:
    """The inputs of a network that takes one code."""
    return ((config["latent_dim"],),)
