"""The noise of the kernels: Philox at stated counters, small exponentials with all their digits."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from helpers import philox

from gumbel_tutorial.kernels import drawing
from gumbel_tutorial.kernels.device import gumbel_noise, random_bits, tiles

pytestmark = pytest.mark.cuda

# Numbers that a program of the tests maps.
SIZE = 4096

# The published answers of Random123, kat_vectors.
ANSWERS = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (2**32 - 1,) * 4,
        (2**32 - 1,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@triton.jit
def philox_kernel(out, counter, key):
    at = tl.zeros((1,), tl.int64)
    a = tl.load(counter + at).to(tl.uint32)
    b = tl.load(counter + at + 1).to(tl.uint32)
    c = tl.load(counter + at + 2).to(tl.uint32)
    d = tl.load(counter + at + 3).to(tl.uint32)
    key = tl.load(key).to(tl.uint64, bitcast=True)
    a, b, c, d = random_bits.philox(key, a, b, c, d)
    tl.store(out + at, a.to(tl.int64))
    tl.store(out + at + 1, b.to(tl.int64))
    tl.store(out + at + 2, c.to(tl.int64))
    tl.store(out + at + 3, d.to(tl.int64))


@triton.jit
def counters_kernel(out, seed, first, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Write the first two words of every group, as one number, of rows from the first on."""
    rows, _, groups, _ = tiles.tile_of(ROWS, BLOCK)
    stream = random_bits.CATEGORY
    a, b, _, _ = random_bits.random_words(seed, rows + first, groups, stream)
    number = (a.to(tl.int64) << 31) ^ b.to(tl.int64)
    width = tl.num_programs(1) * (BLOCK // 4)
    tl.store(out + rows * width + groups, number)


@triton.jit
def summed_seed_kernel(out, seed, first, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Seed every tile by a sum, and count from 0 in each: a fault that was shipped elsewhere."""
    rows, _, groups, chunk = tiles.tile_of(ROWS, BLOCK)
    key = (tl.load(seed) + 100 * chunk + 1000 * (rows + first)).to(tl.uint64)
    lane = (groups - chunk * (BLOCK // 4)).to(tl.uint32) + (rows * 0).to(tl.uint32)
    a, b, _, _ = random_bits.philox(key, lane, lane * 0, lane * 0, lane * 0)
    number = (a.to(tl.int64) << 31) ^ b.to(tl.int64)
    width = tl.num_programs(1) * (BLOCK // 4)
    tl.store(out + rows * width + groups, number)


@triton.jit
def map_kernel(out, word, further, refined_below, BLOCK: tl.constexpr):
    """Write the exponentials of words, refined below a word, as the kernels make their Gumbels of them."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    first = tl.load(word + at).to(tl.uint32)
    uniform = gumbel_noise.uniform_of_word(first)
    refined = gumbel_noise.refine(uniform, tl.load(further + at).to(tl.uint32))
    uniform = tl.where(uniform < refined_below * 2.0**-32, refined, uniform)
    tl.store(out + at, gumbel_noise.gumbel_of_uniform(uniform))


@triton.jit
def map_of_64_bits_kernel(out, word, further, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    first, second = tl.load(word + at), tl.load(further + at)
    uniform = gumbel_noise.uniform_of_words(first.to(tl.uint32), second.to(tl.uint32))
    tl.store(out + at, gumbel_noise.gumbel_of_uniform(uniform))


def exponentials_of(device, word, further, refined_below=2**10):
    """Return the float64 exponentials whose Gumbels a kernel writes."""
    on_device = [
        torch.as_tensor(x.astype(np.int64), device=device) for x in (word, further)
    ]
    out = torch.empty(len(word), dtype=torch.float32, device=device)
    grid = (len(word) // SIZE,)
    map_kernel[grid](out, *on_device, refined_below, BLOCK=SIZE)
    return np.exp2(-out.double().cpu().numpy()) * np.log(2)


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_philox_gives_the_published_answers(device, counter, key, answer):
    number = np.uint64(key[0] + (key[1] << 32)).astype(np.int64)
    given = torch.tensor(counter, device=device)
    out = torch.empty(4, dtype=torch.int64, device=device)
    philox_kernel[(1,)](out, given, torch.tensor([number], device=device))
    assert tuple(out.tolist()) == answer
    assert tuple(philox.philox(counter, key)) == answer


def test_noise_is_that_of_the_stated_counters(device, seed):
    logits = torch.empty(5, 300, device=device)
    noise = drawing.noise_of_rows(logits, seed).double().cpu().numpy()
    expected = philox.gumbels(seed, range(5), 300)
    # Where the exponential is large, its digits are few.
    atol = np.where(expected > -2, 3e-5, 1e-2)
    assert (np.abs(noise - expected) < atol).all()
    # The next row, the next call and the next key are not the same.
    for other in (
        seed + torch.tensor([0, 1]).to(seed),
        seed + torch.tensor([1, 0]).to(seed),
    ):
        assert np.abs(philox.gumbels(other, range(5), 300) - expected).max() > 1


def test_noise_does_not_depend_on_how_rows_are_cut(device, seed):
    # Rows of a tile of several, whole rows, and rows in chunks.
    noises = [
        drawing.noise_of_rows(torch.empty(3, size, device=device), seed)
        for size in (40, 4000, 5000)
    ]
    for narrow, wide in pairwise(noises):
        assert torch.equal(narrow, wide[:, : narrow.shape[1]])


def test_no_two_numbers_of_neighbouring_tiles_and_rows_share_a_counter(device, seed):
    def repeated(kernel):
        out = torch.empty(64, 16 * 32, dtype=torch.int64, device=device)
        kernel[(4, 16)](out, seed, 0, ROWS=16, BLOCK=128)
        return out.numel() - len(out.unique())

    # 63 bits of 32,768 numbers agree by chance with probability 6e-11.
    assert repeated(counters_kernel) == 0
    # Seeded by a sum, tile 10 of a row is tile 0 of the next.
    assert repeated(summed_seed_kernel) == 63 * 6 * 32


def test_rows_beyond_two_to_the_32_have_counters_of_their_own(device, seed):
    found = []
    for first in (0, 2**32, 2**33):
        out = torch.empty(1, 2, dtype=torch.int64, device=device)
        counters_kernel[(1, 1)](out, seed, first, ROWS=1, BLOCK=8)
        word = philox.words(seed, [first], 8, 0).astype(np.int64).reshape(2, 4)
        assert out[0].tolist() == list((word[:, 0] << 31) ^ word[:, 1])
        found.append(out)
    assert len(torch.cat(found).unique()) == 6


def test_small_exponentials_have_all_their_digits(device, rng):
    word = np.r_[
        np.arange(2048), rng.integers(0, 2**24, 1024), rng.integers(0, 2**31, 1024)
    ]
    further = rng.integers(0, 2**32, len(word))
    found = exponentials_of(device, word, further)
    uniform = np.where(word < 2**10, word + (further + 0.5) * 2.0**-32, word + 0.5)
    exact = -np.log1p(-uniform * 2.0**-32)
    # The logarithm of base 2 is right to 2^-22, or to a float32 where it is large.
    assert np.abs(found / exact - 1).max() < 4e-6
    assert exact.min() < 2.0**-32


def test_large_exponentials_stay_finite_and_right_to_the_grid_of_float32(device, rng):
    word = np.r_[2**32 - 1 - np.arange(1024), rng.integers(2**31, 2**32, 3072)]
    found = exponentials_of(device, word, np.zeros_like(word))
    assert found.max() < 17.4
    share_above = 1 - (word + 0.5) * 2.0**-32
    assert np.abs(np.exp(-found) - share_above).max() < 2.0**-23


def test_the_share_of_small_exponentials_is_right_far_into_the_tail(device):
    # All words below 2^16, those below 2^10 with 64 further words that stand for 2^26 each.
    def shares(refined_below, kept_bits):
        word = np.r_[np.repeat(np.arange(2**10), 64), np.arange(2**10, 2**16)]
        further = np.r_[
            np.tile((np.arange(64) << 26) + 2**25, 2**10), np.zeros(2**16 - 2**10, int)
        ]
        weight = np.r_[np.full(2**16, 1 / 64), np.ones(2**16 - 2**10)] * 2.0**-32
        pad = -len(word) % SIZE
        word, further, weight = (np.pad(x, (0, pad)) for x in (word, further, weight))
        word = word >> (32 - kept_bits) << (32 - kept_bits)
        found = exponentials_of(device, word, further, refined_below)
        return [weight[found < t].sum() / t for t in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)]

    assert np.abs(np.array(shares(2**10, 32)) - 1).max() < 0.01
    # A uniform of 24 bits has a smallest exponential, and of 32 bits too.
    assert shares(0, 24)[3] > 5
    assert abs(shares(0, 32)[4] - 1) > 0.05


def test_the_rare_number_that_takes_further_bits_takes_them_from_the_second_stream(
    device,
):
    # Found by search: the word of this counter is below 2^9, the rest of the tile is not small.
    seed = torch.tensor([7, 8_221_498], device=device)
    assert philox.words(seed, [0], 4, 0).min() < 2**9
    logits = torch.empty(2, 8, device=device)
    found = drawing.noise_of_rows(logits, seed).double().cpu().numpy()
    np.testing.assert_allclose(found, philox.gumbels(seed, range(2), 8), atol=3e-6)
    # With 32 bits alone that number is another, and it alone.
    coarse = drawing.noise_of_rows(logits, seed, refined_below=0).double().cpu().numpy()
    assert (np.abs(coarse - found) > 1e-4).sum() == 1
    assert found.max() > 16


def test_both_words_of_a_number_count_where_all_have_64_bits(device, rng):
    word, further = rng.integers(0, 2**20, (2, 1024))
    given = [torch.as_tensor(x, device=device) for x in (word, further << 12)]
    out = torch.empty(1024, dtype=torch.float32, device=device)
    map_of_64_bits_kernel[(1,)](out, *given, BLOCK=1024)
    uniform = (word + ((further << 12) + 0.5) * 2.0**-32) * 2.0**-32
    exact = -np.log2(-np.log1p(-uniform) / np.log(2))
    np.testing.assert_allclose(out.cpu().numpy(), exact, atol=4e-6)
