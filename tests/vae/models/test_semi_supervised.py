"""The model of few labels: bounds against sums and integrals, a draw against the sum, the wrong factor."""

import math
from functools import partial

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.utils.flop_counter import FlopCounterMode

from gumbel_tutorial import categorical, vae
from gumbel_tutorial.estimators import ESTIMATORS, sparsemax
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.noise import normal
from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.models.counting import counted_rows

NUM_CLASSES = 3


@pytest.fixture
def model():
    """Return a model small enough to sum and to integrate over: three classes, one coordinate."""
    torch.manual_seed(0)
    made = vae.SemiSupervisedVAE(6, 1, NUM_CLASSES, hidden=(8,)).double()
    # Classes that look alike would hide which of them a loss is of.
    for network in (made.encoder, made.decoder):
        torch.nn.init.normal_(network.classes.weight, std=2.0)
    return made


@pytest.fixture
def images(torch_generator):
    return torch.randint(2, (4, 6), generator=torch_generator).double()


def one_class(index):
    """Return an estimator whose draw is always the same class."""

    def estimator(f, logits, *, generator):
        del generator
        classes = torch.zeros_like(logits)
        classes[..., index] = 1.0
        return f(classes)

    return estimator


def mean_over_draws(unlabelled_loss, model, images, noise):
    """Return the mean of a one-sample loss by enumeration of the class that is drawn."""
    probs = model.classify(images).softmax(-1)
    losses = [
        unlabelled_loss(images, one_class(k), noise=noise.unsqueeze(0), generator=None)
        for k in range(NUM_CLASSES)
    ]
    return (probs.T * torch.stack(losses)).sum(0)


class WithFactor(vae.SemiSupervisedVAE):
    """The version that is often written, with the draw weighted a second time."""

    def labelled_loss(self, images, classes, noise):
        probability = (self.classify(images).softmax(-1) * classes).sum(-1)
        return probability * super().labelled_loss(images, classes, noise)


def with_factor(model):
    made = WithFactor(6, 1, NUM_CLASSES, hidden=(8,)).double()
    made.load_state_dict(model.state_dict())
    return made


def test_the_labelled_loss_is_that_of_the_three_laws(model, images):
    noise = torch.randn(4, 1).double()
    classes = torch.eye(3).double()[torch.tensor([0, 2, 1, 2])]
    mean, log_scale = model.encoder(images, classes).chunk(2, -1)
    law = Normal(mean, log_scale.exp())
    pixels = model.decoder(law.loc + law.scale * noise, classes)
    likelihood = Bernoulli(logits=pixels).log_prob(images).sum(-1)
    divergence = kl_divergence(law, Normal(0.0, 1.0)).sum(-1)
    expected = -likelihood + divergence + math.log(3)
    torch.testing.assert_close(model.labelled_loss(images, classes, noise), expected)


def test_the_marginal_loss_is_the_sum_over_classes_less_the_entropy(model, images):
    noise, probs = torch.randn(4, 1).double(), model.classify(images).softmax(-1)
    expected = (probs * probs.log()).sum(-1)
    for k in range(NUM_CLASSES):
        classes = torch.eye(3).double()[k].expand(4, 3)
        loss = model.labelled_loss(images, classes, noise)
        expected = expected + probs[:, k] * loss
    torch.testing.assert_close(model.marginal_loss(images, noise), expected)


def test_a_class_that_cannot_be_makes_the_sum_infinite_also_where_its_share_rounds_to_zero(
    model, images
):
    noise, share = (
        torch.zeros(4, 1).double(),
        torch.tensor([0.0, -2000.0, 0.0]).double(),
    )
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(share)
    expected = model.marginal_loss(images, noise)
    assert expected.isfinite().all()
    decode = model.decoder.forward

    def certain(latents, classes):
        # With the second class the second pixel is white for sure.
        pixels = decode(latents, classes)
        sure = torch.zeros_like(pixels)
        sure[1, ..., 1] = torch.inf
        return pixels + sure

    model.decoder.forward = certain
    found = model.marginal_loss(images, noise)
    white = images[:, 1] == 1
    assert 0 < white.sum() < 4
    assert (found[~white] == torch.inf).all()
    torch.testing.assert_close(found[white], expected[white])


