"""Validation as it is at the start: the first ``torch.compile`` of a process turns torch's default off."""

import pytest
from torch.distributions import Distribution


@pytest.fixture(autouse=True)
def _validation():
    Distribution.set_default_validate_args(True)
