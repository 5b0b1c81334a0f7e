"""Write what two moving figures of chapter 9 show, and draw their pictures: `python tools/figure_logits.py`.

A few recorded rows of logits, as they are: the different values of a row and how many tokens have each.
"""

import base64
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import scipy.stats
from figure_files import FIGURES, write_data, write_picture
from matplotlib.figure import Figure

from gumbel_tutorial import categorical, decoding, gumbel_max, noise
from gumbel_tutorial.book import plots, real_logits

# From the surest to the least sure, and about as sure on average as all rows.
POSITIONS = (28, 8, 17, 1, 0)
WORDS, TOP = 4, 6
TEMPERATURE, TOKENS, SIZE = 0.6, 40, 0.01


def main() -> None:
    """Write the data and both pictures."""
    rows = real_logits.rows()[list(POSITIONS)]
    said = [real_logits.origin()["rows"][position] for position in POSITIONS]
    data = {"rows": [row_data(*pair) for pair in zip(rows, said, strict=True)]}
    write_data("logits", data, "figure_logits.py")
    plots.use_style()
    logits = rows.astype(float)
    write_picture(coupling(logits[2], tokens(said[2])), FIGURES / "coupling.png")
    write_picture(growth(logits), FIGURES / "watermark-score.png")


def tokens(position: dict[str, Any]) -> list[str]:
    """Return the likeliest tokens of a position."""
    return [token.strip() for token, _ in position["top"][:TOP]]


def row_data(row: np.ndarray, position: dict[str, Any]) -> dict[str, Any]:
    """Return a row as its different values, largest first, and how many tokens have each, in sixteen bits."""
    values, counts = np.unique(row, return_counts=True)
    return {
        "after": " ".join(position["after"].split(" ")[-WORDS:]),
        "top": tokens(position),
        "values": as_text(values[::-1], "<f2"),
        "counts": as_text(counts[::-1], "<u2"),
    }


def as_text(values: np.ndarray, dtype: str) -> str:
    """Return numbers that a type holds without loss as letters."""
    stored = values.astype(dtype)
    if not (stored == values).all():
        raise ValueError(f"values must fit {dtype}, got {values}")
    return base64.b64encode(stored.tobytes()).decode()


def coupling(logits: np.ndarray, names: list[str]) -> Figure:
    """Draw the laws of two temperatures with what both draw, and the agreement between its bounds."""
    cold = logits / TEMPERATURE
    laws = [categorical.probs(each) for each in (logits, cold)]
    fig, (bars, plane) = plt.subplots(1, 2, figsize=(6.6, 2.9), width_ratios=(3, 2))
    places = np.arange(TOP)
    for side, law, name in zip((-1, 1), laws, ("$T=1$", "$T=0.6$"), strict=True):
        colour = plots.COLOURS[(side + 1) // 2]
        bars.barh(places + 0.2 * side, law[:TOP], 0.36, color=colour, label=name)
    bars.set_yticks(places, names)
    bars.invert_yaxis()
    bars.legend(loc="lower right")
    bars.set_xlabel("probability")
    distance = np.linspace(0, 1, 101)
    plane.plot(distance, (1 - distance) / (1 + distance), color=plots.MUTED)
    plane.plot(distance, 1 - distance, color=plots.MUTED)
    apart = decoding.total_variation(logits, cold)
    plane.plot(apart, decoding.agreement(logits, cold), "o", color=plots.INK)
    plane.plot(apart, laws[0] @ laws[1], "x", color=plots.COLOURS[3])
    plane.set(xlabel="total variation", ylabel="agreement")
    return fig


def growth(logits: np.ndarray) -> Figure:
    """Draw the score of a text with the mark and of one without, the limit, and the bounds of the mean."""
    rng = np.random.default_rng(5)
    entropies = np.resize(categorical.entropy(logits), TOKENS).cumsum()
    length = np.arange(1, TOKENS + 1)
    marked, plain = [], []
    for row in np.resize(np.arange(len(logits)), TOKENS):
        gumbels = noise.gumbel(logits.shape[1], generator=rng)
        index = gumbel_max.argmax_sample(logits[row], gumbels)
        marked.append(float(decoding.watermark_scores(gumbels[index])))
        plain.append(float(decoding.watermark_scores(noise.gumbel((), generator=rng))))
    fig, ax = plt.subplots(figsize=(6.6, 2.9))
    least, most = length + (np.pi**2 / 6 - 1) * entropies, length + entropies
    ax.fill_between(length, least, most, color=plots.FAINT, alpha=0.6)
    limit = scipy.stats.gamma(length).isf(SIZE)
    ax.plot(length, limit, ":", color=plots.INK, label="limit of one in a hundred")
    ax.plot(length, np.cumsum(marked), color=plots.COLOURS[0], label="marked")
    ax.plot(length, np.cumsum(plain), "--", color=plots.COLOURS[1], label="unmarked")
    ax.set(xlabel="tokens", ylabel="score")
    ax.legend()
    return fig


if __name__ == "__main__":
    main()
