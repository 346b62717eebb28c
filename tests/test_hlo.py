"""What is read in a compiled program: kernels, how often they run, bytes that they move."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.hlo import Program

TEXT = """
HloModule jit_f

%fused_slice (p0: f32[8,4], p1: s32[]) -> f32[1,4] {
  %p0 = f32[8,4]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %cut = f32[1,4]{1,0} dynamic-slice(%p0, %p1, %zero), dynamic_slice_sizes={1,4}
}

%fused_update (p0: f32[8,4], p1: bf16[1,4], p2: s32[]) -> f32[8,4] {
  %p0 = f32[8,4]{1,0} parameter(0)
  %p1 = bf16[1,4]{1,0} parameter(1)
  %p2 = s32[] parameter(2)
  %wide = f32[1,4]{1,0} convert(%p1)
  %zero = s32[] constant(0)
  ROOT %put = f32[8,4]{1,0} dynamic-update-slice(%p0, %wide, %p2, %zero)
}

%body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state = (s32[], f32[8,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = f32[8,4]{1,0} get-tuple-element(%state), index=1
  %loop_dynamic_slice_fusion = f32[1,4]{1,0} fusion(%x, %i), kind=kLoop, calls=%fused_slice
  %loop_select_fusion = bf16[1,4]{1,0} fusion(%loop_dynamic_slice_fusion), kind=kLoop, calls=%fused_other
  %loop_update_fusion = f32[8,4]{1,0} fusion(%x, %loop_select_fusion, %i), kind=kLoop, calls=%fused_update
  ROOT %next = (s32[], f32[8,4]{1,0}) tuple(%i, %loop_update_fusion)
}

%fused_other (p0: f32[1,4]) -> bf16[1,4] {
  %p0 = f32[1,4]{1,0} parameter(0)
  ROOT %narrow = bf16[1,4]{1,0} convert(%p0)
}

ENTRY %main (x: f32[8,4], k: f32[3,3,4,4]) -> f32[8,4] {
  %x = f32[8,4]{1,0} parameter(0)
  %k = f32[3,3,4,4]{3,2,1,0} parameter(1)
  %cudnn-conv.1 = (f32[8,4]{1,0}, u8[10]{0}) custom-call(%x, %k), custom_call_target="__cudnn$convForward", metadata={op_name="jit(f)/conv"}
  %y = f32[8,4]{1,0} get-tuple-element(%cudnn-conv.1), index=0
  %state = (s32[], f32[8,4]{1,0}) tuple(%i, %y)
  %loop = (s32[], f32[8,4]{1,0}) while(%state), condition=%ends, body=%body, backend_config={"known_trip_count":{"n":"5"}}
  ROOT %result = f32[8,4]{1,0} get-tuple-element(%loop), index=1
}
"""  # noqa: E501


def test_kernels_of_a_loop_count_as_often_as_it_runs():
    kernels = {kernel.name: kernel for kernel in Program.read(TEXT).kernels()}
    assert kernels["cudnn-conv.1"].bytes == 4 * 32 + 4 * 144 + 4 * 32 + 10
    assert kernels["cudnn-conv.1"].source == "jit(f)/conv"
    slices = [kernels[f"loop_{name}_fusion"] for name in ("dynamic_slice", "select", "update")]
    assert [kernel.times for kernel in slices] == [5, 5, 5]
    assert [kernel.bytes for kernel in slices] == [5 * (16 + 16 + 4), 5 * (16 + 8), 5 * (16 + 8 + 4)]


def test_kinds_are_those_of_a_profile():
    kinds = Program.read(TEXT).by_kind()
    assert kinds["masks (select)"] == (5, 120)
    assert kinds["products and convolutions"] == (1, 842)


@pytest.mark.parametrize("times", [1, 7])
def test_the_text_of_this_jax_is_read(times):
    """Of the CPU's compiler, which writes the same language."""

    def fn(x):
        return jax.lax.fori_loop(0, times, lambda _, x: jnp.sin(x @ x), x)

    text = jax.jit(fn).lower(jnp.ones((16, 16))).compile().as_text()
    runs = sum(kernel.times for kernel in Program.read(text).kernels() if "dot_general" in kernel.source)
    assert runs == times
