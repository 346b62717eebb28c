"""Regenerate fixture tensors from their manifest (a NAME.json dict).  numpy only; torch is needed by write_checkpoint.

Every float tensor has its own stream:  SeedSequence([seed, crc32(utf-8 name)]) -> PCG64 -> Generator.  Rules ("init"):
  normal     mean + std * rng.standard_normal(shape, float32)        (all float32 arithmetic)
  uniform    low + (high - low) * rng.random(shape, float32)         (float32; high - low is rounded once)
  constant   one value everywhere
  values     nested list "values" broadcast to the shape (fixed filters and the like)
  alias      the same numbers as tensor "of" (one module registered under two names)
  sn_u       left singular vector estimate of W = tensor "of" viewed as (rows, -1), in float64, cast to float32:
             u = rng.standard_normal(rows) of stream "stream", u /= |u|; "iterations" times v = W'u/|W'u|, u = Wv/|Wv|
  sn_v       the v of the last of those iterations
"seed" may be overridden per tensor with "seed" in its init.  Inputs ("inputs" in the manifest) follow the same rules.
"""

import zlib

import numpy as np


def _rng(seed, name):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def _power(weight, seed, init):
    w = weight.reshape(weight.shape[0], -1).astype(np.float64)
    u = _rng(seed, init["stream"]).standard_normal(w.shape[0])
    u /= np.linalg.norm(u)
    for _ in range(init["iterations"]):
        v = w.T @ u
        v /= np.linalg.norm(v)
        u = w @ v
        u /= np.linalg.norm(u)
    return u, v


def make_tensor(entry, seed, others, cache=None):
    """One tensor of the manifest; `others` holds the tensors it may refer to."""
    name, shape, init = entry["name"], tuple(entry["shape"]), entry["init"]
    kind, seed = init["kind"], init.get("seed", seed)
    f = np.float32
    if kind == "normal":
        out = f(init["mean"]) + f(init["std"]) * _rng(seed, name).standard_normal(shape, dtype=f)
    elif kind == "uniform":
        out = f(init["low"]) + f(init["high"] - init["low"]) * _rng(seed, name).random(shape, dtype=f)
    elif kind == "constant":
        out = np.full(shape, init["value"])
    elif kind == "values":
        out = np.broadcast_to(np.asarray(init["values"], dtype=entry["dtype"]), shape)
    elif kind == "alias":
        out = others[init["of"]]
    elif kind in ("sn_u", "sn_v"):
        cache = {} if cache is None else cache
        key = (init["of"], init["stream"], init["iterations"])
        if key not in cache:
            cache[key] = _power(others[init["of"]], seed, init)
        out = cache[key][0 if kind == "sn_u" else 1]
    else:
        raise ValueError(f"unknown rule {kind!r}")
    return np.array(np.asarray(out).reshape(shape), dtype=entry["dtype"])


def _make(entries, seed):
    derived = ("alias", "sn_u", "sn_v")
    out, cache = {}, {}
    for entry in sorted(entries, key=lambda e: e["init"]["kind"] in derived):  # stable: the referred-to ones first
        out[entry["name"]] = make_tensor(entry, seed, out, cache)
    return {entry["name"]: out[entry["name"]] for entry in entries}


def make_state_dict(manifest):
    """{tensor name: array} in checkpoint order (entries with an "item" stand beside the state dict in the file)."""
    return _make(manifest["tensors"], manifest["seed"])


def make_inputs(manifest):
    """{input name: array} for inputs that are given by a rule (noise maps ...); the others are in the npz."""
    return _make(manifest.get("inputs", []), manifest["seed"])


def write_checkpoint(manifest, path):
    """Save the tensors with torch, nested as in the published file (manifest["checkpoint_layout"])."""
    import sys
    import types
    from collections import OrderedDict

    import torch

    arrays = make_state_dict(manifest)
    tensors = {k: torch.from_numpy(v.copy()) for k, v in arrays.items()}
    beside = {e["name"] for e in manifest["tensors"] if e.get("item")}
    layout, made = manifest["checkpoint_layout"], []

    def build(node):
        if isinstance(node, str) and node.startswith("$weights"):  # "$weights" or "$weights:prefix"
            prefix = node.partition(":")[2]
            return OrderedDict((prefix + k, v) for k, v in tensors.items() if k not in beside)
        if isinstance(node, str) and node.startswith("$tensor:"):
            return tensors[node.partition(":")[2]]
        if isinstance(node, dict) and "$object" in node:  # a pickled settings object of the original code
            module, _, cls = node["$object"].rpartition(".")
            for i in range(module.count(".") + 1):
                part = ".".join(module.split(".")[: i + 1])
                if part not in sys.modules:
                    sys.modules[part] = types.ModuleType(part)
                    made.append(part)
            kind = type(cls, (object,), {"__module__": module})
            setattr(sys.modules[module], cls, kind)
            obj = kind()
            obj.__dict__.update(node.get("attributes", {}))
            return obj
        if isinstance(node, dict):
            return {k: build(v) for k, v in node.items()}
        return node

    try:
        torch.save(build(layout["tree"]), path, _use_new_zipfile_serialization=layout.get("format", "zip") == "zip")
    finally:
        for part in made:
            sys.modules.pop(part, None)
