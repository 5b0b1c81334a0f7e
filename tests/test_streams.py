"""The streams: one sequence of numbers, however it is cut, asked for, seeded or compiled.

Its law and its far tail are tested in test_noise.
"""

import mpmath
import numpy as np
import pytest
import torch

from gumbel_tutorial import noise, streams
from gumbel_tutorial.streams import MIDPOINT_OF_ZERO, tensors, words

MANY = 160_000  # more than two parts


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_are_the_same_however_they_are_cut(dtype):
    drawn = streams.exponential(np.random.default_rng(1), (MANY,), dtype)
    cut = streams.Logarithms(np.random.default_rng(1), MANY, dtype)
    parts = np.empty(MANY, dtype)
    for part in (parts[:7], parts[7:8], parts[8:90_000], parts[90_000:]):
        cut.fill(part)
    np.testing.assert_array_equal(parts, np.log(drawn))
    gumbels = streams.gumbel(np.random.default_rng(1), (400, 400), dtype)
    np.testing.assert_array_equal(gumbels.reshape(-1), -parts)


def test_in_float64_it_is_the_ziggurat_of_numpy():
    whole = np.random.default_rng(1).standard_exponential(MANY)
    drawn = streams.exponential(np.random.default_rng(1), (MANY,), "float64")
    np.testing.assert_array_equal(drawn, whole)


class Planned:
    """Gives out the words that it is told to, and what comes after their 32 bits."""

    def __init__(self, words, rest):
        self._words, self._rest = np.array(words, np.uint32), rest

    def integers(self, high, *, dtype, size):
        assert high == 2**64
        assert 2 * size >= self._words.size
        return np.resize(self._words, 2 * size).view(dtype)

    def random(self, size):
        return np.full(size, self._rest)


@pytest.mark.parametrize("rest", [0, 2.0**-20, 0.5, 1 - 2.0**-53])
def test_a_float32_exponential_is_that_of_its_word_and_of_53_bits_where_it_is_small(
    rest,
):
    edge = 2**25
    small = np.array([0, 1, 2, 3, 1000, edge - 1])
    large = np.array([edge, edge + 1, 2**30, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1])
    found = np.empty(small.size + large.size, np.float32)
    words.fill(Planned([*small, *large], rest), found)
    # mpmath knows -log(1 - U) to any digit, where the word is followed by the rest, or by one half.
    with mpmath.workdps(40):
        after = [mpmath.mpf(max(rest, 2.0**-22))] * small.size + [0.5] * large.size
        numbers = zip([*small, *large], after, strict=True)
        uniform = [(int(word) + more) / 2**32 for word, more in numbers]
        exact = np.array([float(-mpmath.log1p(-u)) for u in uniform])
        slope = np.array([float(1 / (1 - u)) for u in uniform])[small.size :]
    near, far = np.split(np.abs(found - exact), [small.size])
    eps = 2.0**-24
    # Rounded once, after a logarithm of float64.
    assert (near <= 1.001 * eps * exact[: small.size]).all()
    # 1 - U is rounded, to half a step of its grid and from a whole word, and the logarithm errs by four ulp.
    of_word = np.minimum(eps / 2, 2 * eps / slope) + 2.0**-32
    assert (far <= of_word * slope + 8 * eps * exact[small.size :]).all()
    assert (np.diff(found) >= 0).all()
    assert found[0] >= MIDPOINT_OF_ZERO


def test_an_odd_number_of_draws_takes_whole_words():
    for count in (1, 3, 2**16 + 1):
        drawn = streams.exponential(np.random.default_rng(0), (count,), "float32")
        assert drawn.shape == (count,)
        assert (drawn > 0).all()
    assert streams.exponential(np.random.default_rng(0), (0, 3), "float32").size == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_generator_of_torch_seeds_the_stream_and_moves_on(dtype):
    generator = seeded()
    first, second = (tensors.exponential((MANY,), generator, dtype) for _ in range(2))
    assert not torch.equal(first, second)
    again = tensors.exponential((MANY,), seeded(), dtype)
    assert torch.equal(first, again)
    logs = torch.from_numpy(np.log(again.numpy()))
    assert torch.equal(tensors.gumbel((MANY,), seeded(), dtype), -logs)


def test_torchs_seed_repeats_the_noise_of_many_numbers():
    like = torch.zeros(MANY)
    torch.manual_seed(4)
    first, second = noise.gumbel_like(like), noise.gumbel_like(like)
    torch.manual_seed(4)
    assert torch.equal(noise.gumbel_like(like), first)
    assert not torch.equal(first, second)
    with torch.device("meta"):  # torch's default device is another's business
        torch.manual_seed(4)
        assert torch.equal(noise.gumbel_like(like), first)


def test_compiled_code_draws_the_numbers_of_eager_code_by_one_operation():
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    like = torch.zeros(MANY)
    compiled = torch.compile(noise.gumbel_like, backend=backend, fullgraph=True)
    torch.manual_seed(4)
    ours = compiled(like)
    torch.manual_seed(4)
    # torch's logarithm is another than NumPy's.
    torch.testing.assert_close(ours, noise.gumbel_like(like), rtol=2**-21, atol=2**-22)
    (graph,) = graphs
    called = {str(node.target) for node in graph.graph.nodes}
    assert any("gumbel_tutorial.exponential" in name for name in called)


def test_the_operation_is_a_function_of_its_seed():
    seed = torch.tensor([3, 4])
    for dtype in (torch.float32, torch.float64):
        arguments = (seed, [2, 5], dtype)
        torch.library.opcheck(torch.ops.gumbel_tutorial.exponential.default, arguments)


def test_an_exported_graph_needs_no_operation_of_this_package():
    class Noise(torch.nn.Module):
        def forward(self, like):
            return noise.gumbel_like(like)

    graph = torch.export.export(Noise(), (torch.zeros(MANY),)).graph
    assert "gumbel_tutorial" not in str(graph)


def test_vmap_decides_what_is_random():
    rows = torch.zeros(3, MANY)
    for randomness, alike in (("same", True), ("different", False)):
        first, second, _ = torch.func.vmap(noise.gumbel_like, randomness=randomness)(
            rows
        )
        assert torch.equal(first, second) == alike
    with pytest.raises(RuntimeError, match="randomness"):
        torch.func.vmap(noise.gumbel_like)(rows)
