"""Paddings, resampling, pools, attention, Fourier transforms, and new arrays."""

import numpy as np

from tests.generators.aten.operator_cases import Case, case, cases, integers, normal, positive, truths, waves

LINE, IMAGE, VOLUME = normal(1, 2, 9), normal(1, 2, 6, 7), normal(1, 2, 4, 5, 3)

PADDINGS = [
    case("pad", IMAGE, [1, 2, 0, -1]),
    case("pad", IMAGE, [1, 2], "constant", 1.5),
    case("pad", IMAGE, [3, 2, 1, 4], "reflect"),
    case("pad", IMAGE, [9, 2, 1, 8], "replicate"),
    case("pad", IMAGE, [3, 2, 1, 6], "circular"),
    case("pad", LINE, [9, 3], "circular"),
    case("constant_pad_nd", IMAGE, [-1, 2, 3, 0, 1, 1], 0.5),
    case("_pad_circular", VOLUME, [1, 2, 2, 0, 1, 1]),
    case("reflection_pad1d", LINE, [8, 3]),
    case("reflection_pad2d", IMAGE, [1, 2, 3, 4]),
    case("reflection_pad3d", VOLUME, [1, 2, 3, 4, 0, 1]),
    case("replication_pad1d", LINE, [8, 3]),
    case("replication_pad2d", IMAGE, [1, -2, 3, 4]),
    case("replication_pad3d", VOLUME, [1, 2, 3, 4, 0, 1]),
]


def _sizes(name: str, x: np.ndarray, *settings: bool) -> list[Case]:
    """Larger and smaller, one, by a scale that is not the ratio of sizes, and by scales alone."""
    axes = x.ndim - 2
    return [
        case(name, x, [13, 3, 6][:axes], *settings),
        case(name, x, [1] * axes, *settings),
        case(name, x, [int(side * 1.7) for side in x.shape[2:]], *settings, *[1.7] * axes),
        case(f"{name}.vec", x, None, *settings, [1.7, 2.0, 0.6][:axes]),
    ]


RESAMPLINGS = [
    *(
        sized
        for kind in ("upsample_nearest", "_upsample_nearest_exact")
        for x in (LINE, IMAGE, VOLUME)
        for sized in _sizes(f"{kind}{x.ndim - 2}d", x)
    ),
    *(
        sized
        for name, x in [
            ("upsample_linear1d", LINE),
            ("upsample_bilinear2d", IMAGE),
            ("upsample_trilinear3d", VOLUME),
            ("upsample_bicubic2d", IMAGE),
            ("_upsample_bilinear2d_aa", IMAGE),
            ("_upsample_bicubic2d_aa", IMAGE),
        ]
        for sized in [*_sizes(name, x, False), *_sizes(name, x, True)[:2]]
    ),
    case("_upsample_bilinear2d_aa", normal(1, 1, 40, 9), [3, 9], False),
    case("upsample_bilinear2d.vec", IMAGE, [12, 14], False, None),
]

GRIDS = [
    *(
        case("grid_sampler_2d", IMAGE, 1.5 * normal(1, 3, 4, 2), mode, padding, (mode + padding) % 2 == 0)
        for mode in (0, 1, 2)
        for padding in (0, 1, 2)
    ),
    case("grid_sampler_2d", IMAGE, 2 * normal(1, 3, 4, 2), 0, 2, False),
    case("grid_sampler_3d", VOLUME, 1.2 * normal(1, 2, 3, 2, 3), 0, 0, False),
    case("grid_sampler_3d", VOLUME, 1.2 * normal(1, 2, 3, 2, 3), 1, 2, True),
    case("grid_sampler", normal(2, 2, 5, 4), normal(2, 3, 4, 2), 0, 0, False),
    case("affine_grid_generator", normal(2, 2, 3), [2, 3, 4, 5], False),
    case("affine_grid_generator", normal(1, 3, 4), [1, 1, 2, 3, 4], True),
]

