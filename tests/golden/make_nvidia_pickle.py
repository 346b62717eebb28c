"""Write an NVIDIA-style network pickle from a fixture manifest, to try a converter on a real file structure.

Real files pickle module objects as calls torch_utils.persistence._reconstruct_persistent_obj(meta) with
meta = {type: 'class', version: 6, module_src: <program text>, class_name, state}; state is the module's attribute dict
(_parameters, _buffers, _modules, ...).  Here module_src is empty: there is nothing to run, only structure and tensors.
Needs torch (parameters and buffers are pickled as torch objects).   write_nvidia_pickle(manifest, path)
"""

import pickle
import sys
import types
from collections import OrderedDict

import torch
from make_weights import make_state_dict

BUFFERS = {
    "resample_filter",
    "noise_const",
    "w_avg",
    "magnitude_ema",
    "up_filter",
    "down_filter",
    "freqs",
    "phases",
    "transform",
}


def _class_of(name, children):
    if name == "":
        return "Generator"
    if name == "mapping":
        return "MappingNetwork"
    if name == "synthesis":
        return "SynthesisNetwork"
    last = name.rsplit(".", 1)[-1]
    if last == "input":
        return "SynthesisInput"
    if last == "torgb":
        return "ToRGBLayer"
    if last.startswith("conv") or (last[0] == "L" and last[1:2].isdigit()):
        return "SynthesisLayer"
    if last[0] == "b" and last[1:].isdigit():
        return "SynthesisBlock"
    return "FullyConnectedLayer"


def write_nvidia_pickle(manifest, path):
    stubs = {n: types.ModuleType(n) for n in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")}
    before = {n: sys.modules.get(n) for n in stubs}
    sys.modules.update(stubs)

    def _reconstruct_persistent_obj(meta):
        raise RuntimeError("structure only")

    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    stubs["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj
    easy = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    stubs["dnnlib.util"].EasyDict = stubs["dnnlib"].EasyDict = easy

    class Node:
        def __init__(self, name):
            self.name, self.kids, self.params, self.buffers = name, OrderedDict(), OrderedDict(), OrderedDict()

        def __reduce__(self):
            state = {
                "training": False,
                "_parameters": self.params,
                "_buffers": self.buffers,
                "_non_persistent_buffers_set": set(),
                "_backward_hooks": OrderedDict(),
                "_forward_hooks": OrderedDict(),
                "_forward_pre_hooks": OrderedDict(),
                "_state_dict_hooks": OrderedDict(),
                "_load_state_dict_pre_hooks": OrderedDict(),
                "_modules": self.kids,
                "_init_args": (),
                "_init_kwargs": easy(),
            }
            if self.name == "":
                kwargs = manifest["config"]["init_kwargs"]
                state.update({k: kwargs[k] for k in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")})
                state.update(num_ws=manifest["config"]["num_ws"], _init_kwargs=easy(kwargs))
            meta = {
                "type": "class",
                "version": 6,
                "module_src": "",
                "class_name": _class_of(self.name, self.kids),
                "state": state,
            }
            return _reconstruct_persistent_obj, (meta,)

    root = Node("")
    for key, value in make_state_dict(manifest).items():
        node, parts = root, key.split(".")
        for i, part in enumerate(parts[:-1]):
            node = node.kids.setdefault(part, Node(".".join(parts[: i + 1])))
        tensor = torch.from_numpy(value.copy())
        if parts[-1] in BUFFERS:
            node.buffers[parts[-1]] = tensor
        else:
            node.params[parts[-1]] = torch.nn.Parameter(tensor, requires_grad=False)
    try:
        with open(path, "wb") as handle:
            pickle.dump(
                {"G": None, "D": None, "G_ema": root, "training_set_kwargs": easy(), "augment_pipe": None}, handle
            )
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
