"""One estimator per layer: options that are for the caller, layers that suit it, and what it remembers."""

import pytest
import torch

from gumbel_tutorial.estimators import ESTIMATORS, get
from gumbel_tutorial.estimators.layers import (
    EstimatorLayers,
    check_options,
    minimises_multi_sample_bound,
    name_of,
)


def test_options_that_an_estimator_lacks_are_refused():
    with pytest.raises(TypeError, match="options must be among num_samples, got 'gap'"):
        EstimatorLayers("rloo", [(3, 2)], gap=1.0)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("gumbel_softmax", "temperature"),
        ("gumbel_rao", "temperature"),
        ("slope_annealed", "slope"),
    ],
)
def test_the_schedule_sets_what_options_may_not(name, option):
    (estimator,) = EstimatorLayers(name, [(3, 2)]).at(0.25)
    assert estimator.keywords[option] == (4 if option == "slope" else 0.25)
    message = f"options must leave the {option} of {name} to the temperature schedule"
    with pytest.raises(ValueError, match=f"{message}, got 0.3"):
        EstimatorLayers(name, [(3, 2)], **{option: 0.3})


def test_the_price_of_an_error_rises_as_the_temperature_falls_where_that_is_asked_for():
    (fixed,) = EstimatorLayers("mve", [(3, 2)], temperature=5.0).at(0.25)
    assert fixed.keywords == {"temperature": 5.0}
    (priced,) = EstimatorLayers("mve", [(3, 2)], anneal_price=True).at(0.25)
    assert priced.keywords == {"temperature": 4.0}
    with pytest.raises(ValueError, match="anneal_price must be False with reinmax"):
        EstimatorLayers("reinmax", [(3, 2)], anneal_price=True)
    with pytest.raises(ValueError, match="options must leave the temperature of mve"):
        check_options("mve", {"temperature": 5.0}, anneal_price=True)


def test_estimators_that_a_model_cannot_have_are_refused():
    with pytest.raises(ValueError, match="estimator must not be vimco with several"):
        EstimatorLayers("vimco", [(2, 3), (2, 3)])
    assert EstimatorLayers("vimco", [(2, 3)]).multi_sample
    for name in ("arm", "disarm"):
        with pytest.raises(
            ValueError, match=f"num_categories must be 2 with {name}, got 3"
        ):
            EstimatorLayers(name, [(2, 3)])


@pytest.mark.parametrize("option", ["control", "parameters"])
def test_what_each_layer_has_for_itself_is_not_an_option(option):
    message = f"options must not set the {option} of relax, got 1.0"
    with pytest.raises(ValueError, match=message):
        check_options("relax", {option: 1.0})
    with pytest.raises(ValueError, match=message):
        EstimatorLayers("relax", [(3, 2)], **{option: 1.0})


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_an_estimator_has_its_name_whatever_is_set_on_it(name):
    num_categories = 2 if name in ("arm", "disarm") else 3
    (estimator,) = EstimatorLayers(name, [(4, num_categories)]).at(0.5)
    for same in (estimator, get(name).function, get(name).prepare()):
        assert name_of(same) == name
        assert minimises_multi_sample_bound(same) == (name == "vimco")


def test_a_function_that_is_no_estimator_has_no_name():
    assert name_of(lambda f, logits, **_: f(logits)) is None


def test_what_the_layers_remember_is_in_their_state(torch_generator):
    layers, others = (
        EstimatorLayers("reinforce_moving_average", [(4, 3), (4, 3)]) for _ in range(2)
    )
    first, _ = layers.at(1.0)
    logits = torch.zeros(5, 4, 3)
    first(lambda z: z[..., 0].sum(-1) + 7, logits, generator=torch_generator)
    others.load_state_dict(layers.state_dict())
    values = [each.keywords["baseline"].value for each in others.at(1.0)]
    assert values[0] == layers.at(1.0)[0].keywords["baseline"].value > 6
    assert values[1] is None
