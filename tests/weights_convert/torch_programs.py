"""Networks for ``torch.export``: every layer that has operators of its own, and what generators do besides."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

Make = Callable[[], nn.Module]
PROGRAMS: dict[str, tuple[Make, tuple[int, ...]]] = {}  # name -> how it is made, and the shape of a code


def program(*shape: int) -> Callable[[Make], Make]:
    """Have a function that makes a network among the programs, under its name."""

    def listed(make: Make) -> Make:
        PROGRAMS[make.__name__] = make, shape
        return make

    return listed


class Of(nn.Module):
    """``forward(z) = function(self, z)``, with these modules, buffers and parameters."""

    def __init__(self, function, **held) -> None:
        super().__init__()
        self.function = function
        for name, one in held.items():
            if isinstance(one, torch.Tensor) and not isinstance(one, nn.Parameter):
                self.register_buffer(name, one)
            else:
                setattr(self, name, one)

    def forward(self, z):
        """The function's."""
        return self.function(self, z)


def trained(norm: nn.Module) -> nn.Module:
    """A norm with statistics and weights that are not those of a new one."""
    for name, tensor in {**dict(norm.named_buffers()), **dict(norm.named_parameters())}.items():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.5, 1.5) if "var" in name or "weight" in name else nn.init.normal_(tensor)
    return norm


@program(6)
def dcgan():
    return nn.Sequential(
        nn.Unflatten(1, (6, 1, 1)),
        nn.ConvTranspose2d(6, 8, 4, bias=False),
        trained(nn.BatchNorm2d(8)),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False),
        trained(nn.BatchNorm2d(4, affine=False)),
        nn.LeakyReLU(0.2, inplace=True),
        nn.ConvTranspose2d(4, 3, (3, 4), (1, 2), (1, 1)),
        nn.Tanh(),
    )


@program(4, 3)
def wavenet():
    first = nn.ConvTranspose1d(4, 8, 6, 4, 1)
    gates = nn.ModuleList(nn.Conv1d(8, 16, 3, padding=2**k, dilation=2**k) for k in range(3))
    skips = nn.ModuleList(nn.Conv1d(8, 8, 1, groups=2) for _ in range(3))

    def forward(s, z):
        x, out = s.first(z), 0
        for gate, skip in zip(s.gates, s.skips, strict=True):
            a, b = gate(x).chunk(2, 1)
            y = torch.tanh(a) * torch.sigmoid(b)
            x, out = (x + y) * 0.5**0.5, out + skip(y)
        return out

    return Of(forward, first=first, gates=gates, skips=skips)


@program(3, 2, 2, 2)
def volumes():
    return nn.Sequential(
        nn.ConvTranspose3d(3, 4, 3, 2, 1, output_padding=(1, 0, 1)),
        trained(nn.BatchNorm3d(4)),
        nn.PReLU(4),
        nn.Conv3d(4, 4, (1, 2, 3), dilation=(1, 1, 1), padding=(0, 1, 1), groups=2),
        nn.Upsample(scale_factor=2, mode="trilinear"),
        nn.AvgPool3d(2),
    )


@program(2, 5, 6)
def paddings():
    modes = ("reflect", "replicate", "circular")
    layers = [nn.Conv2d(2, 2, 3, padding=(1, 2), padding_mode=mode) for mode in modes]
    more = [nn.ReflectionPad2d((1, 0, 2, 1)), nn.ReplicationPad2d(1), nn.ConstantPad2d((1, 2, 0, -1), 0.3)]
    return nn.Sequential(
        *layers, nn.Conv2d(2, 2, (4, 3), padding="same", dilation=2), *more, nn.ZeroPad2d((0, 1, 1, 0))
    )


@program(8)
def perceptron():
    layers = [
        nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.3), nn.RMSNorm(16), nn.Linear(16, 8))
        for _ in range(2)
    ]

    def forward(s, z):
        x = z
        for layer in s.layers:
            x = torch.cat([x + layer(x), z], 1).view(len(z), 2, 8).mean(1)
        return torch.addmm(s.bias, x, s.mix, beta=0.5)

    return Of(forward, layers=nn.ModuleList(layers), mix=torch.randn(8, 5), bias=torch.randn(5))


