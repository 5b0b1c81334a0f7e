"""The autoencoder: log-weights against enumeration, networks of one's own, what it refuses."""

import itertools
import math

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import get
from gumbel_tutorial.vae.data.images import Images


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
        bound = model.loss(Images(images), [estimator], generator=seeds[0])
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


def own_networks(outputs=6, pixels=8):
    """Return networks that know one batch axis and no other."""
    encoder = torch.nn.Sequential(
        *(
            torch.nn.Unflatten(1, (1, 2, 4)),
            torch.nn.Conv2d(1, 3, 2),
            torch.nn.Flatten(),
        ),
        torch.nn.Linear(9, outputs),
    )
    decoder = torch.nn.Sequential(
        *(torch.nn.Unflatten(1, (6, 1)), torch.nn.Conv1d(6, 4, 1), torch.nn.Flatten()),
        torch.nn.Linear(4, pixels),
    )
    return {"encoder": encoder, "decoder": decoder}


@pytest.mark.parametrize(
    "name", ["rloo", "gumbel_softmax", "vimco", "rebar", "unordered_set"]
)
def test_own_networks_train_by_any_estimator(name, torch_generator):
    torch.manual_seed(0)
    model = vae.CategoricalVAE(num_latents=2, num_categories=3, **own_networks())
    pixels = torch.rand(60, 2, 4, generator=torch_generator).round()
    before = [p.clone() for p in model.parameters()]
    history = vae.fit(
        *(model, pixels[:50], pixels[50:]),
        **{
            "steps": 3,
            "batch_size": 10,
            "estimator": name,
            "generator": torch_generator,
        },
    )
    assert history.steps == [3]
    for old, new in zip(before, model.parameters(), strict=True):
        assert not torch.equal(old, new)
    found = vae.assess(
        model, pixels, num_samples=3, temperature=1.0, generator=torch_generator
    )
    assert found.multi_sample < found.one_sample
    assert model.sample(5, generator=torch_generator).shape == (5, 8)


def test_own_networks_compute_what_perceptrons_of_the_same_weights_compute(
    torch_generator,
):
    plain = vae.CategoricalVAE(8, 2, 3, hidden=(5,))
    own = vae.CategoricalVAE(*(8, 2, 3), encoder=plain.encoder, decoder=plain.decoder)
    batch = Images(torch.rand(4, 8, generator=torch_generator))
    losses = [
        model.loss(
            batch, [get("rloo").prepare()], generator=torch.Generator().manual_seed(0)
        )
        for model in (plain, own)
    ]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"outputs": 7},
            r"encoder must return 6 numbers for each of 4 rows, got shape \(4, 7\)",
        ),
        (
            {"outputs": 3},
            r"encoder must return 6 numbers for each of 4 rows, got shape \(4, 3\)",
        ),
        ({"pixels": 1}, "decoder must return 8 numbers for each of the codes, got 1"),
    ],
)
def test_own_networks_of_another_shape_are_refused(sizes, message, torch_generator):
    model = vae.CategoricalVAE(num_latents=2, num_categories=3, **own_networks(**sizes))
    batch = Images(torch.rand(4, 8, generator=torch_generator))
    with pytest.raises(ValueError, match=message):
        model.loss(batch, [get("rloo").prepare()], generator=torch_generator)


def test_own_networks_that_say_nothing_of_their_rows_are_refused():
    class Wrong(torch.nn.Module):
        def forward(self, rows):
            return rows[:1]

    model = vae.CategoricalVAE(
        num_latents=2, num_categories=4, encoder=Wrong(), decoder=Wrong()
    )
    with pytest.raises(
        ValueError, match=r"encoder must return 8 numbers for each of 5 rows, got"
    ):
        model.encode(torch.ones(5, 8))
    with pytest.raises(
        ValueError, match=r"decoder must return numbers for each of 5 rows, got"
    ):
        model.decode(torch.ones(5, 2, 4))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"num_pixels": None},
            ValueError,
            "num_pixels must be given unless encoder is, got",
        ),
        (
            {"encoder": torch.nn.Linear(4, 6)},
            ValueError,
            "num_pixels must be given unless decoder is",
        ),
        (
            {"encoder": len},
            TypeError,
            "encoder must be a torch.nn.Module, got builtin_func",
        ),
        (
            {"num_pixels": 4, "encoder": torch.nn.Linear(4, 6), "hidden": (3,)},
            ValueError,
            r"hidden must be None beside encoder, got \(3,\)",
        ),
        (
            {"num_pixels": 4, "decoder": torch.nn.Linear(6, 4), "decoder_hidden": (3,)},
            ValueError,
            r"decoder_hidden must be None beside decoder, got \(3,\)",
        ),
    ],
)
def test_networks_that_cannot_be_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        vae.CategoricalVAE(num_latents=2, num_categories=3, **settings)


def test_own_decoders_start_where_they_are():
    networks = own_networks()
    before = networks["decoder"][-1].bias.clone()
    model = vae.CategoricalVAE(8, 2, 3, **networks)
    model.start_at(torch.ones(3, 8))
    assert torch.equal(networks["decoder"][-1].bias, before)


@pytest.mark.parametrize("measure", ["loss", "log_weights"])
def test_pixels_that_are_none_are_refused(measure, torch_generator):
    model = vae.CategoricalVAE(4, 2, 3)

    def measured(pixels):
        if measure == "loss":
            (estimator,) = (get("rloo").prepare(),)
            return model.loss(Images(pixels), [estimator], generator=torch_generator)
        return model.log_weights(pixels, 3, generator=torch_generator)

    with pytest.raises(ValueError, match=r"pixels must lie in \[0, 1\], got -1.0"):
        measured(-torch.ones(5, 4))
    with pytest.raises(
        ValueError, match=r"pixels must be 4 per image, got shape \(5, 3\)"
    ):
        measured(torch.ones(5, 3))
