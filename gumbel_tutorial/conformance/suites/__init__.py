"""All checks by the kind of sampler, in the order in which a report makes them."""

from collections.abc import Mapping

from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.suites.masks import MASKS
from gumbel_tutorial.conformance.suites.relaxed import RELAXED
from gumbel_tutorial.conformance.suites.small_laws import SMALL_LAWS
from gumbel_tutorial.conformance.suites.speculative import SPECULATIVE
from gumbel_tutorial.conformance.suites.without_replacement import WITHOUT_REPLACEMENT

SUITES: Mapping[str, tuple[Check, ...]] = {
    "categorical": (SMALL_LAWS, *MASKS),
    "without_replacement": WITHOUT_REPLACEMENT,
    "relaxed": RELAXED,
    "speculative": SPECULATIVE,
}