POOLS = [
    case("max_pool1d", LINE, 3, 2, 1, 2, True),
    case("max_pool1d_with_indices", LINE, [2]),
    case("max_pool2d", IMAGE, 2),
    case("max_pool2d", IMAGE, [3, 2], [2, 1], [1, 0], [2, 3], True),
    case("max_pool2d_with_indices", IMAGE, [3, 3], [2, 2], [1, 1]),
    case("max_pool2d_with_indices", IMAGE, [2, 2], [3, 3], [1, 1], 1, True),
    case("max_unpool2d", normal(1, 2, 2, 2), np.array([[[[0, 3], [9, 5]], [[1, 2], [8, 11]]]]), [3, 4]),
    case("max_unpool3d", normal(1, 1, 1, 1, 2), np.array([[[[[5, 2]]]]]), [2, 2, 2], [2, 2, 2], [0, 0, 0]),
    case("max_pool3d", VOLUME, 2, 1),
    case("max_pool3d_with_indices", VOLUME, [2, 2, 2], [2, 2, 2], 1),
    case("avg_pool1d", LINE, [4], [3], [1], True),
    case("avg_pool1d", LINE, [4], [3], [1], True, False),
    case("avg_pool2d", IMAGE, 2),
    case("avg_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], True),
    case("avg_pool2d", IMAGE, [3, 2], [2, 2], [1, 1], True, False),
    case("avg_pool2d", IMAGE, 3, 1, 1, False, True, 5),
    case("avg_pool3d", VOLUME, [2, 3, 2], 2, 1, True, False),
    case("adaptive_avg_pool1d", LINE, [4]),
    case("adaptive_avg_pool2d", IMAGE, [4, 3]),
    case("adaptive_avg_pool2d", IMAGE, [9, 1]),
    case("_adaptive_avg_pool2d", IMAGE, [1, 1]),
    case("adaptive_avg_pool3d", VOLUME, [2, 2, 2]),
    case("_adaptive_avg_pool3d", VOLUME, [3, 2, 5]),
    case("adaptive_max_pool1d", LINE, [4]),
    case("adaptive_max_pool2d", IMAGE, [4, 3]),
    case("adaptive_max_pool3d", VOLUME, [2, 2, 2]),
]

Q, K, V = normal(1, 4, 5, 8), normal(1, 4, 6, 8), normal(1, 4, 6, 3)
ATTENTION = [
    case("scaled_dot_product_attention", Q, K, V),
    case("scaled_dot_product_attention", Q, K, V, normal(5, 6), scale=0.3),
    case("scaled_dot_product_attention", Q, K, V, np.arange(6) < np.arange(5)[:, None]),
    case("scaled_dot_product_attention", Q[0, 0], K[0, 0], V[0, 0], None, 0.0, True),
    case("scaled_dot_product_attention", Q, K[:, :2], V[:, :2], enable_gqa=True),
    case("_scaled_dot_product_flash_attention_for_cpu", Q, K, normal(1, 4, 6, 8), smooth=0),
    case("_scaled_dot_product_flash_attention_for_cpu", Q, Q, Q, 0.0, True, scale=0.5, smooth=0),
]

FOURIER = [
    *cases("fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn", IMAGE),
    *cases("fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn", waves(3, 4, 5)),
    *cases("fft_rfft fft_rfft2 fft_rfftn fft_ihfft fft_fftshift fft_ifftshift", IMAGE),
    *cases("fft_irfft fft_irfft2 fft_irfftn fft_hfft", waves(3, 4, 5)),
    case("fft_rfft", LINE, 7, -1, "ortho"),
    case("fft_irfft", waves(2, 5), 9, 0, "forward"),
    case("fft_irfft2", waves(2, 6, 4), [6, 7], [-2, -1], "ortho"),
    case("fft_fftn", IMAGE, [4, 5], [2, 3], "ortho"),
    case("fft_fftshift", IMAGE, [2, 3]),
    *(case("_fft_r2c", IMAGE, [2, 3], norm, sided) for norm in (0, 1, 2) for sided in (False, True)),
    *(case("_fft_c2r", waves(2, 6, 4), [1, 2], norm, 7) for norm in (0, 1, 2)),
    *(case("_fft_c2c", waves(2, 6, 4), [0, 2], norm, forward) for norm in (0, 1, 2) for forward in (False, True)),
    case("complex", normal(3), normal(3)),
    case("polar", positive(3), normal(3)),
    *cases("real imag angle conj _conj conj_physical resolve_conj abs", waves(4)),
    case("mul", waves(3, 4), waves(4)),
    case("view_as_complex", normal(3, 2)),
    case("view_as_real", waves(3)),
]

_LIKE = [(normal(2, 3), "int64"), (integers(5, 2, 3), None)]
CREATION = [
    case("arange", 5),
    case("arange", 2.5),
    case("arange", 5, dtype="float32"),
    case("arange.start", 2, 7),
    case("arange.start_step", 7, 1, -2),
    case("arange.start_step", 0, 1, 0.3, dtype="float32"),
    case("linspace", -1, 1, 7),
    case("linspace", 0, 5, 1),
    case("eye", 3),
    case("eye", 3, 4, dtype="int64"),
    case("tril_indices", 3, 4, 1),
    case("triu_indices", 4, 3, -1, dtype="int32"),
    case("full", [2, 3], 1.5),
    case("full", [2], 3),
    case("full", [2], True),
    case("full", [2], 2, dtype="float32"),
    *(case(name, x, 7, dtype=dtype) for name in ("full_like",) for x, dtype in _LIKE),
    case("new_full", normal(3), [2], 4.0),
    case("fill", normal(2, 2), 1.5),
    case("zeros", [2, 3]),
    case("ones", [2], dtype="bool"),
    *(case(name, x, dtype=dtype) for name in ("zeros_like", "ones_like") for x, dtype in _LIKE),
    case("zero", normal(2)),
    case("new_zeros", normal(2), [3]),
    case("new_ones", integers(5, 2), [3]),
    case("scalar_tensor", 1.5),
    case("one_hot", integers(4, 2, 3), 4),
    case("copy", normal(2, 3), normal(3), smooth=0),
    case("to.dtype", normal(3), "int64", smooth=0),
    case("to.device", normal(3), "cpu", "bool", smooth=0),
    case("to.dtype_layout", integers(3, 3), dtype="float32"),
    case("to.other", truths(3), normal(2)),
    case("_to_copy", integers(3, 3), dtype="float32"),
    case("type_as", integers(3, 3), normal(2)),
    *cases("clone contiguous detach alias lift_fresh_copy lift_fresh positive", normal(3)),
]
