"""The published comparison, repeated: tasks, estimators, and the record of the runs."""

from gumbel_tutorial.checks import needing

with needing(__name__, "vae"):
    import torch  # noqa: F401


from gumbel_tutorial.vae.table.store import read, write
from gumbel_tutorial.vae.table.study import Place, make_run, make_runs
from gumbel_tutorial.vae.table.tasks import (
    COLUMNS,
    PUBLISHED,
    PUBLISHED_CLASSES,
    PUBLISHED_GREY,
    ROWS,
    Column,
    Job,
)
from gumbel_tutorial.vae.table.view import (
    at_once,
    averages,
    behind,
    best_choice,
    best_rate,
    collect,
    compare,
    compare_classes,
    compare_grey,
    compare_published,
    complete,
    current_runs,
    decodings,
    grey_loss,
    late_fall,
    leading,
    lost_classes,
    multi_sample,
    one_sample,
    passes,
    percent_by_labels,
    percent_right,
    rate_gains,
    step_milliseconds,
    told_apart,
)

__all__ = [
    "COLUMNS",
    "PUBLISHED",
    "PUBLISHED_CLASSES",
    "PUBLISHED_GREY",
    "ROWS",
    "Column",
    "Job",
    "Place",
    "at_once",
    "averages",
    "behind",
    "best_choice",
    "best_rate",
    "collect",
    "compare",
    "compare_classes",
    "compare_grey",
    "compare_published",
    "complete",
    "current_runs",
    "decodings",
    "grey_loss",
    "late_fall",
    "leading",
    "lost_classes",
    "make_run",
    "make_runs",
    "multi_sample",
    "one_sample",
    "passes",
    "percent_by_labels",
    "percent_right",
    "rate_gains",
    "read",
    "step_milliseconds",
    "told_apart",
    "write",
]