@program(4, 3, 3)
def norms():
    layers = [nn.GroupNorm(2, 4), nn.GroupNorm(4, 4, affine=False), nn.InstanceNorm2d(4, affine=True)]
    layers += [nn.InstanceNorm2d(4), nn.LayerNorm((3, 3)), nn.LocalResponseNorm(3)]
    tracked = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    return nn.Sequential(*[part for layer in layers for part in (trained(layer), nn.Conv2d(4, 4, 1))], trained(tracked))


@program(12)
def activations():
    layers = [nn.ReLU(), nn.LeakyReLU(0.1), nn.ELU(0.7), nn.SELU(), nn.CELU(1.3), nn.GELU(), nn.GELU("tanh"), nn.SiLU()]
    layers += [nn.Mish(), nn.Softplus(2.0), nn.Softsign(), nn.Tanh(), nn.Sigmoid(), nn.LogSigmoid(), nn.Hardtanh()]
    layers += [nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6(), nn.Threshold(0.1, 0.2), nn.Softshrink(), nn.Hardshrink()]
    layers += [nn.Tanhshrink(), nn.Softmax(1), nn.LogSoftmax(1), nn.Softmin(1), nn.GLU(1), nn.PReLU(), nn.RReLU()]
    return Of(lambda s, z: torch.cat([layer(z) for layer in s.layers], 1), layers=nn.ModuleList(layers))


@program(3, 4, 5)
def resampling():
    def forward(s, z):
        up = lambda x, mode, **more: F.interpolate(x, scale_factor=2, mode=mode, **more)
        x = up(z, "nearest") + up(z, "bilinear") + up(z, "bilinear", align_corners=True) + up(z, "bicubic")
        x = F.interpolate(x, (7, 6), mode="bilinear", antialias=True) + F.interpolate(x, (7, 6), mode="area")
        x = F.interpolate(x, scale_factor=(1.5, 0.8), mode="nearest-exact")
        return up(x.flatten(2), "linear")[..., ::3] + F.interpolate(x, (5, 9), mode="bicubic").mean()

    return Of(forward)


@program(8, 2, 3)
def shuffles():
    def forward(s, z):
        x = F.pixel_unshuffle(F.pixel_shuffle(z, 2), 2) + F.channel_shuffle(z, 4)
        windows = torch.roll(x, (1, -1), (2, 3)).view(1, 8, 1, 2, 1, 3).permute(0, 2, 4, 3, 5, 1).reshape(-1, 6, 8)
        return windows.flip(1).repeat_interleave(2, 1) + x.flatten(2).repeat(1, 1, 2).movedim(1, -1)

    return Of(forward)


@program(4, 8, 8)
def pools():
    layers = [nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.MaxPool2d(2, ceil_mode=True)]
    layers += [nn.AdaptiveAvgPool2d((4, 4)), nn.AdaptiveMaxPool2d(4), nn.LPPool2d(2, 2)]
    return Of(lambda s, z: sum(layer(z) for layer in s.layers), layers=nn.ModuleList(layers))


@program(5, 8)
def transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
    return nn.Sequential(layer, nn.TransformerEncoderLayer(8, 4, 16, batch_first=True, norm_first=True))


@program(6, 8)
def attention():
    attend = nn.MultiheadAttention(8, 2, batch_first=True)
    mask = torch.full((6, 6), -torch.inf).triu(1)

    def forward(s, z):
        x, weights = s.attend(z, z, z, attn_mask=s.mask, average_attn_weights=False)
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (x, z, x + z))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2) + weights.sum(1) @ x

    return Of(forward, attend=attend, mask=mask)


