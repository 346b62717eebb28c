"""Up- and down-sampling, pools, paddings and the shuffles of pixels."""

from __future__ import annotations

from typing import Any

from geomgan.generators.aten.program import Value
from weights_convert.torch_modules.arguments import (
    Argument,
    each,
    either,
    flag,
    none,
    number,
    scales,
    sides,
    whole,
    word,
)
from weights_convert.torch_modules.layer import Layer, Trace

MODES = {"nearest": None, "nearest-exact": None, "linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3, "area": None}
_PADS = {"Zero": "constant", "Constant": "constant", "Reflection": "reflect", "Replication": "replicate"}


def upsample(
    trace: Trace,
    *,
    size: Any,
    scale_factor: Any,
    mode: str,
    align_corners: bool | None,
    recompute_scale_factor: bool | None,
) -> Value:
    """``torch.nn.functional.interpolate`` to a size, or by a factor."""
    axes = len(trace.shape) - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("it needs size or scale_factor, one of them")
    if MODES[mode] not in (None, axes):
        raise ValueError(f"mode {mode} takes maps of {MODES[mode]} axes")
    factors = None if scale_factor is None else each(scale_factor, axes)
    target = None if size is None else each(size, axes)
    if factors is not None and (recompute_scale_factor or mode == "area"):
        target = tuple(int(n * f) for n, f in zip(trace.shape[2:], factors, strict=True))
        factors = None
    if mode == "area":
        return trace.node(f"adaptive_avg_pool{axes}d", trace.x, target)
    corners = () if mode.startswith("nearest") else (bool(align_corners),)
    name = {"nearest": f"nearest{axes}d", "nearest-exact": f"nearest_exact{axes}d"}.get(mode, f"{mode}{axes}d")
    operator = f"{'_' if mode == 'nearest-exact' else ''}upsample_{name}.vec"
    return trace.node(operator, trace.x, target, *corners, factors)


def pixel_shuffle(trace: Trace, *, upscale_factor: int) -> Value:
    """Channels become pixels."""
    return trace.node("pixel_shuffle", trace.x, upscale_factor)


def pixel_unshuffle(trace: Trace, *, downscale_factor: int) -> Value:
    """Pixels become channels."""
    return trace.node("pixel_unshuffle", trace.x, downscale_factor)


def _max_pool(axes: int) -> Layer:
    def build(trace: Trace, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Value:
        kernel, rest = each(kernel_size, axes), [each(value, axes) for value in (padding, dilation)]
        step = kernel if stride is None else each(stride, axes)
        return trace.node(f"max_pool{axes}d", trace.x, kernel, step, *rest, ceil_mode)

    return Layer(build, {**_POOL, "dilation": Argument(sides(1), 1), "ceil_mode": Argument(flag, False)}, axes)


def _average_pool(axes: int) -> Layer:
    def build(
        trace: Trace,
        *,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None = None,
    ) -> Value:
        kernel = each(kernel_size, axes)
        step = kernel if stride is None else each(stride, axes)
        divisor = () if axes == 1 else (divisor_override,)
        operator = f"avg_pool{axes}d"
        return trace.node(operator, trace.x, kernel, step, each(padding, axes), ceil_mode, count_include_pad, *divisor)

    divisor = {} if axes == 1 else {"divisor_override": Argument(either(none, whole(1)), None)}
    flags = {"ceil_mode": Argument(flag, False), "count_include_pad": Argument(flag, True)}
    return Layer(build, {**_POOL, **flags, **divisor}, axes)


def _adaptive_pool(axes: int) -> Layer:
    def build(trace: Trace, *, output_size: Any) -> Value:
        return trace.node(f"adaptive_avg_pool{axes}d", trace.x, each(output_size, axes))

    return Layer(build, {"output_size": Argument(sides(1))}, axes)


def _pad(axes: int, mode: str, *, constant: bool) -> Layer:
    def build(trace: Trace, *, padding: Any, value: float = 0.0) -> Value:
        ends = each(padding, 2 * axes)
        return trace.node("pad", trace.x, ends, mode, value) if constant else trace.node("pad", trace.x, ends, mode)

    arguments = {"padding": Argument(sides(-1024))} | ({"value": Argument(number(), 0.0)} if constant else {})
    return Layer(build, arguments, axes)


_POOL = {
    "kernel_size": Argument(sides(1)),
    "stride": Argument(either(none, sides(1)), None),
    "padding": Argument(sides(), 0),
}
_UPSAMPLE = {
    "size": Argument(either(none, sides(1)), None),
    "scale_factor": Argument(either(none, scales), None),
}
_ALIGNED = {
    "align_corners": Argument(either(none, flag), None),
    "recompute_scale_factor": Argument(either(none, flag), None),
}

LAYERS = {
    "Upsample": Layer(upsample, {**_UPSAMPLE, "mode": Argument(word(*MODES), "nearest"), **_ALIGNED}),
    "UpsamplingNearest2d": Layer(upsample, {**_UPSAMPLE, "mode": Argument(word("nearest"), "nearest"), **_ALIGNED}, 2),
    "UpsamplingBilinear2d": Layer(
        upsample,
        {
            **_UPSAMPLE,
            "mode": Argument(word("bilinear"), "bilinear"),
            **_ALIGNED,
            "align_corners": Argument(flag, True),
        },
        2,
    ),
    "PixelShuffle": Layer(pixel_shuffle, {"upscale_factor": Argument(whole(1, 64))}, 2),
    "PixelUnshuffle": Layer(pixel_unshuffle, {"downscale_factor": Argument(whole(1, 64))}, 2),
    **{f"MaxPool{axes}d": _max_pool(axes) for axes in (1, 2, 3)},
    **{f"AvgPool{axes}d": _average_pool(axes) for axes in (1, 2, 3)},
    **{f"AdaptiveAvgPool{axes}d": _adaptive_pool(axes) for axes in (1, 2, 3)},
    **{
        f"{name}Pad{axes}d": _pad(axes, mode, constant=name == "Constant")
        for name, mode in {**_PADS, "Circular": "circular"}.items()
        for axes in (1, 2, 3)
    },
}
