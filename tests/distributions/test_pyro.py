"""The laws as sites of a Pyro model, as they stand."""

import pathlib
import re

import pytest
import torch
from helpers.distributions import CONTINUOUS, LAWS, law

from gumbel_tutorial import distributions as gt

pyro = pytest.importorskip("pyro", reason="pyro-ppl is not installed")
normal = pytest.importorskip("pyro.distributions").Normal
infer = pytest.importorskip("pyro.infer")

DATA = torch.tensor([-2.1, -1.9, -2.0, 1.7, 2.2])


@pytest.fixture(autouse=True)
def _fresh_store():
    """Give each test its own parameters and seed."""
    pyro.clear_param_store()
    pyro.set_rng_seed(20170424)


def traced(model, *arguments):
    """Return the trace of a model with its log-probabilities."""
    trace = pyro.poutine.trace(model).get_trace(*arguments)
    trace.compute_log_prob()
    return trace


def test_a_law_that_is_made_is_known_to_pyro_which_we_do_not_import():
    assert isinstance(gt.Gumbel(0.0, 1.0), pyro.distributions.Distribution)
    for file in pathlib.Path(gt.__file__).parent.glob("*.py"):
        assert not re.search(r"^\s*(import|from) pyro", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_a_site_of_a_trace(name):
    one = law(name)
    trace = traced(lambda: pyro.sample("z", one.to_event(1)))
    site = trace.nodes["z"]
    assert site["value"].shape == (2, *one.event_shape)
    torch.testing.assert_close(site["log_prob"], one.log_prob(site["value"]).sum())
    assert one.event_dim == len(one.event_shape)
    assert one.shape((3,)) == (3, 2, *one.event_shape)


@pytest.mark.parametrize("name", LAWS)
def test_a_plate_expands_a_law(name):
    one = law(name)

    def model():
        with pyro.plate("rows", 2), pyro.poutine.mask(mask=torch.tensor([True, False])):
            return pyro.sample("z", one)

    def nested():
        with pyro.plate("outer", 3, dim=-2), pyro.plate("rows", 2, dim=-1):
            return pyro.sample("z", one)

    site = traced(model).nodes["z"]
    assert site["log_prob"].shape == (2,)
    assert site["log_prob"][1] == 0
    site = traced(nested).nodes["z"]
    assert site["value"].shape == (3, 2, *one.event_shape)
    assert site["fn"].batch_shape == (3, 2)


@pytest.mark.parametrize("name", LAWS)
def test_a_masked_or_expanded_law_is_pyros(name):
    one = law(name)
    draw = one.sample()
    masked = one.mask(torch.tensor([True, False]))
    assert masked.log_prob(draw)[1] == 0
    assert masked.log_prob(draw)[0] == one.log_prob(draw)[0]
    assert one.expand_by((5,)).batch_shape == (5, 2)
    parts = one.score_parts(draw)
    zero = parts.score_function if name in CONTINUOUS else parts.entropy_term
    assert zero == 0


def mixture(x):
    """Mix two normal laws by an enumerated GumbelMax."""
    logits = pyro.param("logits", torch.zeros(2))
    loc = pyro.param("loc", torch.tensor([-1.0, 1.0]))
    with pyro.plate("points", len(x)):
        z = pyro.sample(
            "z", gt.GumbelMax(logits=logits), infer={"enumerate": "parallel"}
        )
        pyro.sample("x", normal(loc[z], 0.5), obs=x)


def test_an_enumerated_site_gives_the_exact_likelihood_and_its_derivative():
    elbo = infer.TraceEnum_ELBO(max_plate_nesting=1)
    loss = elbo.differentiable_loss(mixture, lambda _: None, DATA)
    logits, loc = pyro.param("logits"), pyro.param("loc")
    joint = logits.log_softmax(-1) + normal(loc, 0.5).log_prob(DATA[:, None])
    exact = -joint.logsumexp(-1).sum()
    torch.testing.assert_close(loss, exact)
    ours, right = (torch.autograd.grad(value, [logits, loc]) for value in (loss, exact))
    torch.testing.assert_close(ours, right)


def test_an_enumerated_site_is_sampled_from_its_posterior():
    pyro.param("loc", torch.tensor([-2.0, 2.0]))
    drawn = infer.infer_discrete(
        infer.config_enumerate(mixture), first_available_dim=-2, temperature=0
    )
    trace = pyro.poutine.trace(drawn).get_trace(DATA)
    assert trace.nodes["z"]["value"].tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("kind", ["RelaxedOneHotCategorical", "OneHotStraightThrough"])
def test_svi_moves_a_relaxed_guide_to_the_posterior(kind):
    loc = torch.tensor([-2.0, 2.0])

    def model(x):
        with pyro.plate("points", len(x)):
            z = pyro.sample("z", getattr(gt, kind)(0.5, logits=torch.zeros(2)))
            pyro.sample("x", normal(z @ loc, 0.5), obs=x)

    def guide(x):
        logits = pyro.param("q", torch.zeros(len(x), 2))
        with pyro.plate("points", len(x)):
            pyro.sample("z", getattr(gt, kind)(0.5, logits=logits))

    step = infer.SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), infer.Trace_ELBO())
    first = step.evaluate_loss(DATA)
    for _ in range(60):
        step.step(DATA)
    assert step.evaluate_loss(DATA) < first
    assert pyro.param("q").argmax(-1).tolist() == [0, 0, 0, 1, 1]
    predicted = infer.Predictive(model, guide=guide, num_samples=3)(DATA)
    assert predicted["z"].shape == (3, 5, 2)


def test_the_mean_field_elbo_takes_our_closed_kl():
    def model():
        pyro.sample("g", gt.Gumbel(0.0, 1.0))

    def guide():
        pyro.sample("g", gt.Gumbel(pyro.param("m", torch.tensor(0.5)), 2.0))

    loss = infer.TraceMeanField_ELBO().loss(model, guide)
    exact = torch.distributions.kl_divergence(gt.Gumbel(0.5, 2.0), gt.Gumbel(0.0, 1.0))
    assert loss == pytest.approx(exact.item())


@pytest.mark.parametrize("name", ["Gumbel", "TruncatedGumbel", "RelaxedBernoulli"])
def test_a_guide_is_made_automatically_from_the_support(name):
    def model():
        with pyro.plate("rows", 2):
            pyro.sample("z", law(name, torch.float32))

    guide = infer.autoguide.AutoNormal(model)
    loss = infer.Trace_ELBO(num_particles=10, vectorize_particles=False).loss(
        model, guide
    )
    assert torch.isfinite(torch.tensor(loss))
    assert law(name).support.check(guide()["z"]).all()