@program(6)
def modulated():
    def forward(s, z):
        w = s.mapping(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))
        x = s.start.expand(len(z), -1, -1, -1)
        for kernel, affine in zip(s.kernels, s.affines, strict=True):
            weight = kernel[None] * affine(w)[:, None, :, None, None]
            weight = weight * weight.square().sum((2, 3, 4), keepdim=True).add(1e-8).rsqrt()
            x = F.interpolate(x, scale_factor=2, mode="bilinear").reshape(1, -1, 2 * x.shape[2], 2 * x.shape[3])
            x = F.conv2d(x, weight.flatten(0, 1), padding=1, groups=len(z)).view(len(z), 4, *x.shape[2:])
            x = F.leaky_relu(x + 0.1 * s.noise[: x.shape[2], : x.shape[3]], 0.2) * 2**0.5
        return x

    kernels = nn.ParameterList(torch.randn(4, 4, 3, 3) for _ in range(2))
    affines = nn.ModuleList(nn.Linear(6, 4) for _ in range(2))
    start, noise = nn.Parameter(torch.randn(1, 4, 2, 2)), torch.randn(8, 8)
    return Of(forward, mapping=nn.Linear(6, 6), kernels=kernels, affines=affines, start=start, noise=noise)


@program(6, 3, 3)
def grouped():
    transposed = nn.ConvTranspose2d(6, 9, 3, 2, 1, output_padding=1, groups=3, dilation=(1, 2))
    return nn.Sequential(transposed, nn.Conv2d(9, 9, 3, groups=9), nn.ConvTranspose2d(9, 9, 2, groups=9, bias=False))


@program(12)
def sampling():
    def forward(s, z):
        theta = s.identity + 0.1 * z[:, :6].view(-1, 2, 3)
        grid = F.affine_grid(theta, (1, 2, 5, 6), align_corners=False)
        modes = [("bilinear", "zeros"), ("bicubic", "border"), ("nearest", "reflection")]
        x = s.texture + z[:, 6:8, None, None]
        return torch.cat([F.grid_sample(x, grid, m, p, align_corners=m == "bicubic") for m, p in modes], 1)

    return Of(forward, identity=torch.tensor([[1.0, 0.2, 0.1], [-0.1, 0.9, 0.05]]), texture=torch.randn(1, 2, 7, 7))


@program(3, 8, 8)
def fourier():
    def forward(s, z):
        spectrum = torch.fft.rfft2(z, norm="ortho")
        mixed = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :4, :3], torch.view_as_complex(s.weight))
        low = torch.zeros(1, 2, 8, 5, dtype=torch.cfloat)
        low[:, :, :4, :3] = mixed
        shifted = torch.fft.fftshift(torch.fft.fft(z, dim=-1), dim=-1)
        return torch.fft.irfft2(low, s=(8, 8), norm="ortho") + shifted.abs()[:, :2] + shifted.real[:, 1:].square()

    return Of(forward, weight=nn.Parameter(torch.randn(3, 2, 4, 3, 2)))


@program(4, 5)
def einsums():
    def forward(s, z):
        x = torch.einsum("bij,jkl,bil->bik", z, s.core, z) + torch.einsum("bij->bji", z).mT @ s.mix
        return (
            F.bilinear(x[..., :3], x[..., 1:4], s.form) + torch.matmul(x, s.mix.T)[..., :2] + torch.bmm(x, z)[..., :2]
        )

    return Of(forward, core=torch.randn(5, 4, 5), mix=torch.randn(5, 4), form=torch.randn(2, 3, 3))


@program(6, 2)
def written_in_place():
    """A coupling layer and an inverse wavelet transform, both written into empty tensors."""

    def forward(s, z):
        out = torch.empty_like(z)
        out[:, s.kept] = z[:, s.kept]
        out[:, s.moved] = z[:, s.moved] * s.scale(z[:, s.kept, 0]).exp()[..., None]
        x = torch.zeros(1, 4, 6, 2)
        x[:, :2, ::2] = out.view(1, 2, 3, 2)
        part = x[:, 1]
        x[:, :, 1::2] -= 0.5
        part.mul_(2).add_(x[:, 0])
        return x.relu_().masked_fill(x > 2, 2.0)

    even, odd = torch.tensor([0, 2, 4]), torch.tensor([1, 3, 5])
    return Of(forward, kept=even, moved=odd, scale=nn.Linear(3, 3))


