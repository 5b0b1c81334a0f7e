"""How much of a code is used, against laws whose activity and information are known."""

import math

import pytest
import torch

from gumbel_tutorial import categorical, vae


def log(probs):
    return torch.tensor(probs, dtype=torch.float64).log()


def test_a_variable_of_one_law_for_all_images_is_not_active():
    logits = torch.randn(3, 4, dtype=torch.float64).expand(50, 3, 4)
    torch.testing.assert_close(vae.unit_activity(logits), torch.zeros(3).double())
    torch.testing.assert_close(
        vae.mutual_information(logits), torch.zeros(3).double(), rtol=0, atol=1e-12
    )
    assert not vae.active_units(logits).any()
    # It may still be spread over all its categories: no information, high perplexity.
    torch.testing.assert_close(
        vae.code_perplexity(logits), categorical.perplexity(logits[0])
    )


def test_a_variable_that_copies_a_fair_class_has_all_the_information():
    logits = torch.eye(5).double().log().unsqueeze(1)  # five images, one variable
    assert vae.mutual_information(logits).item() == pytest.approx(math.log(5))
    assert vae.unit_activity(logits).item() == pytest.approx((1 - 1 / 5) / 2)
    assert vae.code_perplexity(logits).item() == pytest.approx(5)


def test_the_activity_of_a_bit_is_the_variance_of_its_probability():
    chances = torch.tensor([0.1, 0.2, 0.6, 0.9], dtype=torch.float64)
    logits = torch.stack([1 - chances, chances], -1).log().unsqueeze(1)
    expected = chances.var(correction=0).item()
    assert vae.unit_activity(logits).item() == pytest.approx(expected)


def test_the_threshold_is_a_hundredth_unless_another_is_named():
    spread = [math.sqrt(0.0099), math.sqrt(0.0101)]  # deviations of two bits
    chances = torch.tensor([[0.5 - s for s in spread], [0.5 + s for s in spread]])
    logits = torch.stack([1 - chances, chances], -1).double().log()
    assert vae.active_units(logits).tolist() == [False, True]
    assert vae.active_units(logits, threshold=0.0).all()
    with pytest.raises(ValueError, match="threshold must be finite and not negative"):
        vae.active_units(logits, threshold=-1.0)


@pytest.mark.parametrize("categories", [2, 7])
def test_information_and_the_aggregate_posterior_share_the_divergence(
    categories, torch_generator
):
    logits = 3 * torch.randn(40, 6, categories, generator=torch_generator).double()
    prior = torch.randn(6, categories, generator=torch_generator).double()
    aggregate = logits.softmax(-1).mean(0).log()
    left = categorical.kl(logits, prior.expand_as(logits)).mean(0)
    right = vae.mutual_information(logits) + categorical.kl(aggregate, prior)
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_information_is_at_least_twice_the_activity(scale, torch_generator):
    logits = scale * torch.randn(30, 50, 4, generator=torch_generator).double()
    activity, informs = vae.unit_activity(logits), vae.mutual_information(logits)
    assert (informs > 2 * activity).all()
    assert (informs <= math.log(4)).all()
    # Nearly even bits come close to the bound, so no larger factor holds.
    chances = torch.tensor([0.49, 0.51]).double()
    even = torch.stack([1 - chances, chances], -1).log().unsqueeze(1)
    assert vae.mutual_information(even) < 2.001 * vae.unit_activity(even)


def test_excluded_categories_are_of_no_use():
    logits = log([[[0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0]]])
    assert vae.code_perplexity(logits).item() == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    assert vae.mutual_information(logits).isfinite().all()


@pytest.mark.parametrize(
    "function",
    [vae.unit_activity, vae.active_units, vae.mutual_information, vae.code_perplexity],
)
def test_logits_of_no_images_are_refused(function):
    for shape in ((3, 4), (0, 3, 4), (2, 5, 3, 4)):
        with pytest.raises(ValueError, match=r"logits must have shape \(images, N, K"):
            function(torch.zeros(shape))
    with pytest.raises(ValueError, match="logits must"):
        function(torch.full((2, 3, 4), torch.nan))


# What models say of themselves


def test_an_autoencoder_says_its_divergence_and_what_it_uses(torch_generator):
    torch.manual_seed(0)
    model = vae.CategoricalVAE(6, 4, 3, hidden=(8,), learn_prior=True).double()
    torch.nn.init.normal_(model.prior_logits)
    for weights in (model.encoder[-1].weight, model.encoder[-1].bias):
        weights.data[:3] = 0  # the first variable is even for every image
    images = torch.randint(2, (20, 6), generator=torch_generator).double()
    logits = model.encode(images)
    found = model.metrics(vae.as_images(images))
    expected = vae.categorical_kl(logits, model.prior_logits).mean().item()
    assert found["kl"] == pytest.approx(expected)
    assert found["active_units"] == vae.active_units(logits).sum().item() <= 3
    assert found["perplexity"] == pytest.approx(
        vae.code_perplexity(logits).mean().item()
    )
    informs = vae.mutual_information(logits).sum().item()
    assert found["information"] == pytest.approx(informs)


def test_a_model_of_classes_says_the_divergence_of_class_and_style(torch_generator):
    torch.manual_seed(0)
    model = vae.SemiSupervisedVAE(6, 2, 3, hidden=(8,)).double()
    for network in (model.encoder, model.decoder):
        torch.nn.init.normal_(network.classes.weight, std=2.0)
    images = torch.randint(2, (7, 6), generator=torch_generator).double()
    found = model.metrics(vae.as_images(images))
    probs, expected = model.classify(images).softmax(-1), 0.0
    style = torch.zeros(7, 2).double()
    for y, one_hot in enumerate(torch.eye(3).double()):
        mean, log_scale = model.encoder(images, one_hot.expand(7, 3)).chunk(2, -1)
        law = torch.distributions.Normal(mean, log_scale.exp())
        prior = torch.distributions.Normal(torch.zeros(2).double(), 1.0)
        of_style = torch.distributions.kl_divergence(law, prior).sum(-1)
        expected += (probs[:, y] * (of_style + (3 * probs[:, y]).log())).mean().item()
        style += probs[:, y, None] * mean
    assert found["kl"] == pytest.approx(expected)
    active = (style.var(0, correction=0) > 0.01).sum().item()
    assert found["active_units"] == active
    mean_class = probs.mean(0)
    uses = torch.exp(-(mean_class * mean_class.log()).sum()).item()
    assert found["perplexity"] == pytest.approx(uses)
