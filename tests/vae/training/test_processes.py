"""Several processes: their rows, their noise, exact resumption, and an error that is said once."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from helpers.vae import trainer

from gumbel_tutorial.vae.training.processes import (
    Processes,
    ReportedElsewhere,
    joined,
    reported_once,
)


def test_the_processes_divide_a_batch():
    rows = torch.arange(12)
    parts = [rows[Processes(rank, 3).rows(12)] for rank in range(3)]
    assert torch.equal(torch.cat(parts), rows)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 proc"):
        Processes(0, 3).check_batch(13)


def test_fewer_labels_than_processes_are_refused():
    assert Processes(0, 4).largest_multiple(10) == 8
    message = "labelled must hold an image for each of the 4 processes, got 3"
    with pytest.raises(ValueError, match=message):
        Processes(0, 4).largest_multiple(3)


def test_no_two_processes_of_any_runs_draw_the_same():
    seeds = [
        Processes(rank, 8).seed(seed) for rank in range(8) for seed in (0, 1, 2**31 - 1)
    ]
    assert len(set(seeds)) == 24
    assert Processes(0, 8).seed(7) == 7
    assert torch.Generator().manual_seed(max(seeds)).initial_seed() == max(seeds)


def test_one_process_alone_asks_nobody(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as (processes, device):
        assert processes == Processes(0, 1)
        assert device == torch.device("cpu")
    assert processes.gather("own") == ["own"]
    assert processes.any(True, device)
    assert processes.mean(torch.tensor(2.0)) == 2.0


def test_the_first_error_is_raised_and_the_others_are_known():
    store = torch.distributed.HashStore()
    with pytest.raises(OSError, match="the cause"), reported_once(store):
        raise OSError("the cause")
    with pytest.raises(ReportedElsewhere), reported_once(store):
        raise RuntimeError("a process is gone")


def test_a_state_of_another_number_of_processes_is_refused():
    run = trainer()
    own = run.state()
    two = own | {
        f"process.1.{name}": own[name]
        for name in ("generator", "estimators._extra_state")
    }
    with pytest.raises(
        ValueError, match="processes must be 2, as the run began, got 1"
    ):
        run.load(two)
    run.processes = Processes(0, 2)
    with pytest.raises(
        ValueError, match="processes must be 1, as the run began, got 2"
    ):
        run.load(own)
    run.load(two)


TWO = textwrap.dedent("""
    import json, sys, torch
    from gumbel_tutorial.vae.runs.build import make_splits, make_trainer
    from gumbel_tutorial.vae.runs.config import Config
    from gumbel_tutorial.vae.training.processes import Processes, ReportedElsewhere, joined
    from gumbel_tutorial.vae.training.trainer import loss_of

    torch.set_num_threads(1)

    def by_hand(run, config):
        # The mean of what each process does with its own rows and its own noise.
        means = []
        for each in (Processes(0, 2), Processes(1, 2)):
            batch = run.images.take(run.order.rows(0)[each.rows(config.batch_size)])
            draws = torch.Generator().manual_seed(each.seed(config.seed))
            means.append(loss_of(run.model, batch, run.estimators, 1.0, generator=draws).mean())
        return sum(means) / 2

    def check(config, processes, device):
        images = make_splits(config, None, download=False).train
        whole, first, second = (make_trainer(config, images, device, processes) for _ in range(3))
        expected = {}
        if config.estimator == "rloo":
            loss = by_hand(whole, config)
            slopes = torch.autograd.grad(loss, list(whole.model.parameters()))
            whole.estimators.zero_grad()
            expected = {"loss": loss.item()}
        losses = [whole.step().loss]
        if expected:
            found = [p.grad for p in whole.model.parameters()]
            expected["slope"] = max((a - b).abs().max().item() for a, b in zip(found, slopes))
        losses += [whole.step().loss for _ in range(11)]
        for _ in range(7):
            first.step()
        second.step()
        second.load(first.state())
        resumed = [second.step().loss for _ in range(5)]
        ours, theirs = whole.state(), second.state()
        same = all(torch.equal(ours[name].nan_to_num(), theirs[name].nan_to_num()) for name in ours)
        weights = processes.gather(torch.cat([p.flatten() for p in whole.model.parameters()]))
        return {
            "losses": losses, "resumed": resumed, "state": same and set(ours) == set(theirs),
            "weights": torch.equal(*weights),
            "noise": torch.equal(*processes.gather(whole.generator.get_state())),
            **expected,
        }

    try:
        with joined("cpu") as (processes, device):
            found = [check(Config(**s), processes, device) for s in json.loads(sys.argv[1])]
            if processes.rank == 0:
                print(json.dumps(found), flush=True)
            if processes.rank == 1:
                raise ValueError("the cause")
            processes.mean(torch.zeros(()))
    except ReportedElsewhere as elsewhere:
        sys.exit(elsewhere.exit_code)
    except Exception as error:
        sys.exit(f"error: {error}")
""")
SMALL = {"num_latents": 3, "num_categories": 2, "batch_size": 20, "learning_rate": 0.01}
FEW_LABELS = {"model": "semi-supervised", "num_categories": 10, "hidden": [7]}


@pytest.mark.slow
def test_two_processes_average_their_gradients_resume_exactly_and_report_an_error_once(
    tmp_path,
):
    settings = [
        {"estimator": "rloo"},
        {"estimator": "relax", "binarisation": "dynamic"},
        {"estimator": "reinforce_moving_average", "model": "structured-prediction"},
        {"estimator": "gumbel_rao", "labelled_per_class": 1, **FEW_LABELS},
    ]
    script = tmp_path / "two.py"
    script.write_text(TWO)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", str(script)),
            json.dumps([SMALL | each for each in settings]),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=600,
    )
    errors = [x for x in result.stderr.splitlines() if x.startswith("error: ")]
    assert errors == ["error: the cause"], result.stderr
    assert result.returncode != 0
    found = json.loads(result.stdout)
    assert len(found) == len(settings)
    for each in found:
        assert each["resumed"] == each["losses"][7:]
        assert each["state"]
        assert each["weights"]
        assert not each["noise"]
    assert found[0]["loss"] == pytest.approx(found[0]["losses"][0], rel=1e-6)
    assert found[0]["slope"] < 1e-5