@program(4, 3, 3)
def quantised():
    """A decoder of vector-quantised codes, which copies derivatives past the quantisation."""

    def forward(s, z):
        flat = z.movedim(1, -1).reshape(-1, 4)
        distances = flat.square().sum(1, keepdim=True) - 2 * flat @ s.book.weight.T + s.book.weight.square().sum(1)
        nearest = s.book(distances.argmin(1)).view(1, 3, 3, 4).movedim(-1, 1)
        return s.decode(z + (nearest - z).detach())

    return Of(forward, book=nn.Embedding(7, 4), decode=nn.Conv2d(4, 3, 3, padding=1))


@program(4, 2, 2)
def unet():
    def forward(s, z):
        x, kept = z, []
        for down in s.downs:
            kept.append(x)
            x = F.silu(down(x))
        for up in s.ups:
            x = F.interpolate(x, size=kept[-1].shape[2:], mode="nearest")
            x = up(torch.cat([x, kept.pop()], 1))
        return torch.sigmoid(x)

    downs = nn.ModuleList([nn.Conv2d(4, 6, 3, 1, 1), nn.Conv2d(6, 6, 2, 2)])
    return Of(forward, downs=downs, ups=nn.ModuleList([nn.Conv2d(12, 6, 3, padding=1), nn.Conv2d(10, 3, 1)]))


@program(7)
def orders():
    def forward(s, z):
        values, places = torch.topk(z, 3)
        mixed = torch.where(z > 0, z, z.exp()) + torch.sort(z, descending=True)[0] + z.cumsum(1) + z.amax(1, True)
        taken = torch.gather(mixed, 1, places) + values + z.max(1, keepdim=True)[0] - z.min(1, keepdim=True).values
        spread = torch.stack([z.std(1), z.var(1, unbiased=False), z.norm(dim=1), z.logsumexp(1), z.abs().prod(1)], 1)
        one = F.one_hot(places[:, 0], 7) * z
        return torch.cat([taken, spread, one, mixed.clamp(-1, 2).scatter_add(1, places, values)], 1)

    return Of(forward)


@program(5)
def blocks():
    """Blocks without gradients and of other precision are graphs within the graph."""

    def forward(s, z):
        with torch.no_grad():
            scale = s.linear(s.constant).softmax(1)
        with torch.autocast("cpu", enabled=False):
            x = s.linear(z.float()) * scale
        with torch.no_grad():
            shift, other = s.linear(s.constant + 1).chunk(2, 1)
        return (x[:, :2] + shift) * other.to(torch.float64).to(z.dtype)

    return Of(forward, linear=nn.Linear(5, 4), constant=torch.randn(1, 5))


@program(4)
def field():
    """A coordinate network: positions are made inside."""

    def forward(s, z):
        y, x = torch.meshgrid(torch.linspace(-1, 1, 5), torch.arange(6) / 3 - 1, indexing="ij")
        at = torch.stack([x, y], -1).view(1, 30, 2)
        waves = 2.0 ** torch.arange(3, dtype=torch.float32) * torch.pi
        waved = (at[..., None] * waves).flatten(2)
        inputs = torch.cat([waved.sin(), waved.cos(), z[:, None].expand(-1, 30, -1)], -1)
        return s.out(torch.sin(30 * s.hidden(inputs) * 0.1)).view(1, 5, 6, 3).permute(0, 3, 1, 2)

    return Of(forward, hidden=nn.Linear(16, 8), out=nn.Linear(8, 3))


