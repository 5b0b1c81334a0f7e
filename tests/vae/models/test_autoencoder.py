"""The models: shapes, log-weights against enumeration, bits as one number, what they refuse."""

import itertools
import math
from functools import partial

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import get
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.models.codes import as_inputs, as_logits, draw_codes


@pytest.mark.parametrize("name", ["num_pixels", "num_latents", "num_categories"])
def test_sizes_must_be_positive(name):
    sizes = {"num_pixels": 4, "num_latents": 2, "num_categories": 3, name: 0}
    with pytest.raises(
        ValueError, match=f"{name} must be a whole number of at least 1, got 0"
    ):
        vae.CategoricalVAE(**sizes)


def test_no_activation_lies_on_the_logits():
    model = vae.CategoricalVAE(4, num_latents=2, num_categories=3)
    assert isinstance(model.encoder[-1], torch.nn.Linear)
    assert (model.encode(torch.randn(1000, 4)) < 0).any()


def codes_of(num_latents, num_categories):
    """Return every code, shape (states, N, K)."""
    rows = torch.eye(num_categories)
    states = itertools.product(rows, repeat=num_latents)
    return torch.stack([torch.stack(state) for state in states])


@pytest.mark.parametrize("num_categories", [2, 3])
@pytest.mark.parametrize("learn_prior", [False, True])
def test_the_mean_weight_of_an_autoencoder_is_the_evidence(
    num_categories, learn_prior, torch_generator
):
    torch.manual_seed(1)
    model = vae.CategoricalVAE(6, 2, num_categories, hidden=(), learn_prior=learn_prior)
    if learn_prior:
        torch.nn.init.normal_(model.prior_logits)
    image = torch.tensor([[1.0, 0, 1, 1, 0, 0]])
    codes = codes_of(2, num_categories)
    prior = torch.zeros(2, num_categories) if not learn_prior else model.prior_logits
    log_prior = (codes * prior.log_softmax(-1)).sum((-1, -2))
    log_likelihood = -vae.reconstruction_loss(model.decode(codes), image)
    evidence = (log_prior + log_likelihood).logsumexp(0)
    with torch.no_grad():
        weights = model.log_weights(image, 50_000, generator=torch_generator).exp()
    error = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - evidence.exp()) < 4.5 * error


def test_the_mean_weight_of_a_prediction_is_its_probability(torch_generator):
    torch.manual_seed(1)
    model = vae.StructuredPrediction(6, 1, 3, num_layers=2)
    image = torch.tensor([[1.0, 0, 1, 1, 0, 0]])
    total, codes = 0.0, torch.eye(3)[:, None]
    first = as_logits(model.maps[0](image[:, :3]), 3)[0, 0].softmax(-1)
    for i, one in enumerate(codes):
        second = as_logits(model.maps[1](as_inputs(one)), 3)[0].softmax(-1)
        for j, other in enumerate(codes):
            loss = vae.reconstruction_loss(
                model.decoder(as_inputs(other)), image[0, 3:]
            )
            total = total + first[i] * second[j] * (-loss).exp()
    with torch.no_grad():
        weights = model.log_weights(image, 50_000, generator=torch_generator).exp()
    error = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - total) < 4.5 * error
    completed = model.complete(image, 7, generator=torch_generator)
    assert completed.shape == (7, 1, 3)
    assert ((completed > 0) & (completed < 1)).all()


@pytest.mark.parametrize("name", ["rloo", "rebar", "muprop"])
def test_nested_estimators_are_unbiased_in_both_layers(name):
    torch.manual_seed(1)
    model = vae.StructuredPrediction(4, 1, 3, num_layers=2)
    image = torch.tensor([[1.0, 0, 1, 0]])
    loss = torch.tensor(0.0)
    first = as_logits(model.maps[0](image[:, :2]), 3)[0, 0].softmax(-1)
    for i, one in enumerate(torch.eye(3)[:, None]):
        second = as_logits(model.maps[1](as_inputs(one)), 3)[0].softmax(-1)
        for j, other in enumerate(torch.eye(3)[:, None]):
            pixels = model.decoder(as_inputs(other))
            lost = vae.reconstruction_loss(pixels, image[0, 2:])
            loss = loss + first[i] * second[j] * lost
    exact = torch.autograd.grad(loss, list(model.parameters()))
    count, chunks = 4000, 15
    generator = torch.Generator().manual_seed(2)
    estimators = EstimatorLayers(name, model.layers).at(1.0)
    estimates = []
    for _ in range(chunks):
        losses = model.loss(image.expand(count, 4), estimators, generator=generator)
        estimates.append(torch.autograd.grad(losses.mean(), list(model.parameters())))
    for number, gradient in enumerate(exact):
        drawn = torch.stack([estimate[number] for estimate in estimates])
        error = drawn.std(0) / math.sqrt(chunks) + 1e-6
        # Student's t with 14 degrees of freedom: 7 is one in three hundred thousand.
        assert ((drawn.mean(0) - gradient).abs() < 7 * error).all()


def test_bits_are_one_number_each(torch_generator):
    model = vae.CategoricalVAE(8, 5, 2, hidden=())
    assert model.encoder[-1].out_features == model.decoder[0].in_features == 5
    logits = model.encode(torch.rand(3, 8, generator=torch_generator))
    assert logits.shape == (3, 5, 2)
    assert (logits[..., 0] == 0).all()
    codes = draw_codes(logits, 4, generator=torch_generator)
    assert codes.shape == (4, 3, 5, 2)
    assert torch.equal(as_inputs(codes), codes[..., 1])
    assert model.decode(codes).shape == (4, 3, 8)


