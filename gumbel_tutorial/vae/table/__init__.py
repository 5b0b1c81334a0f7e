"""The published comparison, repeated: tasks, estimators, and the record of the runs."""
