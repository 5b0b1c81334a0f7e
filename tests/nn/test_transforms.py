"""What transforms, traces, fakes, exports, compiles or re-runs a function, on torch's function and on ours.

Each test holds for ``torch.nn.functional.gumbel_softmax`` first; where it cannot, it says so.
"""

import copy
import io
import pickle
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import package
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, linearize, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torch.utils.flop_counter import FlopCounterMode

import gumbel_tutorial as gt

X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
W = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
# of torch's own function, hard and mapped
SCATTER_ = pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
FUNCTIONS = {"torch": F.gumbel_softmax, "ours": gt.nn.gumbel_softmax}


@pytest.fixture(params=[False, True], ids=["soft", "hard"])
def hard(request):
    return request.param


@pytest.fixture(params=FUNCTIONS)
def function(request):
    return FUNCTIONS[request.param]


@pytest.fixture
def call(function, hard):
    """Return the function as one of logits, at a temperature, soft or hard."""
    return lambda logits, tau=0.5, dim=-1: function(logits, tau, hard, dim=dim)


def seeded(function, *arguments):
    torch.manual_seed(0)
    return function(*arguments)


def assert_same(transformed, original, *arguments):
    torch.testing.assert_close(
        seeded(transformed, *arguments), seeded(original, *arguments)
    )


class Net(torch.nn.Module):
    def __init__(self, call):
        super().__init__()
        self.linear, self.call = torch.nn.Linear(3, 5, dtype=torch.float64), call

    def forward(self, inputs):
        return self.call(self.linear(inputs))


@pytest.fixture
def jacobian(call):
    """Return the derivative of the seeded sample, row by row of the backward pass."""
    leaf = X.clone().requires_grad_()
    sample = seeded(call, leaf)
    rows = [
        torch.autograd.grad(entry, leaf, retain_graph=True)[0]
        for entry in sample.flatten()
    ]
    assert torch.stack(rows).abs().sum() > 1
    return torch.stack(rows).reshape(*X.shape, *X.shape)


def backward(jacobian, slope):
    return torch.einsum("abcd,ab->cd", jacobian, slope)


def forward(jacobian, tangent):
    return torch.einsum("abcd,cd->ab", jacobian, tangent)


# torch.fx and proxies


def test_a_symbolic_trace_keeps_the_call_as_one_node(call, function):
    module = torch.fx.symbolic_trace(call)
    assert [n.target for n in module.graph.nodes if n.op == "call_function"] == [
        function
    ]
    assert_same(module, call, X)
    assert_same(torch.fx.Interpreter(module).run, call, X)


def test_a_symbolic_trace_takes_proxies_for_every_argument(function, hard):
    def traced(logits, tau, dim):
        return function(logits=logits, tau=tau, hard=hard, dim=dim)

    module = torch.fx.symbolic_trace(traced)
    assert_same(module, traced, X, 0.5, 0)
    shaped = torch.fx.symbolic_trace(lambda x: function(x, x.shape[-1] ** 0.5, hard))
    assert shaped(X).shape == X.shape


def test_a_proxy_may_stand_for_the_temperature_alone():
    # torch's own takes part of itself apart here, and keeps its noise as a constant.
    module = torch.fx.symbolic_trace(lambda tau: gt.nn.gumbel_softmax(X, tau))
    assert_same(module, lambda tau: gt.nn.gumbel_softmax(X, tau), 0.5)


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx_traces_it(call, mode):
    assert_same(make_fx(lambda logits: call(logits), tracing_mode=mode)(X), call, X)


def test_a_symbolic_graph_takes_other_shapes_and_a_symbolic_temperature(call):
    graph = make_fx(
        lambda logits: call(logits, logits.shape[0] * 0.5), tracing_mode="symbolic"
    )(X)
    assert_same(graph, lambda logits: call(logits, 2.0), X)
    assert graph(X.repeat(3, 1)).shape == (12, 3)


def test_a_graph_traced_without_gradients_has_them_later(call):
    graph = make_fx(lambda logits: call(logits))(X)
    leaf = X.clone().requires_grad_()
    (graph(leaf) * W).sum().backward()
    assert leaf.grad.abs().sum() > 0


