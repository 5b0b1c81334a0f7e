"""Where torch's own laws are wrong, infinite or of another shape: both are run, and ours is right."""

import mpmath
import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli as TorchLogitBit

from gumbel_tutorial import distributions as gt
from gumbel_tutorial.book.statistics import chi_square_p_value

# Each test of a law rejects a right sampler once in 1e6 runs; seeds are fixed.
FAILURE_RATE = 1e-6


@pytest.fixture
def logits(torch_generator):
    """Return logits of ten categories, three rows."""
    return torch.randn(3, 10, generator=torch_generator)


def test_one_temperature_per_row_gives_one_density_per_row(logits):
    temperature = torch.tensor([[0.5], [1.0], [2.0]])
    ours = gt.RelaxedOneHotCategorical(temperature, logits=logits)
    theirs = torch.distributions.RelaxedOneHotCategorical(temperature, logits=logits)
    draws = ours.sample((4,), generator=torch.Generator().manual_seed(0))
    assert theirs.log_prob(draws[0]).shape == (3, 3)
    assert ours.log_prob(draws[0]).shape == (3,)
    assert ours.log_prob(draws).shape == (4, 3)
    for row in range(3):
        alone = torch.distributions.RelaxedOneHotCategorical(
            temperature[row, 0], logits=logits[row], validate_args=False
        )
        torch.testing.assert_close(
            ours.log_prob(draws)[:, row], alone.log_prob(draws[:, row])
        )


def test_a_temperature_enlarges_the_batch(logits):
    ours = gt.ExpRelaxedCategorical(torch.ones(4, 1, 1), logits=logits)
    assert ours.batch_shape == (4, 3)
    assert ours.expand((2, 4, 3)).sample().shape == (2, 4, 3, 10)
    weights = gt.ExpRelaxedCategorical(torch.ones(4, 1, 1), logits.exp())
    for law, batch in ((weights, (4, 3)), (weights.expand((2, 4, 3)), (2, 4, 3))):
        assert law.probs.shape == law.logits.shape == (*batch, 10)


def test_a_temperature_per_category_is_refused_not_broadcast(logits):
    torch.distributions.RelaxedOneHotCategorical(torch.ones(10), logits=logits).sample()
    with pytest.raises(ValueError, match="temperature must have size 1 on its last"):
        gt.RelaxedOneHotCategorical(torch.ones(10), logits=logits)


@pytest.mark.parametrize("temperature", [0.1, 0.05, 0.01])
def test_the_density_of_a_draw_is_finite_at_low_temperature(logits, temperature):
    temperature = torch.tensor(temperature)
    theirs = torch.distributions.RelaxedOneHotCategorical(
        temperature, logits=logits, validate_args=False
    )
    torch.manual_seed(0)
    assert not theirs.log_prob(theirs.sample((2000,))).isfinite().all()
    for kind in (gt.RelaxedOneHotCategorical, gt.ExpRelaxedCategorical):
        leaf = logits.clone().requires_grad_()
        ours = kind(temperature, logits=leaf)
        log_prob = ours.log_prob(ours.rsample((2000,)))
        assert log_prob.isfinite().all()
        log_prob.sum().backward()
        assert leaf.grad.isfinite().all()


def test_the_density_of_a_rounded_draw_is_that_of_the_rounded_point():
    ours = gt.RelaxedOneHotCategorical(0.05, logits=torch.tensor([0.0, 30.0]))
    draw = ours.sample(generator=torch.Generator().manual_seed(0))
    assert draw[0] == torch.finfo(torch.float32).tiny
    with mpmath.workdps(40):
        y = [mpmath.mpf(v) for v in draw.tolist()]
        pi, tau = [mpmath.mpf(1), mpmath.exp(30)], mpmath.mpf(np.float32(0.05).item())
        weights = [p * v**-tau for p, v in zip(pi, y, strict=True)]
        exact = mpmath.log(tau) - 2 * mpmath.log(sum(weights))
        exact += sum(
            mpmath.log(w) - mpmath.log(v) for w, v in zip(weights, y, strict=True)
        )
    # The sum of terms up to 90 is rounded, 2^-24 relative each.
    assert abs(ours.log_prob(draw).item() - float(exact)) < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_draws_are_taken_back(logits, dtype):
    theirs = torch.distributions.RelaxedOneHotCategorical(
        torch.tensor(0.5, dtype=dtype), logits=logits.to(dtype)
    )
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="Simplex"):
        theirs.log_prob(theirs.sample((100,)))
    ours = gt.RelaxedOneHotCategorical(0.5, logits=logits.to(dtype))
    assert ours.log_prob(ours.sample((100,))).dtype == dtype


