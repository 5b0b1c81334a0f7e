"""What torch expects of every distribution, asked of each law."""

import copy
import io
import math
import pickle

import pytest
import torch
from helpers.distributions import (
    CONTINUOUS,
    DISCRETE,
    LAWS,
    ON_THE_LINE,
    law,
    parameters,
)
from torch.distributions import (
    AffineTransform,
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    TransformedDistribution,
    biject_to,
    constraints,
    kl_divergence,
    transform_to,
)

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
PROBS = torch.tensor([1e-6, 0.01, 0.3, 0.5, 0.8, 1 - 1e-6], dtype=torch.float64)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Dynamo detected a call to a .functools:UserWarning"
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAWS)
def test_draws_have_the_shape_and_the_dtype_and_lie_in_the_support(
    name, dtype, torch_generator
):
    one = law(name, dtype)
    draws = one.sample((1000, 1), generator=torch_generator)
    assert draws.shape == (1000, 1, 2, *one.event_shape)
    assert draws.dtype == (torch.int64 if name in DISCRETE else dtype)
    assert one.support.check(draws).all()
    log_prob = one.log_prob(draws)
    assert log_prob.shape == (1000, 1, 2)
    assert log_prob.dtype == dtype
    assert log_prob.isfinite().all()


@pytest.mark.parametrize("name", LAWS)
def test_values_broadcast_against_the_batch(name, torch_generator):
    one = law(name)
    single = one.sample(generator=torch_generator)[0]
    both = single.expand(2, *one.event_shape)
    torch.testing.assert_close(
        one.log_prob(single), one.log_prob(both), rtol=1e-14, atol=0
    )
    assert one.log_prob(single).shape == (2,)


