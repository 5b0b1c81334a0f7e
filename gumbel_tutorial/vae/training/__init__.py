"""Training: a step, a run in memory, checkpoints, evaluation."""