def test_half_precision_probabilities_are_taken():
    weights = torch.rand(50, 100, generator=torch.Generator().manual_seed(0)).bfloat16()
    with pytest.raises(ValueError, match="probs"):
        torch.distributions.Categorical(weights)
    ours = gt.GumbelMax(weights)
    torch.testing.assert_close(
        ours.probs.float().sum(-1), torch.ones(50), atol=0.01, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_million_categories_are_taken_back(dtype):
    logits = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0)).to(
        dtype
    )
    for temperature in (1.0, 0.05):
        ours = gt.RelaxedOneHotCategorical(temperature, logits=logits)
        draw = ours.sample(generator=torch.Generator().manual_seed(0))
        ours.log_prob(draw)
    assert gt.GumbelMax(logits.float().exp().to(dtype)).sample().shape == ()
    if dtype == torch.float32:
        with pytest.raises(ValueError, match="Simplex"):
            torch.distributions.RelaxedOneHotCategorical(
                torch.tensor(1.0), logits=logits
            )


def test_a_point_that_misses_the_simplex_by_more_than_rounding_is_refused():
    ours = gt.RelaxedOneHotCategorical(1.0, logits=torch.zeros(3))
    with pytest.raises(ValueError, match="value must be positive and sum to one"):
        ours.log_prob(torch.tensor([0.3, 0.3, 0.3]))


def test_the_logit_of_a_bit_has_its_density_for_large_logits():
    for logit in (100.0, -100.0, 1e4):
        logits, at = torch.tensor(logit), torch.tensor(0.0)
        theirs = TorchLogitBit(torch.tensor(0.5), logits=logits)
        ours = gt.LogitRelaxedBernoulli(0.5, logits=logits)
        exact = scipy.stats.logistic.logpdf(0.0, 2 * logit, 2)
        if logit > 0:
            assert theirs.log_prob(at) == -torch.inf
        assert ours.log_prob(at).item() == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("logit", [20.0, -20.0, 200.0])
def test_the_logit_of_a_bit_has_its_derivative_for_large_logits(logit):
    def slope(kind):
        logits = torch.tensor(logit, requires_grad=True)
        law = kind(torch.tensor(0.5), logits=logits)
        torch.manual_seed(0)
        return torch.autograd.grad(law.rsample(), logits)[0].item()

    assert slope(TorchLogitBit) == 0
    assert slope(gt.LogitRelaxedBernoulli) == 2


def test_a_bit_that_rounds_to_one_lies_inside_and_keeps_its_derivative():
    logits = torch.tensor([20.0, -20.0], requires_grad=True)
    ours = gt.RelaxedBernoulli(0.5, logits=logits)
    draws = ours.rsample((1000,), generator=torch.Generator().manual_seed(0))
    assert ((draws > 0) & (draws < 1)).all()
    assert ours.log_prob(draws).isfinite().all()
    (slope,) = torch.autograd.grad(draws.sum(), logits)
    assert (slope > 0).all()


def test_a_draw_that_overflows_its_dtype_is_the_last_number_inside():
    logits = torch.tensor([0.0, 10.0], dtype=torch.float16, requires_grad=True)
    least = torch.finfo(torch.float16).min
    ours = gt.ExpRelaxedCategorical(torch.tensor(1e-4), logits=logits)
    draw = ours.rsample(generator=torch.Generator().manual_seed(0))
    assert draw.tolist() == [least, 0.0]
    assert torch.autograd.grad(draw.sum(), logits)[0].isfinite().all()
    bit = gt.LogitRelaxedBernoulli(1e-4, logits=logits.detach()).sample()
    assert bit.abs().max() == -least


def test_torchs_law_of_a_logit_bit_says_it_has_no_rsample():
    assert not TorchLogitBit.has_rsample
    assert gt.LogitRelaxedBernoulli.has_rsample


def test_the_upper_tail_of_the_gumbel_law_keeps_its_digits():
    x = torch.tensor([20.0, 40.0, 100.0], dtype=torch.float64)
    theirs = torch.distributions.Gumbel(0.0, 1.0, validate_args=False)
    exact = torch.from_numpy(scipy.stats.gumbel_r.sf(x.numpy()))
    assert (1 - theirs.cdf(x))[1:].tolist() == [0.0, 0.0]
    law = gt.Gumbel(0.0, 1.0)
    torch.testing.assert_close(law.sf(x), exact, rtol=1e-14, atol=0)
    torch.testing.assert_close(law.isf(exact), x, rtol=1e-14, atol=0)


