"""The state of a run: it continues bit for bit, and a state that does not fit changes nothing."""

import pytest
import torch
from helpers.vae import CLASSES, trainer


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "gumbel_softmax"},
        {"estimator": "reinforce_moving_average", "model": "structured-prediction"},
        {"estimator": "relax", "binarisation": "dynamic", "learn_prior": True},
        {
            "estimator": "rloo",
            "hidden": (7,),
            "decoder_hidden": (5, 4),
            "decay": "second-half",
        },
        {**CLASSES, "estimator": "gumbel_softmax", "labelled_per_class": 3},
        {**CLASSES, "estimator": "reinforce_moving_average", "class_samples": 2},
    ],
)
def test_a_state_continues_bit_for_bit(settings):
    whole, first = trainer(**settings), trainer(**settings)
    expected = [whole.step() for _ in range(90)]
    for _ in range(70):  # beyond the end of an epoch of 65 steps
        first.step()
    state = {name: value.clone() for name, value in first.state().items()}
    second = trainer(**settings)
    for _ in range(3):
        second.step()
    second.load(state)
    assert [second.step() for _ in range(20)] == expected[70:]
    for name, value in whole.state().items():
        assert torch.equal(second.state()[name], value), name


def test_a_state_of_another_model_is_refused():
    run, other = trainer(), trainer(num_latents=4)
    with pytest.raises(ValueError, match="state must be that of this model, got"):
        run.load(other.state())
    with pytest.raises(ValueError, match="state must be that of this model"):
        run.load({"step": torch.tensor(3)})


def refused(run, state, message):
    before = run.state()
    with pytest.raises(
        ValueError, match=f"state must be that of this model, {message}"
    ):
        run.load(state)
    after = run.state()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_state_that_is_not_whole_is_refused_and_changes_nothing():
    run, other = trainer(), trainer()
    for each in (run, other, other):
        each.step()
    state = other.state()
    short = torch.zeros(3)
    for name in ("optimizer.0.exp_avg", "model.decoder.0.bias", "generator"):
        refused(
            run, {**state, name: short}, rf"got shape \(3,\) instead of .* in {name}"
        )
        missing = {key: value for key, value in state.items() if key != name}
        refused(run, missing, f"got no {name}")
    refused(run, {**state, "step": torch.tensor(2.0)}, "got torch.float32 instead of")
    for name in ("other", "model.other", "optimizer.99.exp_avg", "optimizer.x"):
        refused(run, {**state, name: short}, f"got an unknown {name}")
    bare = {k: v for k, v in state.items() if not k.startswith("optimizer")}
    refused(run, bare, "got no optimizer.0.exp_avg")
    run.load({**bare, "step": torch.tensor(0)})
    assert not run.optimizer.state
    run.load(state)
    assert run.steps_taken == 2


def test_a_state_shares_no_memory_with_the_run():
    run, other = trainer(), trainer()
    run.step()
    state = run.state()
    kept = {name: value.clone() for name, value in state.items()}
    other.load(state)
    for each in (run, other):
        each.step()
    assert all(torch.equal(value, kept[name]) for name, value in state.items())


@pytest.mark.parametrize("name", ["relax", "exact"])
def test_a_parameter_without_a_gradient_has_a_state(name):
    run, other = trainer(estimator=name), trainer(estimator=name)
    run.model.decoder.requires_grad_(False)
    run.step()
    other.load(run.state())
    assert other.step().step == 2


def test_a_state_of_an_earlier_version_continues_bit_for_bit():
    settings = {"estimator": "reinforce_moving_average"}
    run, other = trainer(**settings), trainer(**settings)
    for _ in range(5):
        run.step()
    state = run.state()
    earlier = {n.replace("estimators.", "surrogates."): v for n, v in state.items()}
    assert set(earlier) != set(state)
    other.load(earlier)
    assert [other.step() for _ in range(3)] == [run.step() for _ in range(3)]
