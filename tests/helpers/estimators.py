"""What the tests of the estimators share: seeds, options, noise, draws, and one test of a mean."""

import math

import torch

from gumbel_tutorial import estimators, noise
from gumbel_tutorial.estimators.enumeration import all_digits
from gumbel_tutorial.laboratory.measurement import gradients
from gumbel_tutorial.nn import arguments, plain

# Of one comparison; the suite makes about two hundred.
FAILURE_RATE = 1e-6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def prepared(name, f):
    """Return an estimator by name, with a control variate for f where it needs one."""
    options = {"control": lambda x: f(x.softmax(-1))} if name == "relax" else {}
    return estimators.get(name).prepare(**options)


def categories(name):
    """Return how many categories logits may have for a named estimator."""
    return 2 if name in ("arm", "disarm") else 3


def energy(z):
    """Return a loss of two variables, shape (..., 2, K) to (...)."""
    weights = torch.linspace(-1, 2, z.shape[-2] * z.shape[-1], device=z.device)
    return torch.tanh(z.flatten(-2) @ weights.to(z)).square()


def hold_noise(monkeypatch):
    """Let every draw of noise be one and the same function of its shape."""

    def held(array, *, generator=None):
        del generator
        count = torch.arange(array.numel(), dtype=array.dtype, device=array.device)
        return (2.5 * torch.sin(12.9898 * (count + 1)) + 0.5).reshape(array.shape)

    give_noise(monkeypatch, held)


def give_noise(monkeypatch, gumbel_like):
    """Let every draw of Gumbel or normal noise be that of a function, also where samples have a short way."""
    monkeypatch.setattr(noise, "gumbel_like", gumbel_like)
    monkeypatch.setattr(noise, "normal_like", gumbel_like)
    monkeypatch.setattr(arguments, "gumbel_like", gumbel_like)
    monkeypatch.setattr(plain, "is_plain", lambda *_: False)


def draws(name, problem, count=200_000, seed=0, **options):
    """Return estimates of the gradient of a problem by a named estimator."""
    generator = seeded(seed)
    return gradients(
        name, problem.f, problem.logits, count, generator=generator, **options
    )


def mean_p_value(estimates, gradient):
    """Return the p-value that independent estimates have the given mean, in every entry."""
    mean, error = estimates.mean(0), estimates.std(0) / math.sqrt(len(estimates))
    rounding = 1e-9 * gradient.abs().max()
    score = ((mean - gradient).abs() / (error + rounding)).max().item()
    return min(1.0, gradient.numel() * math.erfc(score / math.sqrt(2)))


def enumerate_mean(name, problem, monkeypatch, **options):
    """Return the mean of an estimator that takes from its noise z alone, over all z."""
    probs, estimates = _enumerate(name, problem, monkeypatch, options)
    return probs @ estimates


def enumerate_variance(name, problem, monkeypatch, **options):
    """Return the total variance of such an estimator, over all z."""
    probs, estimates = _enumerate(name, problem, monkeypatch, options)
    return probs @ (estimates - probs @ estimates).square().sum(-1)


def _enumerate(name, problem, monkeypatch, options):
    logits = problem.logits
    estimates = []
    for state in torch.eye(logits.shape[-1]).to(logits):

        def winning(like, *, generator, z=state):
            del generator
            return 1e3 * z.expand_as(like)

        with monkeypatch.context() as held:
            give_noise(held, winning)
            drawn = gradients(name, problem.f, logits, 1, generator=seeded(), **options)
        estimates.append(drawn[0])
    return logits.softmax(-1), torch.stack(estimates)


def enumerate_several(name, problem, monkeypatch, num_samples, **options):
    """Return the mean of an estimator of several independent samples, over all that they can be."""
    logits = problem.logits
    states = all_states(logits)
    chosen = torch.cartesian_prod(*[torch.arange(len(states))] * num_samples)
    samples = states[chosen].movedim(1, 0)
    log_probs = (samples * logits.log_softmax(-1)).flatten(2).sum(-1).sum(0)

    def winning(like, *, generator):
        del generator
        return 1e3 * samples.reshape(like.shape)

    with monkeypatch.context() as held:
        give_noise(held, winning)
        options = {"num_samples": num_samples, **options}
        drawn = gradients(
            name, problem.f, logits, len(chosen), generator=seeded(), **options
        )
    return torch.einsum("n,n...->...", log_probs.exp(), drawn)


def all_states(logits):
    """Return every one-hot state of variables (..., K), (states, ..., K)."""
    size = logits.shape[-1]
    digits = all_digits(size, logits.shape[:-1], logits.device)
    states = torch.eye(size).to(logits)[digits]
    return states.reshape(len(digits), *logits.shape)
