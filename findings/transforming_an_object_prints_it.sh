#!/usr/bin/env bash
# jax.vmap, grad and jvp of a callable object print the whole object, its weights included, at every call.
#
# Versions: jax and jaxlib 0.10.2, Python 3.11 or newer.
# Behaviour: a transformation wants a name for its debug information. Of a function it takes the name; of an object with
#   a __call__ it takes str(object), and then throws that text away unless it is that of a built-in function. A
#   dataclass with weights (a model as a pytree, as equinox, flax.struct and hand-written ones are) is printed whole:
#   every array is copied from the device and formatted, at every call of jax.vmap(model)(x), also inside jit.
# Expected: the type's name, at no cost.
# Seen (two cores, busy): 64 arrays of 900 numbers: jax.vmap(model)(x) 412 ms, jax.vmap(lambda x: model(x))(x) 0.5 ms;
#   the model was printed once for each call.
# Who meets it: anybody whose model is a callable pytree without a short repr.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import dataclasses
import statistics
import time

import jax
import jax.numpy as jnp

printed = 0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    weights: list

    def __call__(self, x):
        return x + self.weights[0][0, 0]

    def __str__(self):
        global printed
        printed += 1
        return repr(self)


def milliseconds(call):
    call()
    times = []
    for _ in range(9):
        started = time.perf_counter()
        call().block_until_ready()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


model = Model([jnp.ones((30, 30)) for _ in range(64)])
x = jnp.ones(8)
as_object = milliseconds(lambda: jax.vmap(model)(x))
times_printed = printed
as_function = milliseconds(lambda: jax.vmap(lambda x: model(x))(x))
print(f"jax {jax.__version__}: vmap of an object {as_object:.1f} ms, of a function around it {as_function:.1f} ms")
print(f"printed {times_printed} times in 10 calls of the object, {printed - times_printed} of the function")
assert times_printed == 10 and printed == 10, "the object is not printed any more: this finding is out of date"
assert as_object > 5 * as_function, "printing no longer costs much: this finding is out of date"
PYTHON
