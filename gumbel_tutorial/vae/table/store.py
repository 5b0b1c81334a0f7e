"""The record of the table: a folder with one JSON file for each run."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gumbel_tutorial.vae.runs.config import from_json
from gumbel_tutorial.vae.training.checkpoint import write_whole

_KINDS: Mapping[str, Any] = {
    "column": str,
    "row": str,
    "learning_rate": float,
    "seed": int,
    "validation": float | None,
    "config": dict,
}


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the runs of a record, by task, estimator, what may be chosen, and seed.

    Raises:
        FileNotFoundError: there is no such folder.
        NotADirectoryError: it is a file.
        ValueError: a file in it holds no run, by name.
    """
    if not folder.is_dir():
        kind = NotADirectoryError if folder.exists() else FileNotFoundError
        raise kind(f"record must be a folder of runs, got {folder}")
    runs = [_read_run(path) for path in sorted(folder.glob("*.json"))]
    return sorted(runs, key=_place)


def _place(run: Mapping[str, Any]) -> tuple[Any, ...]:
    chosen = run["learning_rate"], run.get("alpha") or 0.0
    return run["column"], run["row"], *chosen, run["seed"]


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        _check_run(run)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} must hold a run of the table, got {error}") from error
    return run


def _check_run(run: Any) -> None:
    """Require what the table reads of a run."""
    for key, kind in _KINDS.items():
        if not isinstance(run[key], kind):
            raise TypeError(f"{key} {run[key]!r}")
    # Runs of tasks that choose none may lack it.
    if not isinstance(run.get("alpha"), float | None):
        raise TypeError(f"alpha {run['alpha']!r}")
    from_json(run["config"])
    if run["validation"] is not None:
        if run["config"].get("binarisation") == "grey":
            run["test"]["grey_loss"] + sum(run["validation_curve"])
        else:
            run["test"]["multi_sample"] + run["test"]["one_sample"]
            run["test"]["num_samples"] + 0
        if run["config"].get("model") == "semi-supervised":
            run["accuracy"] + run["labels_alone"]


def write(folder: Path, run: Mapping[str, Any]) -> Path:
    """Write a run into a record, whole, and return its file."""
    path = folder / name_of(run)
    write_whole(path, (json.dumps(run, indent=1) + "\n").encode())
    return path


def name_of(run: Mapping[str, Any]) -> str:
    """Return the name of a run's file: what it is, and a digest of what made it.

    Examples:
        >>> name_of({"column": "SBN (Cat.)", "row": "RLOO", "learning_rate": 0.001, "seed": 0, "config": {}})
        'sbn-cat_rloo_rate-0.001_seed-0_....json'
    """
    made_by = [run["config"], run.get("test", {}).get("num_samples")]
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
    column, row = (
        re.sub(r"[^a-z0-9]+", "-", run[key].lower()).strip("-")
        for key in ("column", "row")
    )
    alpha = run.get("alpha")
    chosen = f"rate-{run['learning_rate']}"
    if alpha is not None:
        chosen += f"_alpha-{alpha}"
    return f"{column}_{row}_{chosen}_seed-{run['seed']}_{digest[:8]}.json"
