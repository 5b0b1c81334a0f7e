"""All checks by the kind of sampler, in the order in which a report makes them."""

from collections.abc import Mapping

from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.suites.small_laws import SMALL_LAWS

SUITES: Mapping[str, tuple[Check, ...]] = {
    "categorical": (SMALL_LAWS,),
    "without_replacement": (),
    "relaxed": (),
    "speculative": (),
}
