"""For every kind of sampler but the categorical one, and for masks: the fault that each check names."""

import numpy as np
from helpers import planted

from gumbel_tutorial import decoding


def gumbels(seed, num_draws, shape):
    return np.random.default_rng(seed).gumbel(size=(num_draws, *shape))


def masked(logits, mask, num_draws, seed):
    return planted.sound(np.where(mask, logits, -np.inf), num_draws, seed)


def one_more_than_k(logits, num_draws, seed, *, top_k):
    return masked(logits, decoding.top_k_mask(logits, top_k + 1), num_draws, seed)


def nucleus_without_its_last(logits, num_draws, seed, *, top_p):
    order = np.argsort(-logits, axis=-1)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    sums = np.take_along_axis(probs, order, -1).cumsum(-1)
    mask = np.zeros(logits.shape, bool)
    np.put_along_axis(mask, order, sums < top_p, -1)
    return masked(logits, mask, num_draws, seed)


def absolute_min_p(logits, num_draws, seed, *, min_p):
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return masked(logits, probs >= min(min_p, probs.max()), num_draws, seed)


def multiplied_by_the_mask(logits, num_draws, seed, *, mask):
    return planted.sound(logits * mask, num_draws, seed)


def largest_first(logits, count, num_draws, seed):
    perturbed = logits + gumbels(seed, num_draws, logits.shape)
    return np.argsort(-perturbed, axis=-1)[:, :count]


def in_ascending_order(logits, count, num_draws, seed):
    return np.sort(largest_first(logits, count, num_draws, seed), axis=-1)


def thrown_away_and_drawn_anew(logits, count, num_draws, seed):
    rng = np.random.default_rng(seed)
    probs = np.exp(logits - np.logaddexp.reduce(logits)).astype(float)
    probs, found = probs / probs.sum(), np.empty((0, count), int)
    while len(found) < num_draws:
        rows = rng.choice(len(probs), (num_draws, count), p=probs)
        ordered = np.sort(rows, -1)
        distinct = (ordered[:, 1:] != ordered[:, :-1]).all(-1)
        found = np.concatenate([found, rows[distinct]])
    return found[:num_draws]


def seven_below_the_largest(logits, count, num_draws, seed):
    filled = np.where(logits == -np.inf, logits.max() - 7, logits)
    return largest_first(filled, count, num_draws, seed)


def softmax(values):
    exponentials = np.exp(values - values.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def relaxed(logits, num_draws, seed, temperature):
    return softmax((logits + gumbels(seed, num_draws, logits.shape)) / temperature)


@np.errstate(over="ignore", invalid="ignore")
def overflowing(logits, num_draws, seed, temperature):
    noise = gumbels(seed, num_draws, logits.shape)
    exponentials = np.exp(((logits + noise) / temperature).astype(np.float32))
    return exponentials / exponentials.sum(-1, keepdims=True)


def noise_alone_divided(logits, num_draws, seed, temperature):
    return softmax(logits + gumbels(seed, num_draws, logits.shape) / temperature)


def temperature_twice(logits, num_draws, seed, temperature):
    return relaxed(logits, num_draws, seed, temperature**2)


def rounded(logits, num_draws, seed, temperature, *, hard):
    sample = relaxed(logits, num_draws, seed, temperature)
    return sample.round() if hard else sample


def largest_of_the_rounded(logits, num_draws, seed, temperature, *, hard, dtype):
    sample = relaxed(logits, num_draws, seed, temperature)
    if dtype == "bfloat16":
        sample = planted.to_bfloat16(sample)
    return np.eye(len(logits))[sample.argmax(-1)] if hard else sample


def draft_at_another_temperature(draft_logits, target_logits, num_draws, seed):
    return planted.fresh_residual_noise(
        draft_logits / 1.1, target_logits, num_draws, seed
    )


def drawn_anew(draft_logits, target_logits, num_draws, seed):
    drafted = planted.sound(draft_logits, num_draws, seed)
    return drafted, planted.sound(target_logits, num_draws, seed + 1)


# By kind and check.
FAULTS = {
    ("categorical", "top-k"): one_more_than_k,
    ("categorical", "nucleus"): nucleus_without_its_last,
    ("categorical", "min-p"): absolute_min_p,
    ("categorical", "mask"): multiplied_by_the_mask,
    ("without_replacement", "ordered law"): in_ascending_order,
    (
        "without_replacement",
        "ordered law of a long tail",
    ): thrown_away_and_drawn_anew,
    ("without_replacement", "excluded categories"): seven_below_the_largest,
    ("relaxed", "simplex"): overflowing,
    ("relaxed", "winners"): noise_alone_divided,
    ("relaxed", "whole law"): temperature_twice,
    ("relaxed", "straight-through"): rounded,
    ("relaxed", "straight-through in bfloat16"): largest_of_the_rounded,
    ("speculative", "drafts"): draft_at_another_temperature,
    ("speculative", "emitted law"): planted.shared_draft_noise,
    ("speculative", "acceptance"): drawn_anew,
}