@pytest.mark.parametrize(
    "logits",
    [
        [[0.5, -1.0, 2.0], [0.0, 0.0, -3.0]],
        [[0.5, -1.0], [1.0, 1.0], [0.0, 3.0]],
    ],
)
def test_codes_to_evaluate_with_have_their_probabilities(logits, torch_generator):
    logits = torch.tensor(logits)
    codes = draw_codes(logits, 100_000, generator=torch_generator)
    assert ((codes == 0) | (codes == 1)).all()
    assert (codes.sum(-1) == 1).all()
    probs = logits.softmax(-1)
    error = (probs * (1 - probs) / 100_000).sqrt()
    assert ((codes.mean(0) - probs).abs() < 4.5 * error).all()
    # The twin: the probabilities of the categories in another order.
    assert ((codes.mean(0) - probs.flip(-1)).abs() > 4.5 * error).any()
    together = (codes[:, 0, 0] * codes[:, 1, 0]).mean()
    assert abs(together - probs[0, 0] * probs[1, 0]) < 0.01


def count_rare_bits(draw, rounds=10):
    """Return how many ones there are among a hundred million bits with log-odds of -20."""
    logits = torch.tensor([0.0, -20.0]).expand(10_000, 2)
    return sum(draw(logits)[..., 1].sum().item() for _ in range(rounds))


@pytest.mark.slow
def test_a_rare_bit_is_as_rare_as_its_probability(torch_generator):
    """A one every five hundred million draws; a code of such bits would have an enormous weight."""

    def coarse(logits):
        uniform = torch.rand((1000, len(logits)), generator=torch_generator)
        bits = (uniform < logits.softmax(-1)[:, 1]).float()
        return torch.stack([1 - bits, bits], -1)

    drawn = partial(draw_codes, num_samples=1000, generator=torch_generator)
    assert count_rare_bits(drawn) <= 2
    # The twin: uniforms of float32, which are zero once in 2**24 draws.
    assert count_rare_bits(coarse) > 2


def test_decoders_start_at_the_frequencies_of_the_pixels():
    images = torch.tensor([[1.0, 0, 1, 0], [1.0, 0, 0, 0], [1.0, 1, 1, 0]])
    expected = torch.tensor([3.5, 1.5, 2.5, 0.5]) / 4
    model = vae.CategoricalVAE(4, 2, 3)
    model.start_at(images)
    torch.testing.assert_close(model.decoder[-1].bias.sigmoid(), expected)
    other = vae.StructuredPrediction(4, 2, 3)
    other.start_at(images)
    torch.testing.assert_close(other.decoder[-1].bias.sigmoid(), expected[2:])


def test_images_from_the_prior(torch_generator):
    for learn in (False, True):
        model = vae.CategoricalVAE(9, 2, 3, learn_prior=learn)
        images = model.sample(5, generator=torch_generator)
        assert images.shape == (5, 9)


def test_a_multi_sample_estimator_takes_the_divergence_in():
    torch.manual_seed(0)
    model = vae.CategoricalVAE(6, 2, 3, hidden=())
    images = (torch.rand(2000, 6) < 0.5).float()
    estimator = get("vimco").prepare(num_samples=5)
    seeds = [torch.Generator().manual_seed(s) for s in (1, 2)]
    with torch.no_grad():
        bound = model.loss(images, [estimator], generator=seeds[0], analytic=False)
        weights = model.log_weights(images, 5, generator=seeds[1])
    other = math.log(5) - weights.logsumexp(0)
    error = (bound.var() + other.var()).sqrt() / math.sqrt(2000)
    assert abs(bound.mean() - other.mean()) < 5 * error


def test_refusals():
    with pytest.raises(ValueError, match="num_pixels must be even, got 5"):
        vae.StructuredPrediction(5, 2, 3)
    with pytest.raises(ValueError, match="num_layers must be a whole number"):
        vae.StructuredPrediction(4, 2, 3, num_layers=0)
    for widths in ({"hidden": (-3,)}, {"decoder_hidden": (4, 0)}):
        (name,) = widths
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at"):
            vae.CategoricalVAE(4, 2, 3, **widths)
    with pytest.raises(ValueError, match="hidden must be a whole number of at least 1"):
        vae.StructuredPrediction(4, 2, 3, hidden=(-3,))


def test_estimators_that_a_model_cannot_have_are_refused():
    with pytest.raises(ValueError, match="estimator must not be vimco with several"):
        EstimatorLayers("vimco", [(2, 3), (2, 3)])
    assert EstimatorLayers("vimco", [(2, 3)]).multi_sample
    for name in ("arm", "disarm"):
        with pytest.raises(
            ValueError, match=f"num_categories must be 2 with {name}, got 3"
        ):
            EstimatorLayers(name, [(2, 3)])


@pytest.mark.parametrize(
    "model", [vae.CategoricalVAE(4, 2, 3), vae.StructuredPrediction(4, 2, 3)]
)
def test_a_model_that_is_not_finite_has_no_bounds(model, torch_generator):
    for parameter in model.networks[0].parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    with pytest.raises(FloatingPointError, match="logits must be finite, got nan"):
        vae.assess(
            model,
            torch.ones(5, 4),
            num_samples=3,
            temperature=1.0,
            generator=torch_generator,
        )


def test_logits_are_float32_at_least():
    for num_categories in (2, 3):
        outputs = torch.ones(5, 6, dtype=torch.bfloat16)
        assert as_logits(outputs, num_categories).dtype == torch.float32
        assert as_logits(outputs.double(), num_categories).dtype == torch.float64
