"""Every public function of the array half with arguments that it takes, for NumPy and whoever else can."""

import numpy as np

from gumbel_tutorial import categorical, concrete, gumbel, gumbel_max

RNG = np.random.default_rng(7)
LOGITS, NOISE = 2 * RNG.standard_normal((40, 6)), RNG.gumbel(size=(40, 6))
UNIFORM, INDEX = RNG.random(40), RNG.integers(6, size=40)
RELAXED = concrete.relax(LOGITS, NOISE, 0.7)
LOG_RELAXED = np.log(RELAXED)
ROWS = RNG.uniform(0.3, 2, (40, 1))
ORDER = np.argsort(RNG.random((40, 6)), axis=-1)[:, :3]
MASK = RNG.random((40, 6)) < 0.5
MASK[:, 2] = True
TABLE = categorical.alias_table(LOGITS[0])
MODULES = [categorical, concrete, gumbel, gumbel_max]

CALLS = {
    "categorical.probs": (LOGITS,),
    "categorical.log_probs": (LOGITS,),
    "categorical.entropy": (LOGITS,),
    "categorical.perplexity": (LOGITS,),
    "categorical.mode": (LOGITS, MASK),
    "categorical.kl": (LOGITS, NOISE),
    "categorical.shannon_entropy": (categorical.log_probs(LOGITS),),
    "categorical.divergence": tuple(map(categorical.log_probs, (LOGITS, NOISE))),
    "categorical.one_hot": (INDEX, 6),
    "categorical.inverse_cdf_sample": (LOGITS, UNIFORM),
    "categorical.alias_table": (LOGITS[0],),
    "categorical.alias_sample": (TABLE, UNIFORM),
    "gumbel_max.argmax_sample": (LOGITS, NOISE),
    "gumbel_max.max_location": (LOGITS,),
    "gumbel_max.noise_given_index": (LOGITS, INDEX, NOISE),
    "gumbel_max.condition": (LOGITS, INDEX, NOISE),
    "gumbel_max.top_k_sample": (LOGITS, NOISE, 3),
    "gumbel_max.top_k_weights": (LOGITS, NOISE, 3),
    "gumbel_max.top_k_log_prob": (LOGITS, ORDER),
    "gumbel_max.plackett_luce_log_prob": (LOGITS, ORDER),
    "concrete.scale": (LOGITS, ROWS),
    "concrete.soften": (LOGITS, ROWS),
    "concrete.log_soften": (LOGITS, ROWS),
    "concrete.relax": (LOGITS, NOISE, ROWS),
    "concrete.log_relax": (LOGITS, NOISE, ROWS),
    "concrete.log_density": (RELAXED, LOGITS, ROWS),
    "concrete.log_density_in_log_space": (LOG_RELAXED, LOGITS, 0.7),
    "concrete.exp_concrete_log_density": (LOG_RELAXED, LOGITS, ROWS),
    "concrete.binary_relax": (LOGITS, NOISE, 0.7),
    "concrete.binary_relax_logit": (LOGITS, NOISE, ROWS),
    "concrete.binary_scale": (LOGITS, NOISE, ROWS),
    "concrete.sigmoid": (LOGITS,),
    "concrete.binary_log_density": (RELAXED, LOGITS, 0.7),
    "concrete.binary_log_density_in_logit_space": (NOISE, LOGITS, 0.7),
    "concrete.binary_concrete_log_density": (NOISE, LOGITS, ROWS),
    "gumbel.density": (LOGITS, NOISE, ROWS),
    "gumbel.log_density": (LOGITS, NOISE, ROWS),
    "gumbel.cdf": (LOGITS, NOISE, ROWS),
    "gumbel.log_cdf": (LOGITS, NOISE, ROWS),
    "gumbel.survival": (LOGITS, NOISE, ROWS),
    "gumbel.quantile": (UNIFORM,),
    "gumbel.upper_quantile": (UNIFORM,),
    "gumbel.truncate": (NOISE, LOGITS),
    "gumbel.below": (NOISE, LOGITS),
    "gumbel.truncated_quantile": (RELAXED, LOGITS),
    "gumbel.truncated_log_density": (NOISE, LOGITS),
    "gumbel.truncated_log_cdf": (NOISE, LOGITS),
    "gumbel.moment_generating_function": (0.4 * UNIFORM,),
    "gumbel.mean": (NOISE, ROWS),
    "gumbel.median": (NOISE, ROWS),
    "gumbel.mode": (NOISE, ROWS),
    "gumbel.variance": (NOISE, ROWS),
    "gumbel.entropy": (NOISE, ROWS),
}
# The alias method has one law, where every other function has a batch of them.
BATCHED = [name for name in CALLS if "alias" not in name]


def find(name):
    """Return the function of a name."""
    module, _, function = name.partition(".")
    known = {each.__name__.rpartition(".")[2]: each for each in MODULES}
    return getattr(known[module], function)


def converted(arguments, convert):
    """Return arguments whose arrays, also those of a table, are converted."""
    return tuple(
        type(value)(*map(convert, value))
        if isinstance(value, tuple)
        else convert(value)
        if isinstance(value, np.ndarray)
        else value
        for value in arguments
    )


def arrays_of(result):
    """Return the arrays of a result, which may be a table of them."""
    return tuple(result) if isinstance(result, tuple) else (result,)
