"""Products of matrices, dense layers, embeddings, and the inverses and determinants of flows."""

from __future__ import annotations

import jax.numpy as jnp
from jax.lax.linalg import householder_product
from jax.scipy.linalg import expm, solve_triangular

from geomgan.generators.aten.operators.arguments import Operators


def linear(input, weight, bias=None):
    out = input @ weight.T
    return out if bias is None else out + bias


def bilinear(input1, input2, weight, bias=None):
    out = jnp.einsum("...i,kij,...j->...k", input1, weight, input2)
    return out if bias is None else out + bias


def added_product(x, first, second, *, beta=1, alpha=1):
    """``beta x + alpha first second``: of matrices, of a matrix and a vector, and of stacks of matrices."""
    return beta * x + alpha * (first @ second)


def addbmm(x, batch1, batch2, *, beta=1, alpha=1):
    return beta * x + alpha * jnp.einsum("bij,bjk->ik", batch1, batch2)


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    return weight[indices]


def triangular_solution(x, b, *, upper, left=True, unitriangular=False):
    if left:
        return solve_triangular(x, b, lower=not upper, unit_diagonal=unitriangular)
    flipped = solve_triangular(x.mT, b.mT, lower=upper, unit_diagonal=unitriangular)
    return flipped.mT


OPERATORS: Operators = {
    "linear": linear,
    "bilinear": bilinear,
    "matmul": jnp.matmul,
    "mm": jnp.matmul,
    "bmm": jnp.matmul,
    "mv": jnp.matmul,
    "dot": jnp.dot,
    "outer": jnp.outer,
    "addmm": added_product,
    "addmv": added_product,
    "baddbmm": added_product,
    "addbmm": addbmm,
    "vdot": jnp.vdot,
    "kron": jnp.kron,
    "linalg_multi_dot": jnp.linalg.multi_dot,
    "linalg_cross": lambda x, other, *, dim=-1: jnp.cross(x, other, axis=dim),
    "tensordot": lambda x, other, dims_self, dims_other: jnp.tensordot(x, other, (dims_self, dims_other)),
    "einsum": lambda equation, tensors, *, path=None: jnp.einsum(equation, *tensors),
    "embedding": embedding,
    "inverse": jnp.linalg.inv,
    "linalg_inv": jnp.linalg.inv,
    "linalg_inv_ex": lambda x, *, check_errors=False: (jnp.linalg.inv(x), jnp.zeros(x.shape[:-2], "int32")),
    "linalg_householder_product": householder_product,
    "linalg_cholesky": lambda x, *, upper=False: jnp.linalg.cholesky(x, upper=upper),
    "linalg_matrix_exp": expm,
    "matrix_exp": expm,
    "linalg_solve": lambda x, b, *, left=True: jnp.linalg.solve(x, b),
    "linalg_solve_triangular": triangular_solution,
    "det": jnp.linalg.det,
    "linalg_det": jnp.linalg.det,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "linalg_slogdet": jnp.linalg.slogdet,
    "slogdet": jnp.linalg.slogdet,
}
