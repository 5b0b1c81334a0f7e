"""Samplers of libraries, by name, in the form that :mod:`gumbel_tutorial.conformance` checks."""

from gumbel_tutorial.conformance.adapters.registry import Adapter, by_name, names

__all__ = ["Adapter", "by_name", "names"]
