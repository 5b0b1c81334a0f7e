"""The completion of images: weights against enumeration, estimators inside one another, refusals."""

import math

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.models.codes import as_inputs, as_logits


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
        losses = model.loss(
            Images(image.expand(count, 4)), estimators, generator=generator
        )
        estimates.append(torch.autograd.grad(losses.mean(), list(model.parameters())))
    for number, gradient in enumerate(exact):
        drawn = torch.stack([estimate[number] for estimate in estimates])
        error = drawn.std(0) / math.sqrt(chunks) + 1e-6
        # Student's t with 14 degrees of freedom: 7 is one in three hundred thousand.
        assert ((drawn.mean(0) - gradient).abs() < 7 * error).all()
