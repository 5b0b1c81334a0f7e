"""What real training meets: offsets, masks, half precision, odd losses and shapes, no gradient mode."""

import math

import numpy as np
import pytest
import torch
from helpers.estimators import FAILURE_RATE, draws, mean_p_value, prepared, seeded

from gumbel_tutorial import estimators, noise
from gumbel_tutorial.estimators import ESTIMATORS, MovingAverage
from gumbel_tutorial.laboratory.measurement import exact_gradient, gradients, measure
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem

NAMES = list(ESTIMATORS)
LOGITS = torch.tensor([0.3, -0.2], dtype=torch.float64)


def cubed(z):
    """Return a loss for every variable on its own, shape (..., K) to (...)."""
    return (z @ torch.linspace(-1, 2, z.shape[-1]).to(z)) ** 3


def estimate(name, logits, f=cubed, **options):
    leaf = logits.clone().requires_grad_()
    getattr(estimators, name)(f, leaf, generator=seeded(), **options).sum().backward()
    return leaf.grad


# Numbers.


@pytest.mark.parametrize("name", NAMES)
def test_an_offset_of_all_logits_changes_nothing(name):
    if name in ("arm", "disarm"):
        logits = torch.tensor([[1.0, 0.0]]).expand(500, 2)
    else:
        logits = torch.tensor([[1.0, 0.0, -2.0]]).expand(500, 3)
    offset = 2.0**23  # whole numbers still have their place in float32, noise has not
    leaves = [x.clone().requires_grad_() for x in (logits, logits + offset)]
    losses = [prepared(name, cubed)(cubed, leaf, generator=seeded()) for leaf in leaves]
    torch.testing.assert_close(losses[0], losses[1])
    slopes = [
        torch.autograd.grad(loss.sum(), leaf)[0]
        for loss, leaf in zip(losses, leaves, strict=True)
    ]
    torch.testing.assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize("prob", [1e-3, 8e-7, 1e-7, 4e-8, 1e-12])
@pytest.mark.parametrize("rare", [0, 1])
@pytest.mark.parametrize("name", ["arm", "disarm"])
def test_a_rare_bit_is_set_as_often_as_it_should(name, rare, prob, monkeypatch):
    # All u that set a bit lie within prob of 0 or 1: 10 prob of each end, in 1000 steps of equal mass, is the
    # whole expectation by the midpoint rule.
    steps = 10 * prob * (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    exponential = torch.cat([-torch.log1p(-steps), -steps.log()])
    gumbels = -exponential.log().float()
    monkeypatch.setattr(noise, "gumbel_like", lambda *_, **__: gumbels)
    logits = torch.zeros(2000, 2)
    logits[:, rare] = math.log(prob)
    leaf = logits.requires_grad_()
    loss = getattr(estimators, name)(lambda z: z[..., rare], leaf)
    loss.sum().backward()
    mean = 10 * prob / 1000 * leaf.grad[:, rare].sum().item()
    # logits are those of odds; the draws are rounded to float32, a part in 2^24 of G up to 28.
    exact = prob / (1 + prob) ** 2
    assert abs(mean / exact - 1) < 2e-3


def test_losses_in_half_precision_leave_leave_one_out_unbiased():
    logits = torch.tensor([0.5, 0.0, -1.0])
    # Rounded to bfloat16 each loss is exact, their mean is not.
    values = torch.tensor([128.0, 129.0, 131.0])
    problem = Problem(lambda z: (z @ values.to(z)).bfloat16(), logits)
    exact = exact_gradient(lambda z: z @ values.to(z), logits)
    estimates = draws("rloo", problem, num_samples=4).double()
    assert mean_p_value(estimates, exact.double()) > FAILURE_RATE


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("rebar", "temperature"),
        ("rebar", "scale"),
        ("straight_through", "temperature"),
        ("gapped_straight_through", "temperature"),
        ("gumbel_softmax", "temperature"),
    ],
)
def test_a_learned_option_has_a_finite_gradient_beside_an_excluded_category(
    name, option
):
    learned = torch.tensor(0.7, requires_grad=True)
    logits = torch.tensor([[0.3, -torch.inf, 1.0, 0.0]] * 20)
    slope = estimate(name, logits, **{option: learned})
    assert slope.isfinite().all()
    assert learned.grad.isfinite()
    assert learned.grad != 0


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64])
@pytest.mark.parametrize(
    "name", ["exact", "reinforce", "rloo", "relax", "disarm", "categorical_disarm"]
)
def test_a_loss_may_count(name, dtype):
    problem = Problem(lambda z: (z[..., 1] > 0).to(dtype), LOGITS)
    options = {"control": lambda x: x.softmax(-1)[..., 1]} if name == "relax" else {}
    estimates = draws(name, problem, 20_000, **options)
    prob = problem.logits.softmax(-1)
    exact = prob[0] * prob[1] * LOGITS.new_tensor([-1.0, 1.0])
    assert mean_p_value(estimates, exact) > FAILURE_RATE


def test_a_moving_average_is_slow_also_in_half_precision():
    average = MovingAverage(decay=0.999)
    average.read_and_update(torch.tensor([100.0]).bfloat16())
    for _ in range(1000):
        baseline = average.read_and_update(torch.tensor([101.0]).bfloat16())
    assert baseline.dtype == torch.bfloat16
    assert abs(average.value.item() - (101 - 0.999**1000)) < 1e-9
    assert average.read_and_update(torch.zeros(0)).isfinite()
    assert average.value.isfinite()