def test_gumbel_draws_in_half_precision_pass_where_torchs_stop():
    # Of 10,000 draws none lies above 5 once in exp(10,000 e^-5) = 1e29 runs.
    zero, one = (
        torch.zeros((), dtype=torch.bfloat16),
        torch.ones((), dtype=torch.bfloat16),
    )
    torch.manual_seed(0)
    theirs = torch.distributions.Gumbel(zero, one, validate_args=False)
    assert theirs.sample((10_000,)).max() < 5
    assert gt.Gumbel(zero, one).sample((10_000,)).max() > 5


def test_the_density_is_right_at_the_ends_of_the_line():
    x = torch.tensor([-torch.inf, -1e3, 1e3, torch.inf])
    theirs = torch.distributions.Gumbel(0.0, 1.0).log_prob(x)
    assert theirs[0].isnan() or theirs[0] == -torch.inf
    assert gt.Gumbel(0.0, 1.0).log_prob(x).tolist() == [
        -torch.inf,
        -torch.inf,
        -1e3,
        -torch.inf,
    ]


def test_half_precision_draws_have_the_law_of_the_logits():
    shares = torch.tensor([0.5, 0.3, 0.15, 0.047, 0.003])
    logits = shares.log().bfloat16()
    probs = logits.double().softmax(-1).numpy()
    generator = torch.Generator().manual_seed(0)
    counts = sum(
        torch.bincount(
            gt.GumbelMax(logits=logits).sample((500_000,), generator=generator),
            minlength=5,
        )
        for _ in range(4)
    )
    assert chi_square_p_value(counts.numpy(), probs) > FAILURE_RATE
    torch.manual_seed(0)
    theirs = torch.distributions.RelaxedOneHotCategorical(
        torch.tensor(1.0, dtype=torch.bfloat16), logits=logits
    )
    hard = theirs.sample((500_000,)).argmax(-1)
    rival = torch.bincount(hard, minlength=5).numpy()
    assert chi_square_p_value(rival, probs) < FAILURE_RATE


def test_an_excluded_category_is_never_drawn_and_has_no_derivative():
    logits = torch.tensor([0.0, -torch.inf, 1.0], requires_grad=True)
    law = gt.GumbelMax(logits=logits)
    assert not (law.sample((10_000,)) == 1).any()
    assert law.log_prob(torch.tensor(1)) == -torch.inf
    (slope,) = torch.autograd.grad(law.log_prob(torch.tensor([0, 2])).sum(), logits)
    assert slope.isfinite().all()
    assert slope[1] == 0
    weights = torch.tensor([1.0, 0.0, 3.0], requires_grad=True)
    law = gt.GumbelMax(weights)
    assert law.log_prob(torch.tensor(1)) == -torch.inf
    (slope,) = torch.autograd.grad(
        law.entropy() + law.log_prob(torch.tensor(2)), weights
    )
    assert slope.isfinite().all()


def test_a_large_common_offset_of_the_logits_changes_nothing():
    logits = torch.tensor([0.25, 1.0, -1.5])
    law, far = gt.GumbelMax(logits=logits), gt.GumbelMax(logits=logits + 2.0**20)
    assert torch.equal(law.logits, far.logits)
    torch_far = torch.distributions.Categorical(logits=logits + 2.0**20)
    assert not torch.allclose(torch_far.logits, law.logits, atol=1e-3)


@pytest.mark.parametrize("kind", ["GumbelMax", "RelaxedOneHotCategorical"])
def test_neither_or_both_of_probs_and_logits_are_refused(kind):
    def make(**given):
        options = {} if kind == "GumbelMax" else {"temperature": 1.0}
        return getattr(gt, kind)(**options, **given)

    with pytest.raises(
        ValueError, match="probs or logits must be given, .* got neither"
    ):
        make()
    with pytest.raises(ValueError, match="got both"):
        make(probs=torch.ones(2), logits=torch.ones(2))
    with pytest.raises(
        ValueError, match="probs must be .*probabilities|probs must be positive"
    ):
        make(probs=torch.tensor([0.5, -0.5, 2.0]))
    with pytest.raises(ValueError, match="probs must"):
        make(probs=torch.zeros(3))
    with pytest.raises(ValueError, match="logits must have axis -1"):
        make(logits=torch.tensor(1.0))
    for bad in ("probs", "logits"):
        with pytest.raises(TypeError, match=f"{bad} must .* got list"):
            make(**{bad: [0.5, 0.5]})
