"""Non-linearities, arithmetic and functions of every entry."""

import numpy as np

from tests.generators.aten.operator_cases import case, cases, integers, normal, positive, truths, unit

X = 3 * normal(4, 6)
WIDE = np.linspace(-40, 60, 24, dtype=np.float32).reshape(4, 6) + 0.01

ACTIVATIONS = [
    *cases(
        "relu relu6 leaky_relu elu celu selu gelu silu mish hardtanh hardsigmoid hardswish softplus "
        "softshrink hardshrink tanh sigmoid log_sigmoid glu",
        X,
    ),
    *(case(name, WIDE) for name in ("elu", "softplus", "mish", "celu", "silu", "gelu", "log_sigmoid", "sigmoid")),
    case("relu", np.zeros((2, 2), np.float32)),
    case("leaky_relu", X, 0.2),
    case("rrelu", X, 0.1, 0.3, False),
    case("prelu", normal(2, 3, 4), normal(3)),
    case("prelu", normal(2, 3), normal(1)),
    case("_prelu_kernel", normal(2, 3, 4), normal(1, 3, 1)),
    case("elu", X, 0.7, 1.2, 0.5),
    case("celu", X, 1.7),
    case("gelu", X, approximate="tanh"),
    case("hardtanh", X, -0.5, 2.0),
    case("softplus", X, 3, 4),
    case("softshrink", X, 1.5),
    case("hardshrink", X, 1.5),
    case("threshold", X, 0.5, 2.0),
    case("logit", positive(3, 4) / 3),
    case("logit", normal(3, 4), 0.1),
    case("glu", X, 0),
    case("softmax", X, 1),
    case("softmax", integers(5, 3, 4), -1, "float32"),
    case("_softmax", X, 0, False),
    case("_safe_softmax", X, -1),
    case("log_softmax", X, -1),
    case("_log_softmax", X, 1, False),
    case("dropout", X, 0.5, False),
    case("dropout", X, 0.0, True),
    case("feature_dropout", X, 0.5, False),
    case("alpha_dropout", X, 0.5, False),
    case("feature_alpha_dropout", X, 0.5, False),
    case("native_dropout", X, 0.5, False),
]

A, B = normal(2, 1, 4), normal(3, 1) + 3
ARITHMETIC = [
    *cases(
        "add sub rsub mul div true_divide remainder fmod minimum maximum max.other "
        "min.other atan2 hypot copysign logaddexp",
        A,
        B,
    ),
    *(case(name, A, 1.5) for name in ("add", "mul", "div", "remainder", "fmod", "rsub")),
    case("add", A, B, alpha=2.5),
    case("sub", A, 2, alpha=0.5),
    case("rsub", A, 2, 0.5),
    case("div", A, B, rounding_mode="floor"),
    case("div", A, -0.3, rounding_mode="trunc"),
    case("div", integers(9, 5) - 4, integers(4, 5) + 1, rounding_mode="trunc"),
    case("div", np.array([2**30 + 1, -(2**30) - 1]), 2, rounding_mode="trunc"),
    case("div", integers(9, 5), 2),
    case("floor_divide", A, B, smooth=0),
    case("floor_divide", A, -0.3, smooth=0),
    case("floor_divide", integers(9, 5) - 4, 3),
    case("remainder", integers(9, 5) - 4, -3),
    case("fmod", integers(9, 5) - 4, 3),
    case("pow", A, 2),
    case("pow", A, 3.0),
    case("pow", positive(3), -0.5),
    case("pow", positive(2, 3), normal(3)),
    case("pow", 2, normal(3)),
    case("xlogy", np.float32([0, 1, 2.5]), positive(3), smooth=0),
    case("xlogy", positive(3), positive(3)),
    case("addcmul", A, B, normal(4), value=0.5),
    case("addcdiv", A, normal(4), B, value=0.5),
    case("lerp", A, B, 0.3),
    case("lerp", A, B, normal(4)),
    case("clamp", X, -1, 2.5),
    case("clamp", X, None, 1),
    case("clamp", X, unit(6), positive(6)),
    case("clamp", np.float32([-1, 0, 1]), 0, 1),
    case("clamp_min", X, 0.5),
    case("clamp_max", X, 0.5),
    case("where", truths(2, 3, 4), A, B),
    case("where", truths(3, 4), X[:3, :4], 0.0),
    case("masked_fill", X, truths(6), -np.inf),
    case("masked_fill", X, truths(4, 6), np.full((), 2, np.float32)),
    case("nan_to_num", np.float32([np.nan, np.inf, -np.inf, 2]), 0.5, 7.0, smooth=0),
]

FUNCTIONS = [
    *cases(
        "neg abs sign sgn square exp exp2 expm1 sin cos atan sinh cosh asinh sinc erf erfc floor ceil "
        "trunc round frac deg2rad rad2deg",
        X,
    ),
    *cases("sqrt rsqrt reciprocal log log2 log10 log1p lgamma digamma", positive(3, 4)),
    *cases("tan asin acos atanh erfinv", unit(3, 4)),
    case("acosh", 1 + positive(3)),
    case("round", X, decimals=1, smooth=0),
    case("round", np.float32([0.5, 1.5, -2.5])),
    *cases("eq ne lt le gt ge", integers(3, 8), integers(3, 8)),
    case("gt", X, 0.5, smooth=0),
    *cases("logical_and logical_or logical_xor", truths(8), truths(8)),
    case("logical_not", truths(8)),
    *cases("bitwise_and bitwise_or bitwise_xor", integers(9, 8), integers(9, 8)),
    case("bitwise_not", truths(8)),
    *(case(name, np.float32([np.nan, np.inf, -np.inf, 2]), smooth=0) for name in ("isnan", "isinf", "isfinite")),
]
