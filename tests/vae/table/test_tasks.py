"""What the tasks on grey pixels are: the published networks and schedules, and a rate that was chosen."""

from statistics import fmean

import pytest
import torch

from gumbel_tutorial.book.records import RECORDED
from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.runs.build import make_model, make_temperature

GREY = [name for name in table.COLUMNS if name.startswith("Grey")]
CHOOSES = "Grey VAE (32 x 16), rates"


def config_of(column, row):
    return table.Job(column, row, 10**-2.5, 0).config()


@pytest.mark.parametrize("column", GREY)
def test_all_rows_have_the_published_network_and_differ_in_nothing_but_the_estimator(
    column,
):
    own = ("estimator", "options", "anneal_price")
    schedule = ("anneal_rate", "anneal_every", "final_temperature")
    configs = {row: config_of(column, row) for row in table.COLUMNS[column].rows}
    shared = [
        {k: v for k, v in vars(c).items() if k not in own + schedule}
        for c in configs.values()
    ]
    assert all(each == shared[0] for each in shared)
    model = make_model(configs["ST"], 784)
    widths = [
        (layer.in_features, layer.out_features)
        for layer in model.modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    there = [(784, 512), (512, 256), (256, 512)]
    assert widths == there + [(b, a) for a, b in reversed(there)]
    bends = [m for m in model.modules() if isinstance(m, torch.nn.LeakyReLU)]
    assert [bend.negative_slope for bend in bends] == [0.2] * 4
    assert shared[0]["batch_size"] == 200
    assert model.prior_logits is None


def test_the_temperatures_go_where_the_published_ones_do():
    column = "Grey VAE (8 x 64)"
    steps = table.COLUMNS[column].steps

    def ends(row):
        temperature = make_temperature(config_of(column, row))
        return temperature(0), temperature(steps)

    assert ends("Gumbel-Rao (20)") == (1, pytest.approx(0.1, rel=1e-12))
    assert config_of(column, "Gumbel-Rao (20)").options == {"num_inner": 20}
    # The price of MVE is the reciprocal.
    assert ends("MVE") == (1, pytest.approx(1e-6, rel=1e-12))
    assert config_of(column, "MVE").anneal_price
    assert config_of(column, "ReinMax (1.2)").options == {"temperature": 1.2}


def test_the_learning_rate_is_the_one_that_did_best_in_the_mean_over_rows():
    runs = table.current_runs(table.read(RECORDED / "vae_table"), CHOOSES)
    task = table.COLUMNS[CHOOSES]
    means = {
        rate: fmean(r["validation"] for r in runs if r["learning_rate"] == rate)
        for rate in task.rates
    }
    assert len(runs) == len(task.rates) * len(task.rows)
    best = min(means, key=means.get)
    # Inside of what was tried.
    assert min(means) < best < max(means)
    assert {table.COLUMNS[name].rates for name in GREY} == {task.rates, (best,)}