def test_a_gradient_is_traced(call):
    def slope(logits):
        return torch.autograd.grad((call(logits) * W).sum(), logits)[0]

    leaf = X.clone().requires_grad_()
    assert_same(make_fx(slope)(leaf), slope, leaf)


def test_aot_function_traces_both_passes(call):
    from functorch.compile import aot_function, nop

    leaf = X.clone().requires_grad_()
    (aot_function(call, fw_compiler=nop)(leaf) * W).sum().backward()
    assert leaf.grad.abs().sum() > 0


# tensors without values


def test_fake_tensors_pass(call):
    mode = FakeTensorMode()
    with mode:
        assert call(torch.empty(4, 3, device="cuda")).device.type == "cuda"
        assert call(torch.empty(4, 3), torch.empty(4, 1)).shape == (4, 3)
        leaf = torch.empty(4, 3, requires_grad=True)
        assert torch.autograd.grad(call(leaf).sum(), leaf)[0].shape == (4, 3)
        assert call(mode.from_tensor(X)).shape == X.shape


def test_fake_tensors_pass_outside_of_their_mode(call):
    assert call(FakeTensorMode().from_tensor(X)).shape == X.shape


def test_meta_tensors_pass(call):
    sample = call(X.to("meta"), torch.empty((), device="meta"))
    assert (sample.shape, sample.is_meta) == (X.shape, True)


def test_a_default_device_is_no_business_of_the_noise(call):
    with torch.device("meta"):
        assert not call(X).is_meta
        assert call(torch.empty(2, 3)).is_meta


# compilers


@pytest.fixture
def compiler():
    """Forget what other tests compiled, since recompilations of one function are limited."""
    torch.compiler.reset()
    return lambda function, **options: torch.compile(
        function, fullgraph=True, **{"backend": "eager", **options}
    )


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "dynamic"), [("eager", None), ("aot_eager", True)])
def test_it_compiles_in_one_graph(compiler, call, backend, dynamic):
    compiled = compiler(call, backend=backend, dynamic=dynamic)
    for shape in ((4, 3), (5, 3), (7, 3), (4, 20)):
        leaf = torch.zeros(shape, requires_grad=True)
        (compiled(leaf) * torch.arange(shape[1])).sum().backward()
        assert leaf.grad.abs().sum() > 0
    assert compiled(X, torch.tensor(0.7)).shape == X.shape
    assert compiled(X, 1, 0).shape == X.shape


def test_a_compiled_temperature_may_depend_on_the_shape(compiler, call):
    compiled = compiler(lambda logits: call(logits, logits.shape[0]), dynamic=True)
    assert compiled(X).shape == X.shape
    assert compiled(X[:2]).shape == (2, 3)


@SCATTER_
def test_transforms_of_it_compile(compiler, call):
    rowwise = vmap(grad(lambda row: call(row).square().sum()), randomness="different")
    assert compiler(rowwise)(X).isfinite().all()
    again = compiler(
        lambda logits: checkpoint(call, logits, use_reentrant=False),
        backend="aot_eager",
    )
    leaf = X.clone().requires_grad_()
    (again(leaf) * W).sum().backward()
    assert leaf.grad.abs().sum() > 0


def test_noise_and_masks_compile(compiler):
    mask = torch.tensor([True, True, False])
    gumbels = gt.gumbel_like(X)
    compiled = compiler(gt.nn.gumbel_softmax)
    sample = compiled(X, 0.5, noise=gumbels, mask=mask)
    expected = gt.nn.gumbel_softmax(X, 0.5, noise=gumbels, mask=mask)
    torch.testing.assert_close(sample, expected)


@pytest.mark.parametrize(
    "sampler",
    [
        lambda x: gt.nn.straight_through(logits=x),
        lambda x: gt.nn.straight_through(probs=x.softmax(-1)),
        gt.nn.reinmax,
        gt.nn.gumbel_rao,
        gt.nn.gapped_straight_through,
        gt.nn.harden,
    ],
)
def test_the_other_samplers_compile_trace_and_map(compiler, sampler):
    leaf = X.clone().requires_grad_()
    (compiler(sampler)(leaf) * W).sum().backward()
    assert leaf.grad.abs().sum() > 0
    assert_same(torch.fx.symbolic_trace(lambda x: sampler(x)), sampler, X)
    assert_same(make_fx(lambda x: sampler(x))(X), sampler, X)
    assert vmap(sampler, randomness="different")(X).shape == X.shape
    assert sampler(X.to("meta")).is_meta


