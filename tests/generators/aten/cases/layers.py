"""Convolutions, dense layers and norms."""

import numpy as np

from tests.generators.aten.operator_cases import case, fixed, integers, normal, positive, unit

IMAGE, VOLUME, LINE = normal(1, 6, 7, 5), normal(1, 4, 4, 3, 5), normal(2, 4, 9)

CONVOLUTIONS = [
    case("conv1d", LINE, normal(6, 2, 3), normal(6), [2], [1], [2], 2),
    case("conv1d", LINE, normal(6, 4, 4), None, [1], "same", [2]),
    case("conv1d", LINE[0], normal(6, 4, 4), normal(6), [1], "valid"),
    case("conv2d", IMAGE, normal(4, 6, 3, 2), normal(4), [2, 1], [1, 2], [1, 2]),
    case("conv2d", IMAGE, normal(12, 1, 3, 3), None, [1, 1], [1, 1], [1, 1], 6),
    case("conv2d", IMAGE, normal(4, 3, 4, 3), normal(4), [1, 1], "same", [1, 1], 2),
    case("conv3d", VOLUME, normal(2, 4, 2, 3, 1), normal(2), [1, 2, 1], [1, 0, 1], [1]),
    case("conv_transpose1d", LINE, normal(4, 3, 4), normal(6), [3], [2], [1], 2, [2]),
    case("conv_transpose2d", IMAGE, normal(6, 4, 4, 4), normal(4), [2], [1]),
    case("conv_transpose2d", IMAGE, normal(6, 2, 3, 2), normal(6), [3, 2], [1, 0], [2, 1], 3, [2, 1]),
    case("conv_transpose2d", IMAGE, normal(6, 2, 3, 3), None, [2, 2], [1], [1], 6),
    case("conv_transpose2d", IMAGE[0], normal(6, 2, 1, 1), None),
    case("conv_transpose2d", IMAGE, normal(6, 3, 2, 2), None, [1], [2]),
    case("conv_transpose3d", VOLUME, normal(4, 2, 3, 2, 4), normal(4), [2, 1, 2], [1, 0, 2], [1, 0, 1], 2),
    case("convolution", IMAGE, normal(4, 3, 3, 3), None, [2, 2], [1, 1], [1, 1], False, [0, 0], 2),
    case("convolution", IMAGE, normal(6, 2, 3, 3), normal(4), [2, 2], [1, 1], [1, 1], True, [1, 1], 2),
]

DENSE = [
    case("linear", normal(2, 3, 4), normal(5, 4), normal(5)),
    case("linear", normal(4), normal(5, 4)),
    case("bilinear", normal(2, 3), normal(2, 4), normal(5, 3, 4), normal(5)),
    case("matmul", normal(2, 1, 3, 4), normal(5, 4, 2)),
    case("matmul", normal(4), normal(5, 4, 2)),
    case("mm", normal(3, 4), normal(4, 2)),
    case("bmm", normal(2, 3, 4), normal(2, 4, 5)),
    case("mv", normal(3, 4), normal(4)),
    case("dot", normal(4), normal(4)),
    case("outer", normal(4), normal(3)),
    case("addmm", normal(5), normal(3, 4), normal(4, 5), beta=0.5, alpha=2),
    case("addmv", normal(3), normal(3, 4), normal(4)),
    case("baddbmm", normal(3, 5), normal(2, 3, 4), normal(2, 4, 5), alpha=0.3),
    case("addbmm", normal(3, 5), normal(2, 3, 4), normal(2, 4, 5), beta=2),
    case("tensordot", normal(2, 3, 4), normal(4, 3, 5), [1, 2], [1, 0]),
    case("einsum", "bhid, bhjd -> bhij", [normal(1, 2, 3, 4), normal(1, 2, 5, 4)]),
    case("einsum", "...ij,jk", [normal(2, 3, 4), normal(4, 5)]),
    case("embedding", normal(5, 3), integers(5, 2, 4), 1),
    case("inverse", normal(2, 3, 3)),
    case("linalg_inv", normal(3, 3)),
    case("linalg_solve", normal(3, 3), normal(3, 2)),
    case("linalg_solve_triangular", positive(3, 3), normal(3, 2), upper=True),
    case("linalg_solve_triangular", unit(3, 3), normal(2, 3), upper=False, left=False, unitriangular=True),
    case("det", normal(2, 3, 3)),
    case("linalg_det", normal(3, 3)),
    case("logdet", positive(2, 2) + 2 * np.eye(2, dtype=np.float32)),
    case("slogdet", normal(2, 3, 3)),
    case("linalg_slogdet", normal(3, 3)),
]

CHANNELS = [normal(6), normal(6), fixed(normal(6)), fixed(positive(6))]  # weight, bias, mean, variance
NORMS = [
    case("batch_norm", IMAGE, *CHANNELS, False, 0.1, 1e-5, True),
    case("batch_norm", normal(3, 6), None, None, *CHANNELS[2:], False, 0.1, 1e-3, True),
    case("_native_batch_norm_legit_no_training", IMAGE, *CHANNELS, 0.1, 1e-5),
    case("_native_batch_norm_legit.no_stats", IMAGE, *CHANNELS[:2], True, 0.1, 1e-5, smooth=1),
    case("instance_norm", IMAGE, *CHANNELS[:2], None, None, True, 0.1, 1e-5, True),
    case("instance_norm", normal(2, 6, 8), None, None, None, None, True, 0.1, 1e-2, True),
    case("instance_norm", IMAGE, *CHANNELS, False, 0.1, 1e-5, True),
    case("group_norm", IMAGE, 3, *CHANNELS[:2], 1e-2),
    case("group_norm", normal(2, 6), 2),
    case("native_group_norm", IMAGE, *CHANNELS[:2], 1, 6, 35, 2, 1e-5),
    case("layer_norm", IMAGE, [7, 5], normal(7, 5), normal(7, 5), 1e-3),
    case("layer_norm", normal(2, 3, 4), [4]),
    case("native_layer_norm", normal(2, 3, 4), [4], normal(4), None, 1e-5, smooth=1),
    case("rms_norm", normal(2, 3, 4), [4], normal(4), 1e-2),
    case("rms_norm", normal(2, 3, 4), [3, 4]),
    case("_fused_rms_norm", normal(2, 3, 4), [4], normal(4), 1e-5),
    case("_weight_norm", normal(4, 3, 3, 3), positive(4, 1, 1, 1)),
    case("_weight_norm", normal(4, 3, 3), positive(1, 1, 3), 2),
    case("_weight_norm_interface", normal(4, 3), positive(4, 1), 0, smooth=1),
]
