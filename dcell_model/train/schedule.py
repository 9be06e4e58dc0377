"""Batch size, learning rate and weight decay of a run.

What a weight keeps of its past depends on the rate, the decay and the number of steps together:
AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) takes the share `rate · weight_decay` of every
weight at each step. A recipe in these units is one for a certain number of steps only. Here the
whole run has a decay: a weight that no gradient moves ends as e^-decay of what it was, whatever
the number of genotypes, the batch size and the epochs (compare the time scale of Wang and Aitchison
2024, arXiv:2405.13698).
"""

import math

from data_specs.parameters import Train

MOST_A_STEP = 0.5  # of a weight, so that runs of a few steps stay runs


MANY = 32_768  # training samples, above which a batch of 256 would cost more than it brings


def batch_size_of(config: Train, samples: int) -> int:
    """Genotypes a step: `train.batch_size`, else 256, or 1,024 of many training samples."""
    if config.batch_size is not None:
        return config.batch_size
    return 1024 if samples > MANY else 256


def rate_after(share: float, config: Train) -> float:
    """Learning rate after this share of a run; a function of it alone, so resume is exact."""
    warm = config.warmup
    if share < warm:
        return config.lr * share / warm
    if config.schedule == "constant":
        return config.lr
    return config.lr * (1 + math.cos(math.pi * (share - warm) / (1 - warm))) / 2


def weight_decay_of(config: Train, steps: int, given: float | None) -> float:
    """AdamW's coefficient in a run.

    Args:
        config: with the rate, its schedule, and `decay`.
        steps: of the optimizer, in the whole run.
        given: the coefficient itself, which then holds; None has it follow from `decay`,
            except with `overfit`.
    """
    if given is not None:
        return given
    if not config.decay or config.overfit is not None:  # what is to be fitted by heart
        return 0.0
    return min(config.decay / max(_sum_of_rates(config, steps), config.lr), MOST_A_STEP / config.lr)


def _sum_of_rates(config: Train, steps: int) -> float:
    """Of `rate_after` over the steps of a run, whose number has no bound: in closed form."""
    rising = math.ceil(config.warmup * steps)
    rest = steps - rising
    warm = rising * (rising - 1) / (2 * steps * config.warmup) if rising else 0.0
    if config.schedule == "constant" or not rest:
        return config.lr * (warm + rest)
    angle = math.pi / (steps * (1 - config.warmup))
    first = angle * (rising - config.warmup * steps)
    # Σ cos(first + k · angle), k < rest: Lagrange's identity.
    cosines = math.sin(rest * angle / 2) / math.sin(angle / 2)
    cosines *= math.cos(first + (rest - 1) * angle / 2)
    return config.lr * (warm + (rest + cosines) / 2)
