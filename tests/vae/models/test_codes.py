"""Codes: bits as one number, draws with their probabilities, logits in float32."""

from functools import partial

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.vae.models.codes import as_inputs, as_logits, draw_codes


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


def test_logits_are_float32_at_least():
    for num_categories in (2, 3):
        outputs = torch.ones(5, 6, dtype=torch.bfloat16)
        assert as_logits(outputs, num_categories).dtype == torch.float32
        assert as_logits(outputs.double(), num_categories).dtype == torch.float64
