"""What the tests of runs share: a small configuration, its output, and files compared bit for bit."""

import torch
from safetensors.torch import load_file

from gumbel_tutorial.vae.runs.config import Output
from gumbel_tutorial.vae.runs.journal import METRICS
from gumbel_tutorial.vae.runs.saved import CHECKPOINT

SETTINGS = {
    **{"num_latents": 4, "num_categories": 3, "hidden": ()},
    **{"batch_size": 20, "steps": 120},
}
FLAGS = [
    *("--num-latents", "4", "--num-categories", "3", "--hidden", "--batch-size", "20"),
    *("--checkpoint-every", "20", "--evaluate-every", "30", "--log-every", "5"),
]


class Interrupt(Exception):
    """Ends a run as a crash does: it saves nothing."""


def output(folder, /, **options):
    """Return an output that reports and saves often."""
    defaults = {"checkpoint_every": 20, "evaluate_every": 30, "log_every": 5}
    return Output(folder, **{**defaults, **options})


def at_step(monkeypatch, number, act):
    """Do something in the place of, or before, the step after so many."""
    from gumbel_tutorial.vae.training.trainer import Trainer

    step = Trainer.step

    def acting(self):
        if self.steps_taken == number:
            act(self)
        return step(self)

    monkeypatch.setattr(Trainer, "step", acting)


def die(_):
    """Act as a crash."""
    raise Interrupt


def same_files(first, second):
    """Require two runs to be the same, bit for bit."""
    assert (first / METRICS).read_text() == (second / METRICS).read_text()
    same_state(load_file(first / CHECKPOINT), load_file(second / CHECKPOINT))


def same_state(ours, theirs):
    """Require the tensors of two checkpoints to be the same, bit for bit."""
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        torch.testing.assert_close(
            value, theirs[name], rtol=0, atol=0, equal_nan=True, msg=name
        )
