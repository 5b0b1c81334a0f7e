"""All checks by the kind of sampler, in the order in which a report makes them."""

from collections.abc import Mapping

from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.suites.batches import BATCHES
from gumbel_tutorial.conformance.suites.independence import INDEPENDENCE
from gumbel_tutorial.conformance.suites.long_tails import LONG_TAILS
from gumbel_tutorial.conformance.suites.masks import MASKS
from gumbel_tutorial.conformance.suites.relaxed import RELAXED
from gumbel_tutorial.conformance.suites.scales import SCALES
from gumbel_tutorial.conformance.suites.seeds import SEEDS
from gumbel_tutorial.conformance.suites.small_laws import SMALL_LAWS
from gumbel_tutorial.conformance.suites.speculative import SPECULATIVE
from gumbel_tutorial.conformance.suites.tails import TAILS
from gumbel_tutorial.conformance.suites.ties import TIES
from gumbel_tutorial.conformance.suites.without_replacement import WITHOUT_REPLACEMENT

SUITES: Mapping[str, tuple[Check, ...]] = {
    "categorical": (
        *(SMALL_LAWS, LONG_TAILS),
        *SCALES,
        *MASKS,
        *TIES,
        *TAILS,
        *BATCHES,
        *INDEPENDENCE,
        *SEEDS,
    ),
    "without_replacement": WITHOUT_REPLACEMENT,
    "relaxed": RELAXED,
    "speculative": SPECULATIVE,
}
"""The checks of each kind.

:meta hide-value:
"""


def _told(check: Check) -> str:
    needs = f", where the sampler takes {', '.join(check.needs)}" if check.needs else ""
    return f"* {check.name}{needs}. It catches: {check.fault} Power {check.power:g}."


def _listed(kind: str) -> str:
    return "\n".join(
        [f"Of {kind.replace('_', ' ')} samplers:", "", *map(_told, SUITES[kind])]
    )


# The checks say themselves what they are; here, so that help() and the package page list them.
__doc__ = "\n\n".join([__doc__ or "", *map(_listed, SUITES)])
