"""The whole state of a run as tensors by name, and back."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.vae.training.processes import ALONE, Processes

# The estimators' tensors had this prefix in checkpoints of earlier versions.
_FORMER = "surrogates."


class Parts(NamedTuple):
    """The parts of a run that have a state, apart from its number of steps.

    Attributes:
        model: the weights, the same in all processes.
        estimators: their weights are the same too, and what they remember of losses is each process's own.
        optimizer: Adam, whose moments are the same.
        generator: the process's own.
        processes: the processes of the run.
    """

    model: nn.Module
    estimators: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    processes: Processes


def to_tensors(parts: Parts, steps_taken: int) -> dict[str, torch.Tensor]:
    """Return everything that the rest of a run depends on, as copies; all processes have to ask for it."""
    tensors = {"step": torch.tensor(steps_taken)}
    for prefix, module in (("model", parts.model), ("estimators", parts.estimators)):
        for name, value in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = value.clone()
    for rank, own in enumerate(parts.processes.gather(_own(parts))):
        tensors |= {_name_of(name, rank): value for name, value in own.items()}
    # A parameter that has had no gradient has the moments that Adam begins with.
    moments = _first_moments(parts.optimizer) if steps_taken > 0 else {}
    for number, of_one in parts.optimizer.state_dict()["state"].items():
        for name, value in of_one.items():
            moments[f"optimizer.{number}.{name}"] = value.clone()
    return tensors | moments


def from_tensors(parts: Parts, tensors: Mapping[str, torch.Tensor]) -> int:
    """Give a run back the state that tensors hold, which are copied; return the number of its steps.

    Raises:
        ValueError: a tensor is missing, unknown, or of another shape or dtype; the state is that of another
            number of processes. Nothing has changed.
    """
    tensors = {_now(name): value for name, value in tensors.items()}
    _check_processes(parts.processes, tensors)
    _check(parts, tensors)
    rank = parts.processes.rank
    try:
        parts.generator.set_state(tensors[_name_of("generator", rank)].cpu())
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"state must be that of this model, got {reason}") from error
    parts.model.load_state_dict(_under("model.", tensors))
    own = f"{_name_of('estimators', rank)}."
    remembered = _under("estimators.", tensors) | _under(own, tensors)
    parts.estimators.load_state_dict(remembered)
    _load_moments(parts.optimizer, _under("optimizer.", tensors))
    return int(tensors["step"])


def _own(parts: Parts) -> dict[str, torch.Tensor]:
    """Return the tensors that belong to this process alone."""
    memory = parts.estimators.state_dict()["_extra_state"]
    return {
        "generator": parts.generator.get_state(),
        "estimators._extra_state": memory.clone(),
    }


def _name_of(name: str, rank: int) -> str:
    """Return the name of a process's own tensor; the first has those of a run of one process."""
    return name if rank == 0 else f"process.{rank}.{name}"


def _now(name: str) -> str:
    former = name.startswith(_FORMER)
    return f"estimators.{name.removeprefix(_FORMER)}" if former else name


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _check_processes(processes: Processes, tensors: Mapping[str, torch.Tensor]) -> None:
    """Require the number of processes that the run has had: each has noise of its own."""
    others = {n.split(".")[1] for n in tensors if n.startswith("process.")}
    if 1 + len(others) != processes.count:
        refuse("processes", f"be {1 + len(others)}, as the run began", processes.count)


def _check(parts: Parts, tensors: Mapping[str, torch.Tensor]) -> None:
    """Require the tensors of a state of this run; fused Adam reads moments of any shape unchecked."""
    expected = _expected(parts)
    begun = (tensors.get("step", torch.tensor(0)) != 0).any()
    if begun or any(name.startswith("optimizer.") for name in tensors):
        expected |= _first_moments(parts.optimizer)
    for name in sorted(set(expected) | set(tensors)):
        fault = _fault(tensors.get(name), expected.get(name))
        if fault:
            refuse("state", "be that of this model", f"{fault} {name}")


def _expected(parts: Parts) -> dict[str, torch.Tensor]:
    """Return tensors of the names, shapes and dtypes of a state before the first step."""
    own, alone = _own(parts), parts._replace(processes=ALONE)
    state = to_tensors(alone, 0)
    for rank in range(1, parts.processes.count):
        state |= {_name_of(name, rank): value for name, value in own.items()}
    return {k: v for k, v in state.items() if not k.startswith("optimizer.")}


def _first_moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the moments that Adam begins with, of every parameter."""
    moments = {}
    for number, parameter in enumerate(optimizer.param_groups[0]["params"]):
        start = torch.zeros_like(parameter, requires_grad=False)
        moments[f"optimizer.{number}.step"] = torch.zeros(())
        moments[f"optimizer.{number}.exp_avg"] = start
        moments[f"optimizer.{number}.exp_avg_sq"] = start
    return moments


def _load_moments(
    optimizer: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor]
) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _fault(found: torch.Tensor | None, expected: torch.Tensor | None) -> str:
    """Return what is wrong with a tensor of a state, or nothing."""
    if found is None:
        return "no"
    if expected is None:
        return "an unknown"
    if found.shape != expected.shape:
        return f"shape {tuple(found.shape)} instead of {tuple(expected.shape)} in"
    if found.dtype != expected.dtype:
        return f"{found.dtype} instead of {expected.dtype} in"
    return ""
