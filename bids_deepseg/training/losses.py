"""Loss functions on soft targets, written with backend-independent operations."""

from typing import Any

#: Keeps logarithms and ratios finite.
_EPSILON = 1e-6


def cross_entropy(target: Any, probability: Any) -> Any:
    """Return the mean binary cross-entropy of (N, H, W, 1) tensors."""
    from keras import ops  # noqa: PLC0415 - importing this package must not load a network library

    p = ops.clip(probability, _EPSILON, 1 - _EPSILON)
    return -ops.mean(target * ops.log(p) + (1 - target) * ops.log(1 - p))


def soft_dice(target: Any, probability: Any) -> Any:
    """Return the soft Dice coefficient of each patch, mean over the batch; 1 where both are empty.

    The squares in the denominator make the coefficient 1 for a soft target that is met exactly [1]_. The one pixel
    added to both sides keeps the empty patch from jumping between 0 and 1.

    References
    ----------
    .. [1] Milletari F, et al. V-Net. 3DV 2016.
    """
    from keras import ops  # noqa: PLC0415 - importing this package must not load a network library

    # A slice of a stack is scored like a patch of its own.
    target, probability = (ops.reshape(array, (-1, *array.shape[-3:])) for array in (target, probability))
    axes = (1, 2, 3)
    overlap = 2 * ops.sum(target * probability, axis=axes)
    total = ops.sum(ops.square(target), axis=axes) + ops.sum(ops.square(probability), axis=axes)
    return ops.mean((overlap + 1.0) / (total + 1.0))


def segmentation_loss(target: Any, probability: Any) -> Any:
    """Return 2 x cross-entropy + (1 - soft Dice)."""
    return 2 * cross_entropy(target, probability) + 1 - soft_dice(target, probability)


def detection_loss(target: Any, probability: Any) -> Any:
    """Return 10 x cross-entropy: the target covers few pixels, so the mean is small."""
    return 10 * cross_entropy(target, probability)