def test_torch_takes_no_generator_into_a_full_graph(compiler):
    for draw in (
        gt.nn.gumbel_softmax,
        lambda x, generator: x + torch.rand(3, generator=generator),
    ):
        with pytest.raises(torch._dynamo.exc.Unsupported):
            compiler(draw)(X, generator=torch.Generator())


@pytest.mark.parametrize("strict", [True, False])
def test_it_exports(call, strict):
    net = Net(call)
    program = torch.export.export(net, (X,), strict=strict)
    assert_same(program.module(), net, X)
    (program.module()(X) ** 2).sum().backward()
    assert net.linear.weight.grad is not None


class Call(torch.nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, logits, tau):
        return self.call(logits, tau)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.isinstance.treespec:FutureWarning")
@pytest.mark.parametrize("strict", [True, False])
def test_it_exports_with_other_shapes_and_temperatures(call, strict):
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("categories")}
    program = torch.export.export(
        Call(call),
        (X, torch.tensor(0.5)),
        strict=strict,
        dynamic_shapes={"logits": sizes, "tau": None},
    )
    file = io.BytesIO()
    torch.export.save(program.run_decompositions(), file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    assert loaded(torch.zeros(9, 30).double(), torch.tensor(2.0)).shape == (9, 30)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_it_traces_for_torchscript(call):
    traced = torch.jit.trace(call, X, check_trace=False)
    assert_same(traced, call, X)
    leaf = X.clone().requires_grad_()
    (traced(leaf) * W).sum().backward()
    assert leaf.grad.abs().sum() > 0
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    assert_same(torch.jit.load(file), call, X)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchs_script_compiler_refuses_keyword_only_arguments():
    with pytest.raises(torch.jit.frontend.NotSupportedError, match="keyword-only"):
        torch.jit.script(gt.nn.gumbel_softmax)


# torch.func and other derivatives


def test_derivatives_of_torch_func_are_those_of_autograd(call, jacobian):
    assert_close = torch.testing.assert_close
    loss = grad(lambda logits: (call(logits) * W).sum())
    assert_close(seeded(loss, X), backward(jacobian, W))
    assert_close(seeded(lambda x: vjp(call, x)[1](W)[0], X), backward(jacobian, W))
    assert_close(seeded(lambda x: jvp(call, (x,), (W,))[1], X), forward(jacobian, W))
    assert_close(seeded(jacrev(call), X), jacobian)
    assert_close(seeded(jacfwd(call, randomness="same"), X), jacobian)


@pytest.mark.filterwarnings("ignore:Attempted to insert:UserWarning")
def test_a_linearised_draw_needs_noise_as_an_argument(function, hard):
    def along(sample):
        return (sample * (W - (sample * W).sum(-1, keepdim=True))) / 0.5

    # It draws twice, torch's own too: the value and the derivative belong to other samples.
    sample, push = linearize(lambda logits: function(logits, 0.5), X)
    assert (push(W) - along(sample)).abs().max() > 1e-3
    gumbels = gt.gumbel_like(X)
    soft = gt.nn.gumbel_softmax(X, 0.5, noise=gumbels)
    _, push = linearize(
        lambda logits: gt.nn.gumbel_softmax(logits, 0.5, hard, noise=gumbels), X
    )
    torch.testing.assert_close(push(W), along(soft))


def test_forward_mode_is_the_derivative_of_autograd(call, jacobian):
    with forward_ad.dual_level():
        sample = seeded(call, forward_ad.make_dual(X, W))
        tangent = forward_ad.unpack_dual(sample).tangent
    torch.testing.assert_close(tangent, forward(jacobian, W))


def test_second_derivatives_agree_between_modes(call):
    def loss(logits):
        return (call(logits) ** 3).sum()

    hessian = seeded(jacrev(jacrev(loss)), X)
    mixed = seeded(jacfwd(jacrev(loss), randomness="same"), X)
    assert hessian.abs().sum() > 0
    torch.testing.assert_close(hessian, mixed)


def test_numerical_derivatives_agree(function):
    leaf = X.clone().requires_grad_()

    def sample(logits):
        return seeded(function, logits, 0.5)

    torch.autograd.gradcheck(sample, leaf, check_forward_ad=True)
    torch.autograd.gradgradcheck(
        sample, leaf, check_fwd_over_rev=True, check_rev_over_rev=True
    )


def test_numerical_derivatives_agree_in_every_way_with_noise_as_an_argument():
    gumbels = gt.gumbel_like(X)
    tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def sample(logits, tau):
        return gt.nn.gumbel_softmax(logits, tau, noise=gumbels)

    torch.autograd.gradcheck(
        sample,
        (X.clone().requires_grad_(), tau),
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


def test_autograd_functional(call, jacobian):
    functional = torch.autograd.functional

    def sample(logits):
        return seeded(call, logits)

    def loss(logits):
        return (sample(logits) ** 2).sum()

    assert_close = torch.testing.assert_close
    assert_close(functional.jacobian(sample, X), jacobian)
    assert_close(functional.jacobian(sample, X, vectorize=True), jacobian)
    assert_close(functional.jvp(sample, X, W)[1], forward(jacobian, W))
    assert_close(functional.vjp(sample, X, W)[1], backward(jacobian, W))
    products = [f(loss, X, W)[1] for f in (functional.vhp, functional.hvp)]
    assert_close(*products)


@SCATTER_
@pytest.mark.parametrize("randomness", ["different", "same"])
def test_it_maps(call, randomness):
    options = {"randomness": randomness}
    rows = vmap(call, **options)(X.expand(5, 4, 3))
    assert rows.shape == (5, 4, 3)
    assert bool((rows[0] == rows[1]).all()) == (randomness == "same")
    assert vmap(call, in_dims=1, out_dims=1, **options)(X).shape == X.shape
    assert vmap(call, **options)(X, torch.ones(4)).shape == X.shape
    assert vmap(vmap(call, **options), **options)(X[None]).shape == (1, 4, 3)
    assert vmap(grad(lambda x: call(x)[0]), **options)(X).isfinite().all()


def test_without_a_choice_of_randomness_vmap_refuses(call):
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(call)(X)


def test_it_maps_over_temperatures():
    # torch's own refuses to draw other noise for every temperature.
    taus = torch.tensor([0.1, 10.0])
    samples = vmap(lambda tau: gt.nn.gumbel_softmax(X, tau), randomness="different")
    assert samples(taus).shape == (2, 4, 3)


@SCATTER_
def test_functional_calls_and_ensembles(call):
    nets = [Net(call) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(nets)
    ensemble = vmap(
        lambda p, b: functional_call(nets[0], (p, b), (X,)), randomness="different"
    )
    assert ensemble(parameters, buffers).shape == (3, 4, 5)
    slopes = grad(lambda p: (functional_call(nets[0], p, (X,)) ** 2).sum())(
        dict(nets[0].named_parameters())
    )
    assert slopes["linear.weight"].abs().sum() > 0
    assert torch.func.functionalize(call)(X).shape == X.shape


# what runs a function again


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpointing_gives_the_same_gradient(call, use_reentrant):
    def slope(again):
        leaf = X.clone().requires_grad_()
        (seeded(again, leaf) * W).sum().backward()
        return leaf.grad

    def again(logits):
        return checkpoint(call, logits, use_reentrant=use_reentrant)

    torch.testing.assert_close(slope(again), slope(call))


@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize(
    "sampler",
    [
        gt.nn.gumbel_softmax,
        gt.nn.reinmax,
        gt.nn.gumbel_rao,
        gt.nn.gapped_straight_through,
        lambda x, **more: gt.nn.straight_through(logits=x, **more),
        lambda x, **more: gt.nn.straight_through(probs=x.softmax(-1), **more),
    ],
)
def test_checkpointing_refuses_a_generator(sampler, use_reentrant):
    generator = torch.Generator()
    leaf = X.clone().requires_grad_()
    with pytest.raises(ValueError, match="draw the noise outside"):
        checkpoint(
            lambda x: sampler(x, generator=generator), leaf, use_reentrant=use_reentrant
        )
    assert sampler(X, generator=generator).shape == X.shape


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpointing_takes_noise(hard, use_reentrant):
    gumbels = gt.gumbel_like(X)

    def sample(logits):
        return gt.nn.gumbel_softmax(logits, 0.5, hard, noise=gumbels)

    first, second = (X.clone().requires_grad_() for _ in range(2))
    # Without torch's care for its generators noise is all that makes the runs agree.
    again = checkpoint(
        sample, first, use_reentrant=use_reentrant, preserve_rng_state=False
    )
    (again * W).sum().backward()
    (sample(second) * W).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)


def test_checkpointed_sequences_run(call):
    net = [Net(call), torch.nn.Linear(5, 2, dtype=torch.float64)]
    leaf = X.clone().requires_grad_()
    checkpoint_sequential(net, 2, leaf, use_reentrant=False).sum().backward()
    assert leaf.grad.isfinite().all()


# what stands in for a tensor, or looks over a function's shoulder


class Watched(torch.Tensor):
    seen: ClassVar[list] = []

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        cls.seen.append(function)
        return super().__torch_function__(function, types, args, kwargs or {})


def test_subclasses_and_modes_see_the_call_itself(call, function):
    Watched.seen = []
    sample = call(X.as_subclass(Watched))
    assert type(sample) is Watched
    assert Watched.seen[0] is function

    seen = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append(function)
            return function(*args, **(kwargs or {}))

    with Mode():
        call(X)
    assert seen == [function]


def test_any_tensor_argument_may_take_the_call_over():
    one = torch.tensor(1.0).as_subclass(Watched)
    allowed = torch.ones(3, dtype=torch.bool).as_subclass(Watched)
    gumbels = gt.gumbel_like(X).as_subclass(Watched)
    for more in ({"tau": one}, {"mask": allowed}, {"noise": gumbels}):
        Watched.seen = []
        assert type(gt.nn.gumbel_softmax(X, **more)) is Watched
        assert Watched.seen[0] is gt.nn.gumbel_softmax
    Watched.seen = []
    gt.nn.reinmax(X, noise=gumbels)
    assert Watched.seen[0] is gt.nn.reinmax


def test_dispatch_modes_run(call):
    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            return function(*args, **(kwargs or {}))

    with Mode():
        assert_same(call, call, X)
    with FlopCounterMode(display=False):
        assert call(X).shape == X.shape


def test_modes_of_autograd_run(call):
    leaf = X.clone().requires_grad_()
    expected = torch.autograd.grad((seeded(call, leaf) * W).sum(), leaf)[0]
    with (
        torch.autograd.graph.save_on_cpu(),
        torch.autograd.graph.allow_mutation_on_saved_tensors(),
        torch.autograd.set_multithreading_enabled(False),
    ):
        slope = torch.autograd.grad((seeded(call, leaf) * W).sum(), leaf)[0]
    torch.testing.assert_close(slope, expected)
    with torch.inference_mode():
        inside = torch.randn(2, 3)
        assert call(inside, torch.tensor(0.5)).is_inference()
    assert call(inside).shape == (2, 3)
    with torch.no_grad():
        assert not call(leaf).requires_grad


def test_deterministic_mode_runs_both_passes(call):
    torch.use_deterministic_algorithms(True)
    try:
        leaf = X.clone().requires_grad_()
        (call(leaf) * W).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert leaf.grad.abs().sum() > 0


def test_layouts_in_memory_run(call):
    pixels = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert call(pixels, 0.5, 1).shape == pixels.shape
    assert call(torch.zeros(1, 3).expand(5, 3)).shape == (5, 3)
    assert call(torch._neg_view(X)).shape == X.shape
    assert call(torch.tensor(0.0)) == 1
    assert call(torch.zeros(0, 3)).shape == (0, 3)


def test_parameters_copies_pickles_and_packages(call, function):
    parameter = torch.nn.Parameter(X.clone())
    tau = torch.nn.Parameter(torch.tensor(0.5))
    (call(parameter, tau) * W).sum().backward()
    assert parameter.grad.abs().sum() > 0
    assert tau.grad.abs() > 0
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    file = io.BytesIO()
    with package.PackageExporter(file) as exporter:
        exporter.extern(["**"])
        exporter.save_pickle("model", "model.pkl", function)
    file.seek(0)
    assert package.PackageImporter(file).load_pickle("model", "model.pkl") is function


def test_replicas_run(call):
    assert torch.nn.DataParallel(Net(call))(X).shape == (4, 5)
    traced = torch.fx.symbolic_trace(Net(call))
    assert copy.deepcopy(traced)(X).shape == (4, 5)