def test_one_draw_has_the_mean_of_the_sum_over_classes(model, images):
    noise = torch.randn(4, 1).double()
    mean = mean_over_draws(model.unlabelled_loss, model, images, noise)
    torch.testing.assert_close(mean, model.marginal_loss(images, noise))


def test_a_factor_before_the_draw_has_another_mean(model, images):
    noise, wrong = torch.randn(4, 1).double(), with_factor(model)
    mean = mean_over_draws(wrong.unlabelled_loss, model, images, noise)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(mean, model.marginal_loss(images, noise))
    # It is lower for every image: the smaller the factor, the smaller the loss it promises.
    assert (mean < model.marginal_loss(images, noise)).all()


def test_the_exact_estimator_sums_over_the_classes(model, images):
    noise = torch.randn(4, 1).double()
    (exact,) = EstimatorLayers("exact", model.layers).at(1.0)
    generator, parameters = torch.Generator(), list(model.parameters())
    given = {"noise": noise.unsqueeze(0), "generator": generator}
    # Its name hidden, the estimator sums by itself.
    by_hand, at_once = (
        model.unlabelled_loss(images, way, **given)
        for way in (lambda *a, **k: exact(*a, **k), exact)
    )
    torch.testing.assert_close(by_hand, at_once)
    torch.testing.assert_close(at_once, model.marginal_loss(images, noise))
    gradients = [
        torch.autograd.grad(loss.sum(), parameters) for loss in (by_hand, at_once)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def dense_sparse_loss(model, images, noise, entropy_of):
    """Return the bound of sparsemax with every class in the sum, and a gradient in all parameters."""
    probs = sparsemax(model.classify(images))
    losses = [
        model.labelled_loss(images, classes, noise) for classes in torch.eye(3).double()
    ]
    found = (probs * torch.stack(losses, -1)).sum(-1) - entropy_of(probs)
    return found, torch.autograd.grad(found.sum(), list(model.parameters()))


def own_entropy(probs):
    logs = torch.where(probs > 0, probs, torch.ones_like(probs)).log()
    return -(probs * logs).sum(-1)


def test_the_sparse_loss_is_the_sum_over_all_classes_with_sparsemax(model, images):
    with torch.no_grad():  # some classes at zero, and some not
        model.classifier[-1].weight.mul_(4)
    noise = torch.randn(2, 4, 1).double()
    supports = (sparsemax(model.classify(images)) > 0).sum(-1)
    assert len(supports.unique()) > 1
    found = model.sparse_loss(images, noise)
    gradients = torch.autograd.grad(found.sum(), list(model.parameters()))
    expected, dense = dense_sparse_loss(model, images, noise, own_entropy)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(gradients, dense, strict=True):
        torch.testing.assert_close(ours, theirs)
    # The twin: a constant in place of the entropy has the gradient of another loss.
    _, wrong = dense_sparse_loss(model, images, noise, lambda _: 0.0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(gradients[1], wrong[1])


def test_the_sparse_loss_is_what_the_estimator_of_that_name_trains(model, images):
    model.class_samples = 2
    noise, generator = torch.randn(2, 4, 1).double(), torch.Generator()
    (estimator,) = EstimatorLayers("sparse_marginalisation", model.layers).at(1.0)
    loss = partial(model.unlabelled_loss, images, noise=noise, generator=generator)
    torch.testing.assert_close(
        loss(estimator), model.sparse_loss(images, noise).mean(0)
    )
    # Its name hidden, the estimator sums by itself, and the entropy beside it is that of softmax.
    by_hand = loss(lambda *args, **more: estimator(*args, **more))
    logits = model.classify(images)
    sparse, soft = own_entropy(sparsemax(logits)), categorical.entropy(logits)
    torch.testing.assert_close(loss(estimator) + sparse, by_hand + soft)


def test_the_sparse_loss_is_a_bound_and_with_the_entropy_of_softmax_none(model, images):
    losses = torch.tensor([2.0, 900.0, 901.0]).double()
    model.labelled_loss = lambda _, classes, __: classes.double() @ losses
    least = -(-losses).logsumexp(-1)
    model.classify = lambda _: torch.tensor([1.0, 0.0, -1.0]).double().expand(4, -1)
    with torch.no_grad():
        found = model.sparse_loss(images, torch.zeros(4, 1))
    torch.testing.assert_close(found, least.expand(4))
    softer = found - categorical.entropy(model.classify(images))
    assert (softer < least).all()


def test_the_sparse_loss_runs_the_decoder_for_the_classes_above_zero(model, images):
    noise = torch.zeros(4, 1).double()
    logits = torch.tensor([[2.0, 0, 0], [0, 0, 0], [0, 0.5, -3], [0, 0, -9]]).double()
    model.classify = lambda _: logits
    with counted_rows(model.decoder) as rows:
        model.sparse_loss(images, noise)
    assert rows.count == 1 + 3 + 2 + 2
    with counted_rows(model.decoder) as rows:
        model.marginal_loss(images, noise)
    assert rows.count == 4 * 3


@pytest.mark.parametrize(
    ("name", "expected"), [("gumbel_softmax", 1), ("mve", 1), ("rloo", 2), ("exact", 3)]
)
def test_what_an_estimator_costs_is_counted(name, expected, model, images):
    (estimator,) = EstimatorLayers(name, model.layers).at(1.0)
    noise, generator = torch.zeros(1, 4, 1).double(), torch.Generator()
    with counted_rows(model.decoder) as rows:
        model.unlabelled_loss(images, estimator, noise=noise, generator=generator)
    assert rows.count == 4 * expected


def draw_gradients(model, name, image, count, **options):
    """Return estimates of the gradient in the classifier's logits, one per row, and the exact one."""
    noise = torch.tensor([0.7]).double()
    logits = model.classify(image).detach()
    leaf = logits.expand(count, -1).clone().requires_grad_()
    model.classify = lambda _: leaf
    (estimator,) = EstimatorLayers(name, model.layers, **options).at(1.0)
    losses = model.unlabelled_loss(
        image.expand(count, -1),
        estimator,
        noise=noise.expand(1, count, 1),
        generator=torch.Generator().manual_seed(3),
    )
    (found,) = torch.autograd.grad(losses.sum(), leaf)
    single = logits.clone().requires_grad_()
    model.classify = lambda _: single
    (exact,) = torch.autograd.grad(model.marginal_loss(image, noise).sum(), single)
    return found, exact[0]


def z_scores(found, exact):
    return (found.mean(0) - exact) / (found.std(0) / math.sqrt(len(found)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("reinforce", {}),
        ("rloo", {"num_samples": 2}),
        ("muprop", {}),
        ("rebar", {}),
        ("unordered_set", {}),
    ],
)
def test_unbiased_estimators_have_the_gradient_of_the_sum(name, options, model, images):
    found, exact = draw_gradients(model, name, images[:1], 20_000, **options)
    assert z_scores(found, exact).abs().max() < 4.5


@pytest.mark.parametrize("name", ["gumbel_softmax", "straight_through"])
def test_the_same_check_finds_a_bias(name, model, images):
    found, exact = draw_gradients(model, name, images[:1], 20_000)
    assert z_scores(found, exact).abs().max() > 10


def test_several_draws_have_the_same_mean_and_less_variance(model, images):
    torch.manual_seed(0)
    several = vae.SemiSupervisedVAE(6, 1, 3, hidden=(8,), class_samples=8).double()
    several.load_state_dict(model.state_dict())
    rows = images[:1].expand(4_000, -1)
    (estimator,) = EstimatorLayers("reinforce", model.layers).at(1.0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        one, eight = (
            each.unlabelled_loss(
                rows,
                estimator,
                noise=normal(each.noise_shape(4_000), generator=generator),
                generator=generator,
            )
            for each in (model, several)
        )
    assert one.shape == eight.shape == (4_000,)
    error = math.sqrt((one.var() + eight.var()) / 4_000)
    assert abs(one.mean() - eight.mean()) < 4.5 * error
    assert 6 < one.var() / eight.var() < 10.5


def log_evidence(model, images):
    """Return log p(x, y) by integration over the one coordinate, ``(K, batch)``."""
    grid = torch.linspace(-8, 8, 4001).double()
    columns = []
    for classes in torch.eye(3).double():
        codes = grid[:, None, None].expand(-1, len(images), 1)
        pixels = model.decoder(codes, classes)
        joint = Normal(0.0, 1.0).log_prob(grid)[:, None] - vae.reconstruction_loss(
            pixels, images
        )
        columns.append((joint + math.log(grid[1] - grid[0])).logsumexp(0))
    return torch.stack(columns) - math.log(3)


def test_both_losses_bound_the_evidence(model, images, torch_generator):
    with torch.no_grad():
        evidence = log_evidence(model, images)
        noise = torch.randn(5_000, 1, 1, generator=torch_generator).double()
        for k, classes in enumerate(torch.eye(3).double()):
            labelled = model.labelled_loss(images, classes, noise).mean(0)
            assert (labelled > -evidence[k]).all()
        marginal = model.marginal_loss(images, noise.expand(-1, len(images), -1))
        assert (marginal.mean(0) > -evidence.logsumexp(0)).all()


def test_the_mean_weight_is_the_evidence(model, images, torch_generator):
    with torch.no_grad():
        evidence = log_evidence(model, images).logsumexp(0).exp()
        weights = model.log_weights(images, 100_000, generator=torch_generator).exp()
    error = weights.std(0) / math.sqrt(len(weights))
    assert ((weights.mean(0) - evidence).abs() < 4.5 * error).all()
    # The twin: the evidence of the neighbouring image.
    assert ((weights.mean(0) - evidence.roll(1)).abs() > 4.5 * error).any()


def test_the_loss_of_labels_is_the_bound_and_the_classifiers_own(model, images):
    labels, noise = torch.tensor([0, 2]), torch.randn(2, 1).double()
    model.alpha = 0.3
    found = model.supervised_loss(Images(images[:2], labels), weight=0.2, noise=noise)
    log_q = model.classify(images[:2]).log_softmax(-1)
    own = -log_q[torch.arange(2), labels]
    classes = torch.eye(3).double()[labels]
    bounds = model.labelled_loss(images[:2], classes, noise)
    torch.testing.assert_close(found, 0.2 * bounds + 0.3 * own)


def test_the_loss_looks_at_no_label(model, images):
    noise = torch.randn(1, 4, 1).double()
    losses = [
        model.loss(Images(images, labels), [one_class(1)], noise=noise, generator=None)
        for labels in (None, torch.tensor([0, 2, 1, 2]), torch.tensor([9, 9, 9, 9]))
    ]
    assert torch.equal(losses[0], losses[1])
    assert torch.equal(losses[0], losses[2])


def test_the_classes_share_the_images_part_of_the_first_layer(model, images):
    seen = []
    for network in (model.classifier[0], model.encoder.inputs):
        network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model.marginal_loss(images, torch.zeros(4, 1).double())
    assert [inputs.numel() for inputs in seen] == [4 * 6, 4 * 6]


def taught(estimator, num_categories):
    """Return the model after a backward pass through what an estimator is asked for, the entropy left out."""
    torch.manual_seed(0)
    model = vae.SemiSupervisedVAE(6, 2, num_categories, hidden=(8,), class_samples=3)
    images = torch.ones(5, 6)
    noise = normal(model.noise_shape(5), generator=torch.Generator())
    losses = model.loss(
        Images(images), [estimator], noise=noise, generator=torch.Generator()
    )
    entropy = categorical.entropy(model.classify(images))
    (losses + entropy).sum().backward()
    return model


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "vimco"])
def test_every_estimator_teaches_the_classifier(name):
    num_categories = 2 if name in ("arm", "disarm") else 3
    (estimator,) = EstimatorLayers(name, [(1, num_categories)]).at(1.0)
    model = taught(estimator, num_categories)
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert model.classifier[-1].bias.grad.abs().sum() > 1e-3


def test_the_same_check_finds_an_estimator_that_does_not():
    model = taught(one_class(0), 3)
    assert model.classifier[-1].bias.grad.abs().sum() < 1e-5


def test_noise_of_another_size_is_refused(model, images):
    with pytest.raises(ValueError, match="noise must have 1 coordinates, got shape"):
        model.marginal_loss(images, torch.zeros(4, 2).double())
    message = r"noise must have shape \(1, 4, 1\), got "
    with pytest.raises(ValueError, match=message + r"shape \(4, 1\)"):
        model.loss(
            Images(images), [one_class(1)], noise=torch.zeros(4, 1), generator=None
        )
    with pytest.raises(ValueError, match=message + "None"):
        model.loss(Images(images), [one_class(1)], noise=None, generator=None)
    labelled = Images(images, torch.tensor([0, 2, 1, 2]))
    with pytest.raises(ValueError, match=r"noise must have shape \(4, 1\), got None"):
        model.supervised_loss(labelled, weight=1.0, noise=None)


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4)])
def test_the_sum_takes_noise_of_more_axes_than_the_images(shape, model, images):
    images = images[0] if shape == () else images
    noise = torch.randn(*shape, 1).double()
    found = model.marginal_loss(images, noise)
    assert found.shape == shape
    probs = model.classify(images).softmax(-1)
    losses = [
        model.labelled_loss(images, classes, noise) for classes in torch.eye(3).double()
    ]
    expected = (probs * torch.stack(losses, -1)).sum(-1)
    entropy = -(probs * probs.log()).sum(-1)
    torch.testing.assert_close(found, expected - entropy)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -0.5}, "alpha must be finite and not negative, got -0.5"),
        ({"alpha": math.inf}, "alpha must be finite and not negative, got inf"),
        ({"class_samples": 0}, "class_samples must be a whole number of at least 1"),
        ({"hidden": (0,)}, "hidden must be a whole number of at least 1, got 0"),
        ({"channels": (0,)}, "channels must be a whole number of at least 1, got 0"),
        ({"channels": (4,)}, "num_pixels must be a square number with channels, got 6"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        vae.SemiSupervisedVAE(6, 2, 3, **settings)


def test_logits_that_are_not_finite_stop_the_training(model, images):
    images = images * math.inf
    with pytest.raises(FloatingPointError, match="logits must be finite"):
        model.classify(images)


def test_samples_show_the_classes_by_turns(model, torch_generator):
    with torch.no_grad():
        pixels = model.sample(7, generator=torch_generator)
    assert pixels.shape == (7, 6)
    assert ((pixels > 0) & (pixels < 1)).all()
    state = torch_generator.get_state()
    eighth = model.sample(8, generator=torch_generator)[7]
    # Three classes per turn: the eighth image is of the second class and the third code.
    codes = torch.randn(3, 1, 1, generator=torch_generator.set_state(state)).double()
    expected = model.decoder(codes[2, 0], torch.eye(3).double()[1]).sigmoid()
    torch.testing.assert_close(eighth, expected)


def test_linear_networks_have_no_hidden_layer():
    model = vae.SemiSupervisedVAE(6, 2, 3, hidden=())
    assert model.encoder.rest is model.decoder.rest is None
    model.start_at(torch.ones(9, 6))
    torch.testing.assert_close(
        model.decoder.inputs.bias, torch.full((6,), 9.5 / 10).logit()
    )


def operations(step):
    """Return how many multiplications and additions of matrices a step and its gradient take."""
    with FlopCounterMode(display=False) as counter:
        step().sum().backward()
    return counter.get_total_flops()


def test_a_draw_takes_a_tenth_of_the_operations_of_a_sum_over_a_hundred_classes():
    model = vae.SemiSupervisedVAE(784, 50, 100, hidden=(512,))
    images, generator = torch.ones(50, 784), torch.Generator()
    noise = torch.zeros(1, 50, 50)

    def step(name):
        (estimator,) = EstimatorLayers(name, model.layers).at(1.0)
        return operations(
            lambda: model.unlabelled_loss(
                images, estimator, noise=noise, generator=generator
            )
        )

    assert 10 * step("gumbel_softmax") < step("exact")
    # The twin: an estimator that looks at four classes takes more than one that looks at one.
    assert step("unordered_set") > 1.5 * step("gumbel_softmax")
