"""Recurrent networks, patches, spectrograms and distances."""

import numpy as np

from tests.generators.aten.operator_cases import case, fixed, normal, waves


def recurrent(gates: int, features: int, hidden: int, layers: int, directions: int, biases: bool = True) -> list:
    """Weights of every layer and direction."""
    return [
        part
        for layer in range(layers)
        for _ in range(directions)
        for part in [
            normal(gates * hidden, features if layer == 0 else hidden * directions),
            normal(gates * hidden, hidden),
            *([normal(gates * hidden), normal(gates * hidden)] if biases else []),
        ]
    ]


X = normal(5, 2, 3)  # times, signals, features
RECURRENT = [
    case(
        "lstm.input", X, [normal(4, 2, 4), normal(4, 2, 4)], recurrent(4, 3, 4, 2, 2), True, 2, 0.5, False, True, False
    ),
    case("lstm.input", X, [normal(1, 5, 4)] * 2, recurrent(4, 3, 4, 1, 1, False), False, 1, 0.0, True, False, True),
    case("gru.input", X, normal(4, 2, 4), recurrent(3, 3, 4, 2, 2), True, 2, 0.0, False, True, False),
    case("rnn_tanh.input", X, normal(2, 5, 4), recurrent(1, 3, 4, 2, 1), True, 2, 0.0, False, False, True),
    case("rnn_relu.input", X, normal(2, 2, 4), recurrent(1, 3, 4, 1, 2), True, 1, 0.0, False, True, False),
    case("lstm_cell", X[0], [normal(2, 4), normal(2, 4)], *recurrent(4, 3, 4, 1, 1)),
    case("gru_cell", X[0], normal(2, 4), *recurrent(3, 3, 4, 1, 1)),
    case("rnn_tanh_cell", X[0], normal(2, 4), *recurrent(1, 3, 4, 1, 1)),
    case("rnn_relu_cell", X[0], normal(2, 4), *recurrent(1, 3, 4, 1, 1, False)),
]

IMAGE = normal(2, 3, 6, 7)
PATCHES = [
    case("im2col", IMAGE, [3, 2], [1, 2], [1, 0], [2, 1]),
    case("im2col", IMAGE, [2, 2], [1, 1], [0, 0], [2, 2]),
    case("col2im", normal(2, 18, 15), [6, 7], [3, 2], [1, 2], [1, 0], [2, 1]),
    case("col2im", normal(2, 12, 9), [6, 7], [2, 2], [1, 1], [0, 0], [2, 2]),
]

HANN = fixed(np.hanning(9)[:8].astype(np.float32))
SPECTROGRAMS = [
    case("stft", normal(2, 40), 8, 3, return_complex=True),
    case("stft", normal(40), 16, 4, 8, HANN, True, True, False),
    case("stft", normal(2, 40), 8, None, 8, HANN, False, False, True),
    case("istft", waves(2, 5, 9), 8, 2, 8, HANN),
    case("istft", waves(5, 9), 8, 2, 8, HANN, True, True, True, 12),
    case("istft", waves(8, 9), 8, 3, None, None, False, False, False),
    case("hann_window", 8),
    case("hann_window", 8, False),
]

A, B = normal(2, 3, 4), normal(2, 5, 4)
DISTANCES = [
    case("cdist", A, B, smooth=0),
    case("cdist", A, B, 1.0, smooth=0),
    case("_cdist_forward", A, B, 2.0, None, smooth=0),
    case("pairwise_distance", A, B[:, :3]),
    case("pairwise_distance", A, B[:, :3], 1, 0.1, True),
    case("cosine_similarity", A, B[:, :3]),
    case("cosine_similarity", A, B[:, :1], -1, 0.5),
    *(case("mse_loss", A, B[:, :3], reduction) for reduction in (0, 1, 2)),
    case("vdot", normal(4), normal(4)),
    case("kron", normal(2, 3), normal(3, 2)),
    case("linalg_multi_dot", [normal(2, 3), normal(3, 4), normal(4, 2)]),
    case("linalg_cross", normal(2, 3), normal(2, 3)),
    case("linalg_cross", normal(3, 2), normal(3, 2), dim=0),
    case("linalg_inv_ex", normal(2, 3, 3)),
    case("linalg_cholesky", np.eye(3, dtype=np.float32) * 3 + 0.5, smooth=0),
    case("linalg_cholesky", np.eye(3, dtype=np.float32) * 3 + 0.5, upper=True, smooth=0),
    case("linalg_matrix_exp", normal(3, 3)),
    case("matrix_exp", normal(2, 3, 3)),
    case("linalg_householder_product", normal(4, 3), normal(3), smooth=0),
]