@pytest.mark.parametrize("name", LAWS)
def test_one_draw_at_a_time_has_the_law_of_a_row(name, torch_generator):
    alone = LAWS[name][0](**{key: value[0] for key, value in parameters(name).items()})
    assert alone.batch_shape == ()
    draws = alone.sample((3,), generator=torch_generator)
    assert draws.shape == (3, *alone.event_shape)
    both = law(name).log_prob(draws[:, None])[:, 0]
    torch.testing.assert_close(alone.log_prob(draws), both, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", LAWS)
def test_expand_keeps_the_law_in_no_new_memory(name, torch_generator):
    one = law(name)
    one.log_prob(one.sample())  # what is lazy is held from now on
    wide = one.expand((3, 2))
    assert type(wide) is type(one)
    assert (wide.batch_shape, wide.event_shape) == ((3, 2), one.event_shape)
    draws = wide.sample((4,), generator=torch_generator)
    assert draws.shape == (4, 3, 2, *one.event_shape)
    torch.testing.assert_close(
        wide.log_prob(draws), one.log_prob(draws), rtol=1e-14, atol=0
    )
    again = wide.expand((5, 3, 2)).expand((5, 3, 2))
    assert again.batch_shape == (5, 3, 2)
    held, new = (
        {v.data_ptr() for v in vars(each).values() if isinstance(v, torch.Tensor)}
        for each in (one, again)
    )
    assert new <= held
    for key in LAWS[name][1]:
        assert getattr(again, key).shape[:3] == (5, 3, 2)
    with pytest.raises(RuntimeError):
        one.expand((3,))


@pytest.mark.parametrize("name", LAWS)
def test_expand_serves_a_subclass_with_an_init_of_its_own(name):
    class Mine(type(law(name))):
        def __init__(self):
            options = {"k": 3} if name == "PlackettLuce" else {}
            super().__init__(**parameters(name), **options)

    wide = Mine().expand((3, 2))
    assert (type(wide), wide.batch_shape) == (Mine, (3, 2))


@pytest.mark.parametrize("name", LAWS)
def test_a_seed_gives_the_draw_again_and_touches_nothing_else(name):
    one = law(name)
    before = torch.get_rng_state()
    first, second = (
        one.sample((5,), generator=torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(3)
    assert torch.equal(first, one.sample((5,)))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_sample_has_no_derivative_and_rsample_has_one(name, torch_generator):
    leaves = {key: v.requires_grad_() for key, v in parameters(name).items()}
    one = LAWS[name][0](**leaves)
    assert one.has_rsample
    assert not one.sample((3,), generator=torch_generator).requires_grad
    draws = one.rsample((3,), generator=torch_generator)
    draws[..., 0].sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in leaves.values())
    assert any(leaf.grad.any() for leaf in leaves.values())


@pytest.mark.parametrize("name", DISCRETE)
def test_a_discrete_law_has_no_rsample(name):
    assert not law(name).has_rsample
    with pytest.raises(NotImplementedError, match="has no rsample"):
        law(name).rsample()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_derivatives_of_draws_are_those_of_finite_differences(name):
    def draw(*values):
        one = LAWS[name][0](**dict(zip(LAWS[name][1], values, strict=True)))
        return one.rsample((2,), generator=torch.Generator().manual_seed(0))

    leaves = tuple(v.requires_grad_() for v in parameters(name).values())
    assert torch.autograd.gradcheck(draw, leaves)


@pytest.mark.parametrize("name", LAWS)
def test_the_derivatives_of_log_prob_are_those_of_finite_differences(
    name, torch_generator
):
    draws = law(name).sample((2,), generator=torch_generator)

    def log_prob(value, *values):
        given = dict(zip(LAWS[name][1], values, strict=True))
        return LAWS[name][0](**given, validate_args=False).log_prob(value)

    leaves = tuple(v.requires_grad_() for v in parameters(name).values())
    draws = draws if name in DISCRETE else draws.requires_grad_()
    assert torch.autograd.gradcheck(log_prob, (draws, *leaves))
    assert torch.autograd.gradgradcheck(log_prob, (draws, *leaves))


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_icdf_inverts_cdf_whose_derivative_is_the_density(name):
    one = law(name)
    points = one.icdf(PROBS[:, None]).requires_grad_()
    cdf = one.cdf(points)
    torch.testing.assert_close(cdf, PROBS[:, None].expand(6, 2), rtol=1e-9, atol=0)
    torch.testing.assert_close(cdf + one.sf(points), torch.ones_like(cdf))
    (slope,) = torch.autograd.grad(cdf.sum(), points)
    torch.testing.assert_close(slope.log(), one.log_prob(points), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_a_probability_outside_the_unit_interval_is_refused(name):
    for bad in (-0.1, 1.5, torch.nan):
        with pytest.raises(ValueError, match="value must lie in Interval"):
            law(name).icdf(torch.tensor([bad, 0.5]))
        law(name, validate_args=False).icdf(torch.tensor([bad, 0.5]))


@pytest.mark.parametrize("name", DISCRETE)
def test_the_support_is_enumerated_once_each_and_sums_to_one(name):
    one = law(name)
    assert one.has_enumerate_support
    values = one.enumerate_support()
    short = one.enumerate_support(expand=False)
    count = 4 if name == "GumbelMax" else 24
    assert values.shape == (count, 2, *one.event_shape)
    assert short.shape == (count, 1, *one.event_shape)
    assert torch.equal(short.expand_as(values), values)
    assert one.support.check(values).all()
    assert len({str(value) for value in short.tolist()}) == count
    torch.testing.assert_close(
        one.log_prob(short).exp().sum(0), torch.ones(2, dtype=torch.float64)
    )


@pytest.mark.parametrize("name", LAWS)
def test_a_law_survives_pickle_copy_and_torch_save(name, torch_generator):
    one = law(name)
    draws = one.sample((3,), generator=torch_generator)
    buffer = io.BytesIO()
    torch.save(one, buffer)
    buffer.seek(0)
    others = [
        pickle.loads(pickle.dumps(one)),
        copy.deepcopy(one),
        torch.load(buffer, weights_only=False),
    ]
    for other in others:
        # Elsewhere in memory, a row may be summed in another order.
        torch.testing.assert_close(
            other.log_prob(draws), one.log_prob(draws), rtol=1e-13, atol=0
        )
        assert repr(other) == repr(one)


@pytest.mark.parametrize("name", LAWS)
def test_independent_takes_batch_for_event(name):
    one = law(name)
    joint = Independent(one, 1)
    draws = joint.sample((3,))
    torch.testing.assert_close(joint.log_prob(draws), one.log_prob(draws).sum(-1))
    assert joint.support.event_dim == one.support.event_dim + 1
    assert joint.expand((4,)).sample().shape == (4, 2, *one.event_shape)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_unconstrained_numbers_find_the_way_into_the_support(name, torch_generator):
    one = law(name)
    way = biject_to(one.support)
    width = (
        one.event_shape[0] - 1 if one.event_shape else 1
    )  # of a point of the simplex
    shape = (50, 2, width) if one.event_shape else (50, 2)
    free = torch.randn(shape, generator=torch_generator, dtype=torch.float64)
    points = way(free)
    assert one.support.check(points).all()
    assert one.log_prob(points).isfinite().all()
    torch.testing.assert_close(way.inv(points), free, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LAWS)
def test_unconstrained_numbers_find_the_way_to_the_parameters(name, torch_generator):
    one = law(name)
    for key, constraint in one.arg_constraints.items():
        for registry in (biject_to, transform_to):
            free = torch.randn(5, 3, generator=torch_generator, dtype=torch.float64)
            assert constraint.check(registry(constraint)(free)).all(), key


@pytest.mark.parametrize("name", LAWS)
def test_what_torch_asks_of_the_support_is_answered(name):
    one = law(name)
    kind = type(one).support
    assert isinstance(one.support, constraints.Constraint)
    assert kind.is_discrete == one.support.is_discrete == (name in DISCRETE)
    assert kind.event_dim == one.support.event_dim == len(one.event_shape)


@pytest.mark.parametrize("name", LAWS)
def test_a_parameter_out_of_range_is_refused_by_name_and_value(name):
    for key, value in parameters(name).items():
        for bad in (torch.nan, torch.inf, -torch.inf):
            if (key, bad) == ("upper", torch.inf):
                continue
            given = parameters(name) | {key: torch.full_like(value, bad)}
            with pytest.raises(ValueError, match=rf"^{key} must .*, got .*(nan|inf)"):
                LAWS[name][0](**given)
            LAWS[name][0](**given, validate_args=False)
        with pytest.raises(TypeError, match=rf"^{key} must have a floating dtype"):
            LAWS[name][0](**parameters(name) | {key: torch.ones_like(value).long()})


@pytest.mark.parametrize("key", ["scale", "temperature"])
@pytest.mark.parametrize("bad", [0.0, -1.0])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_scale_or_temperature_that_is_not_positive_is_refused(name, key, bad):
    if key not in LAWS[name][1]:
        return
    given = parameters(name) | {key: torch.tensor([[bad]])}
    with pytest.raises(ValueError, match=rf"^{key} must be positive and finite, got"):
        LAWS[name][0](**given)


BAD_VALUES = {
    "Gumbel": torch.nan,
    "TruncatedGumbel": 5.0,
    "GumbelMax": 4,
    "PlackettLuce": 0,
    "ExpRelaxedCategorical": 0.0,
    "RelaxedOneHotCategorical": 0.5,
    "LogitRelaxedBernoulli": torch.inf,
    "RelaxedBernoulli": 1.0,
}


@pytest.mark.parametrize("name", LAWS)
def test_a_value_outside_the_support_is_refused_where_validation_is_on(name):
    one, free = law(name), law(name, validate_args=False)
    value = torch.full((2, *one.event_shape), BAD_VALUES[name])
    with pytest.raises(ValueError, match=r"^value must "):
        one.log_prob(value)
    if name != "GumbelMax":  # where there is no entry to read
        free.log_prob(value)
    with pytest.raises(ValueError, match="value must be a tensor, got float"):
        one.log_prob(0.5)
    with pytest.raises(ValueError, match="value must broadcast against batch"):
        one.log_prob(torch.zeros(3, *one.event_shape))
    if one.event_shape:
        with pytest.raises(ValueError, match="value must broadcast against batch"):
            one.log_prob(torch.ones(2, 1))


@pytest.mark.parametrize("name", LAWS)
def test_torch_sets_the_default_of_validation(name):
    bad = {key: torch.full_like(v, torch.nan) for key, v in parameters(name).items()}
    Distribution.set_default_validate_args(False)
    try:
        unchecked = LAWS[name][0](**bad)
        with pytest.raises(ValueError, match="must"):
            LAWS[name][0](**bad, validate_args=True)
    finally:
        Distribution.set_default_validate_args(True)
    assert not unchecked.expand((3, 2))._validate_args
    assert law(name).expand((3, 2))._validate_args


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_made_and_asked_in_one_compiled_graph(name, torch_generator):
    value = law(name).sample((5,), generator=torch_generator)

    def run(given, value):
        one = LAWS[name][0](**given, validate_args=True)
        draws = one.rsample((5,)) if one.has_rsample else one.sample((5,))
        return one.log_prob(value), draws

    torch._dynamo.reset()
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    ours = compiled(parameters(name), value)
    torch.manual_seed(0)
    torch.testing.assert_close(ours, run(parameters(name), value))


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_made_and_asked_under_vmap(name, torch_generator):
    value = law(name).sample((5,), generator=torch_generator)
    both = torch.func.vmap(lambda given, x: LAWS[name][0](**given).log_prob(x), (0, 1))
    expected = law(name).log_prob(value).mT
    torch.testing.assert_close(both(parameters(name), value), expected)


@pytest.mark.parametrize("name", LAWS)
def test_repr_names_the_law_and_stays_short(name):
    text = repr(law(name).expand((7, 2)))
    assert text.startswith(f"{name}(")
    assert ("k: 3" in text) == (name == "PlackettLuce")
    assert len(text) < 120
    assert "7" in text


@pytest.mark.parametrize("name", LAWS)
def test_fake_and_meta_parameters_have_shapes_and_no_values(name):
    real = parameters(name)
    with torch._subclasses.FakeTensorMode() as mode:
        given = {key: mode.from_tensor(value) for key, value in real.items()}
        one = LAWS[name][0](**given)
        assert one.log_prob(one.sample((3,))).shape == (3, 2)
    given = {key: value.to("meta") for key, value in real.items()}
    one = LAWS[name][0](**given)
    assert one.log_prob(one.sample((3,))).shape == (3, 2)


@pytest.mark.parametrize("name", ["Gumbel", "TruncatedGumbel", "LogitRelaxedBernoulli"])
def test_torch_mixes_and_transforms_a_law(name, torch_generator):
    one = law(name)
    mixture = MixtureSameFamily(Categorical(torch.tensor([0.3, 0.7])), one)
    x = one.sample(generator=torch_generator)[0]
    exact = (torch.tensor([0.3, 0.7]).log() + one.log_prob(x)).logsumexp(-1)
    torch.testing.assert_close(mixture.log_prob(x), exact, check_dtype=False)
    assert mixture.sample((5,)).shape == (5,)
    assert mixture.mean.isfinite()
    moved = TransformedDistribution(one, [AffineTransform(1.0, -2.0)])
    value = moved.rsample((3,))
    torch.testing.assert_close(
        moved.log_prob(value), one.log_prob((value - 1) / -2) - math.log(2)
    )
    torch.testing.assert_close(moved.cdf(value), one.sf((value - 1) / -2))
    torch.testing.assert_close(moved.icdf(moved.cdf(value)), value)


@pytest.mark.parametrize("name", LAWS)
def test_an_empty_batch_is_a_batch(name):
    empty = LAWS[name][0](**{key: v[:0] for key, v in parameters(name).items()})
    assert empty.log_prob(empty.sample((3,))).shape == (3, 0)


@pytest.mark.parametrize(
    "name", ["PlackettLuce", "ExpRelaxedCategorical", "RelaxedBernoulli"]
)
def test_a_kl_without_closed_form_is_not_registered(name):
    with pytest.raises(NotImplementedError):
        kl_divergence(law(name), law(name))