# Shapes.


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_has_an_empty_gradient(name):
    logits = torch.zeros(0, 3, 2).requires_grad_()

    def f(z):
        return cubed(z).sum(-1)

    loss = prepared(name, f)(f, logits, generator=seeded())
    loss.sum().backward()
    assert loss.shape == (0,)
    assert logits.grad.shape == (0, 3, 2)


@pytest.mark.parametrize("name", ["exact", "unordered_set", "rloo"])
@pytest.mark.parametrize(
    "f",
    [
        lambda z: z.reshape(*z.shape[:-2], -1).sum(-1) ** 2 * z[..., 0, 0],
        lambda z: z.view(*z.shape[:-2], 6) @ torch.arange(6.0),
    ],
)
def test_a_loss_may_flatten_its_samples(name, f):
    slope = estimate(name, torch.randn(4, 2, 3, generator=seeded()), f)
    assert slope.shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("reinforce", {"baseline": torch.zeros(5, 1)}, "baseline must broadcast to"),
        ("muprop", {"baseline": torch.zeros(5, 1)}, "baseline must broadcast to"),
        ("rebar", {"scale": torch.ones(5, 1)}, "scale must broadcast to"),
        ("darn", {"reference": torch.ones(7)}, "reference must broadcast to"),
        (
            "relax",
            {"control": lambda x: x.softmax(-1)[..., :1]},
            r"control must return values of shape \(5,\), got shape \(5, 1\)",
        ),
        (
            "relax",
            {"control": lambda x: x.argmax(-1)},
            "control must be differentiable",
        ),
        (
            "relax",
            {"control": lambda x: (0 * x).sum(-1).sqrt()},
            "derivative of control",
        ),
    ],
)
def test_a_shape_or_slope_that_would_mislead_is_refused(name, option, message):
    logits = torch.zeros(5, 3) - 5
    with pytest.raises(ValueError, match=message):
        estimate(name, logits, **option)


@pytest.mark.parametrize(
    "name", ["muprop", "rebar", "double_control_variates", "rodeo", "imle"]
)
def test_a_loss_without_a_derivative_is_named(name):
    with pytest.raises(ValueError, match="f must be differentiable"):
        estimate(name, torch.zeros(5, 3), lambda z: z.argmax(-1).float())


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_is_no_tensor_is_refused(name):
    with pytest.raises(TypeError, match="f must return a torch tensor of losses"):
        prepared(name, cubed)(lambda _: 1.0, torch.zeros(2), generator=seeded())


# Options.


@pytest.mark.parametrize(
    "name",
    [
        "straight_through",
        "gumbel_softmax",
        "straight_through_gumbel_softmax",
        "decoupled_straight_through",
        "gapped_straight_through",
        "gumbel_rao",
        "rebar",
        "reinmax",
        "reinmax_rao",
        "reinmax_cv",
    ],
)
def test_a_wrong_temperature_is_named(name):
    with pytest.raises(ValueError, match=r"^temperature must be positive, got -0.5"):
        estimate(name, torch.zeros(3), temperature=-0.5)


def test_a_temperature_may_differ_by_row():
    logits = torch.randn(2, 3, generator=seeded())
    both = estimate("reinmax", logits, temperature=torch.tensor([[1.0], [2.0]]))
    for row, temperature in enumerate((1.0, 2.0)):
        alone = estimate("reinmax", logits, temperature=temperature)
        torch.testing.assert_close(both[row], alone[row])
    with pytest.raises(ValueError, match="temperature must be at least 1"):
        estimate("reinmax", logits, temperature=torch.tensor([[1.0], [0.5]]))


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("rloo", "num_samples"),
        ("vimco", "num_samples"),
        ("unordered_set", "num_samples"),
        ("gumbel_rao", "num_inner"),
        ("double_control_variates", "num_samples"),
        ("rodeo", "num_samples"),
        ("reinmax_rao", "num_inner"),
    ],
)
def test_a_count_is_a_whole_number_of_any_library(name, option):
    logits = torch.randn(4, 3, generator=seeded())
    plain = estimate(name, logits, **{option: 3})
    assert torch.equal(plain, estimate(name, logits, **{option: np.int64(3)}))
    for wrong in (True, 3.0, None):
        with pytest.raises(ValueError, match=f"{option} must be a whole number"):
            estimate(name, logits, **{option: wrong})


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_of_another_device_is_refused(name):
    with pytest.raises(ValueError, match="generator must be on device meta"):
        prepared(name, cubed)(
            cubed, torch.zeros(3, 2, device="meta"), generator=seeded()
        )


# Gradient modes.


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", NAMES)
def test_the_value_needs_no_gradient_mode(name, mode):
    logits = torch.randn(4, 2, generator=seeded())
    expected = prepared(name, cubed)(cubed, logits, generator=seeded())
    with mode():
        loss = prepared(name, cubed)(cubed, logits, generator=seeded())
    torch.testing.assert_close(loss, expected.detach())


def test_the_laboratory_leaves_other_gradients_alone():
    weight = torch.tensor(2.0, requires_grad=True)
    problem = PROBLEMS["cubic"]
    with torch.no_grad():
        estimates = gradients(
            "straight_through",
            lambda z: weight * problem.f(z),
            problem.logits,
            7,
            generator=seeded(),
        )
    assert estimates.shape == (7, 4)
    assert weight.grad is None


def test_the_cosine_is_that_of_the_direction_alone():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    noisy = exact + torch.randn(100, 2, dtype=torch.float64, generator=seeded())
    plain = measure(noisy, exact).cosine.value
    for scale in (1e-30, 1e30):
        assert abs(measure(scale * noisy, scale * exact).cosine.value - plain) < 1e-12
