"""The ziggurat: one stream of numbers, however it is cut, asked for, seeded or compiled.

Its law and its far tail are tested in test_noise.
"""

import numpy as np
import pytest
import torch

from gumbel_tutorial import noise, ziggurat
from gumbel_tutorial.ziggurat import tensors

MANY = 80_000  # more than two parts


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_are_those_of_one_draw_rounded_once(dtype):
    whole = np.random.default_rng(1).standard_exponential(MANY).astype(dtype)
    drawn = ziggurat.exponential(np.random.default_rng(1), (MANY,), dtype)
    np.testing.assert_array_equal(drawn, whole)
    rng, parts = np.random.default_rng(1), np.empty(MANY, dtype)
    for cut in (parts[:7], parts[7:60_000], parts[60_000:]):
        ziggurat.fill_log(rng, cut)
    np.testing.assert_array_equal(parts, np.log(whole))
    gumbels = ziggurat.gumbel(np.random.default_rng(1), (400, 200), dtype)
    np.testing.assert_array_equal(gumbels.reshape(-1), -parts)


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
