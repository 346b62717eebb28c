"""The optimiser of GenerativeLatentSpace: Adam with PyTorch's weight decay, its rate falling by epochs."""

from __future__ import annotations

import optax


def published_adam(
    learning_rate: float, *, decay: float, epoch: int, weight_decay: float
) -> optax.GradientTransformation:
    """Adam whose gradient has ``weight_decay · weights`` added first, and whose rate falls by ``decay`` every epoch.

    Args:
        learning_rate: of the first epoch.
        decay: factor on it after each.
        epoch: steps of one.
        weight_decay: as in ``torch.optim.Adam``: a part of the gradient, not decoupled from it.
    """
    rate = optax.exponential_decay(learning_rate, epoch, decay, staircase=True)
    return optax.chain(optax.add_decayed_weights(weight_decay), optax.adam(rate))