@program(8, 3, 4)
def self_attention():
    def forward(s, z):
        q, k, v = s.query(z).flatten(2), s.key(z).flatten(2), s.value(z).flatten(2)
        weights = torch.softmax(torch.bmm(q.transpose(1, 2), k), -1)
        return s.gamma * torch.bmm(v, weights.transpose(1, 2)).view_as(z) + z

    convs = {name: nn.Conv2d(8, 8 if name == "value" else 2, 1) for name in ("query", "key", "value")}
    return Of(forward, gamma=nn.Parameter(torch.tensor(0.7)), **convs)


@program(6)
def styled():
    """Adaptive instance norms, and a conditional batch norm."""

    def forward(s, z):
        x = s.constant
        for conv, affine in zip(s.convs, s.affines, strict=True):
            scale, shift = affine(z)[..., None, None].chunk(2, 1)
            x = F.instance_norm(conv(x)) * (1 + scale) + shift
        return F.batch_norm(x, s.mean, s.var) * z[:, :4, None, None]

    convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
    held = {"constant": nn.Parameter(torch.randn(1, 4, 5, 5)), "mean": torch.randn(4), "var": torch.rand(4) + 0.5}
    return Of(forward, convs=convs, affines=nn.ModuleList(nn.Linear(6, 8) for _ in range(2)), **held)


@program(5)
def float64():
    layers = nn.Sequential(nn.Linear(5, 8), nn.Softplus(), nn.Linear(8, 6)).double()
    return Of(lambda s, z: s.layers(z.double()), layers=layers)


@program(6)
def nested_names():
    """Weights that are shared, that are no part of the state dict, and a constant that is no buffer at all."""
    net = Of(lambda s, z: s.b(s.a(z) * s.kept + torch.tensor([0.5, 1.5, -1.0, 2.0, 0.0, 3.0])) + s.loose)
    net.a = net.b = nn.Linear(6, 6)
    net.register_buffer("kept", torch.randn(6), persistent=False)
    net.loose = torch.randn(6)
    return net


@program(3, 4, 4)
def fixed_filters():
    """Blurred up- and down-sampling by filters that are written in the program, as StyleGAN2 has them."""

    def forward(s, z):
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        kernel = (taps[:, None] * taps / 16).flip((0, 1))[None, None]
        x = F.pad(z.reshape(3, 1, 4, 1, 4, 1), [0, 1, 0, 0, 0, 1]).reshape(3, 1, 8, 8)
        return F.conv2d(F.pad(x, [2, 1, 2, 1]), kernel)[:, :, ::2].reshape(1, 3, 4, 8)

    return Of(forward)


@program(4, 6, 6)
def patches():
    def forward(s, z):
        x = F.fold(s.mix(F.unfold(z, 3, padding=1, stride=2).transpose(1, 2)).transpose(1, 2), (6, 6), 3, 1, 1, 2)
        return (
            F.normalize(x, dim=1)
            + F.cosine_similarity(x, z, dim=1)[:, None]
            + z.unfold(2, 4, 2).mean((2, 4))[..., None]
        )

    return Of(forward, mix=nn.Linear(36, 36))


@program(4, 3, 3)
def reparametrised():
    spectral = nn.utils.spectral_norm(nn.Conv2d(4, 5, 3, padding=1))
    weight = nn.utils.weight_norm(nn.ConvTranspose2d(5, 4, 3, 2))
    layers = [spectral, weight, parametrizations.weight_norm(nn.Conv2d(4, 5, 1)), nn.Flatten(1)]
    return nn.Sequential(*layers, parametrizations.spectral_norm(nn.Linear(245, 6)))


@program(4, 5)
def vocoder():
    """Magnitudes and phases of a spectrogram, back to a wave."""

    def forward(s, z):
        size, phase = s.conv(z).chunk(2, 1)
        spectrum = size.exp().clip(max=1e2) * (phase.cos() + 1j * phase.sin())
        return torch.istft(spectrum, 16, 4, 16, torch.hann_window(16), center=True)

    return Of(forward, conv=nn.Conv1d(4, 18, 3, padding=1))
