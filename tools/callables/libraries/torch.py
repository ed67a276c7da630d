"""torch: tensors, parameters, modules and optimizers, pickled and saved by torch.save."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import pickle
import warnings
import zipfile
from collections.abc import Iterator

import torch
import torch.ao.nn.intrinsic
import torch.ao.nn.quantizable
import torch.ao.quantization
import torch.nn.utils.prune as prunes
import torch.optim.swa_utils
from collect import Library, Use

# What a saved tensor calls. Each makes a tensor of storages; none opens or loads anything.
REBUILDERS = [
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor",
    "_rebuild_qtensor",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_nested_tensor",
    "_rebuild_device_tensor_from_numpy",
]
# Functions of tensors that layers are given; they compute, and open or import nothing.
FUNCTIONALS = (  # noqa: SIM905 - read as a list of words
    "relu relu6 relu_ gelu silu mish elu selu celu glu leaky_relu softplus softsign "
    "softmax log_softmax logsigmoid sigmoid tanh tanhshrink hardtanh hardswish "
    "hardsigmoid hardshrink prelu rrelu threshold normalize cosine_similarity "
    "pairwise_distance mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss "
    "binary_cross_entropy kl_div binary_cross_entropy_with_logits dropout linear conv1d "
    "conv2d max_pool2d avg_pool2d adaptive_avg_pool2d interpolate pad one_hot embedding "
    "layer_norm batch_norm"
).split()
FUNCTIONS = (  # noqa: SIM905 - read as a list of words
    "relu tanh sigmoid softmax log_softmax exp expm1 log log1p log2 log10 abs neg sqrt "
    "rsqrt square pow sin cos tan atan sinh cosh erf erfc sign floor ceil round clamp sum "
    "mean prod std var max min argmax argmin amax amin norm matmul mm bmm dot add sub mul "
    "div cat stack squeeze unsqueeze flatten transpose permute reshape where zeros ones "
    "zeros_like ones_like eye full arange linspace tensor relu_ celu selu rrelu prelu "
    "hardshrink cosine_similarity logsumexp maximum minimum isnan isfinite nan_to_num"
).split()


def make() -> Library:
    """The list, from what torch.save writes of every layer."""
    library = Library(
        file="torch.json",
        name="torch",
        distribution="torch",
        prefixes=("torch",),
        how="tools/callables/make.py torch: tensors of every type, every layer of torch.nn and the"
        " optimizers' state, written by torch.save; storages and rebuilding functions by name",
        reasons={f"torch._utils.{name}": "makes a tensor of storages" for name in REBUILDERS},
        most={
            # Called only by way of getattr, for a bound method.
            f"torch.optim.{name}": Use.MAKE
            for name in ("lr_scheduler.CyclicLR", "swa_utils.SWALR")
        },
        never=frozenset(
            {
                # It runs the source text that it is given.
                "torch.fx.graph_module.reduce_graph_module",
                "torch.ScriptObject",
            }
        ),
    )
    for value in objects():
        library.observe_data(saved(value), f"torch {type(value).__name__}")
        with contextlib.suppress(Exception):
            library.observe_data(pickle.dumps(value, 4), f"torch pickled {type(value).__name__}")
    for name in REBUILDERS:
        if hasattr(importlib.import_module("torch._utils"), name):
            library.note("torch._utils", name, Use.CALL)
    for name in dir(torch):
        if name.endswith("Storage") or isinstance(getattr(torch, name), torch.dtype):
            library.note("torch", name, Use.NAME)
    for name in ("LambdaLR", "MultiplicativeLR"):  # what they are given is somebody's own function
        library.note("torch.optim.lr_scheduler", name, Use.MAKE)
    for name in FUNCTIONALS:
        if hasattr(torch.nn.functional, name):
            function = getattr(torch.nn.functional, name)
            library.note(function.__module__ or "torch.nn.functional", name, Use.NAME)
            library.note("torch.nn.functional", name, Use.NAME)
    library.note("torch", "memory_format", Use.NAME)
    for name in ("channels_last", "channels_last_3d", "contiguous_format", "preserve_format"):
        library.note("torch", name, Use.NAME)
        library.note("torch._utils", f"torch.{name}", Use.NAME)
    library.note("torch._C", "_VariableFunctionsClass", Use.NAME)
    for name in FUNCTIONS:
        # Pickles reach these through getattr, which the scanner resolves to the dotted name.
        library.note("torch._C", f"_VariableFunctionsClass.{name}", Use.NAME)
        library.note("torch", name, Use.NAME)
    library.note("torch.storage", "UntypedStorage", Use.NAME)
    library.note("torch.storage", "TypedStorage", Use.NAME)
    return library


def saved(value: object) -> bytes:
    """The pickle inside what torch.save writes; nothing where it can't be saved."""
    out = io.BytesIO()
    try:
        torch.save(value, out)
    except Exception as error:
        print(f"  {type(value).__name__}: {error}"[:120])
        return b"N."
    return zipfile.ZipFile(out).read("archive/data.pkl")


def objects() -> Iterator[object]:
    """Tensors, layers, optimizers and schedulers, distributions."""
    warnings.simplefilter("ignore")
    yield from tensors()
    yield from layers()
    yield from pruned_and_normed()
    yield from quantized()
    yield from optimizers()
    yield from schedulers()
    yield from distributions()
    yield from data_sets()


def tensors() -> Iterator[object]:
    """Tensors of every type and layout, and what describes them."""
    for name in dir(torch):
        kind = getattr(torch, name)
        if isinstance(kind, torch.dtype | torch.layout):
            yield kind
        if isinstance(kind, torch.dtype):
            with contextlib.suppress(Exception):
                yield torch.zeros(2, dtype=kind)
    square = torch.eye(4)
    yield torch.nn.Parameter(torch.zeros(2))
    for name in ("to_sparse", "to_sparse_csr", "to_sparse_csc"):
        yield getattr(square, name)()
    for name in ("to_sparse_bsr", "to_sparse_bsc"):
        yield getattr(square, name)((2, 2))
    yield torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)
    yield torch.quantize_per_channel(
        torch.zeros(2, 2), torch.ones(2), torch.zeros(2), 0, torch.qint8
    )
    yield torch.nested.nested_tensor([torch.zeros(2)])
    yield torch.zeros(2, device="meta")
    yield torch.zeros(2, dtype=torch.cfloat).conj()
    yield torch.zeros(3).storage()
    yield torch.zeros(3).untyped_storage()
    yield from (torch.device("cpu"), torch.Size([1, 2]), torch.strided, torch.get_rng_state())
    yield from (torch.Generator(), torch.Generator().get_state())
    yield torch.nn.utils.rnn.pack_sequence([torch.zeros(2)])
    if hasattr(torch.nn, "Buffer"):
        yield torch.nn.Buffer(torch.zeros(2))
    tagged = torch.zeros(2)
    tagged.tag = "a"
    yield tagged


def layers() -> Iterator[object]:
    """Every layer, constructed with the first arguments that it takes."""
    for space in (torch.nn, torch.ao.nn.quantizable, torch.ao.nn.intrinsic):
        for name, layer in inspect.getmembers(space, inspect.isclass):
            if not issubclass(layer, torch.nn.Module) or name in ("Module", "Container"):
                continue
            for arguments in ARGUMENTS:
                try:
                    built = layer(*arguments())
                except Exception:
                    continue
                yield built
                break
            else:
                print(f"  {name} could not be made")
    yield torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU())
    for activation in ("relu", "gelu", torch.nn.functional.silu):
        layer = torch.nn.TransformerEncoderLayer(4, 2, activation=activation)
        yield torch.nn.TransformerEncoder(layer, 1)
    yield torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(4, 2), 1)
    yield torch.nn.ParameterDict({"a": torch.nn.Parameter(torch.zeros(1))})
    yield torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1))])
    yield torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1)})
    yield torch.nn.TripletMarginWithDistanceLoss(distance_function=torch.nn.PairwiseDistance())


def pruned_and_normed() -> Iterator[object]:
    """Layers with hooks of torch's own."""
    utils = torch.nn.utils
    yield utils.parametrizations.weight_norm(torch.nn.Linear(2, 2)).state_dict()
    yield utils.weight_norm(torch.nn.Linear(2, 2))
    yield utils.spectral_norm(torch.nn.Linear(2, 2))
    for number, prune in enumerate((prunes.l1_unstructured, prunes.random_unstructured)):
        layer = torch.nn.Linear(3, 3)
        prune(layer, "weight", 0.5)
        if number:
            prunes.random_structured(layer, "weight", 0.5, dim=0)
            prunes.ln_structured(layer, "weight", 0.5, n=2, dim=0)
        yield layer
    layer = torch.nn.Linear(3, 3)
    prunes.custom_from_mask(layer, "weight", torch.ones(3, 3))
    prunes.identity(layer, "bias")
    prunes.global_unstructured([(layer, "weight")], prunes.L1Unstructured, amount=0.2)
    yield layer
    yield torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 2))


def quantized() -> Iterator[object]:
    """What quantization makes of a model."""
    tools = torch.ao.quantization
    try:
        model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.LSTM(3, 3))
        dynamic = tools.quantize_dynamic(model, {torch.nn.Linear, torch.nn.LSTM})
        yield from (dynamic, dynamic.state_dict())
        model = torch.nn.Sequential(
            tools.QuantStub(),
            torch.nn.Conv2d(1, 1, 1),
            torch.nn.BatchNorm2d(1),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 4),
            tools.DeQuantStub(),
        ).eval()
        model.qconfig = tools.get_default_qconfig("fbgemm")
        prepared = tools.prepare(tools.fuse_modules(model, [["1", "2", "3"]]))
        prepared(torch.zeros(1, 1, 2, 2))
        yield prepared.state_dict()
        static = tools.convert(prepared)
        yield from (static, static.state_dict())
    except Exception as error:
        print(f"  quantization: {error}")


def optimizers() -> Iterator[object]:
    """Every optimizer after a step, and its state."""
    for name, kind in inspect.getmembers(torch.optim, inspect.isclass):
        if not issubclass(kind, torch.optim.Optimizer) or kind is torch.optim.Optimizer:
            continue
        parameter = torch.nn.Parameter(torch.ones(2, 2))
        try:
            optimizer = kind([parameter], lr=0.1)
            (parameter**2).sum().backward()
            optimizer.step(lambda p=parameter: (p**2).sum())
        except Exception as error:
            print(f"  {name}: {error}")
        yield from (optimizer.state_dict(), optimizer)
    yield torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    scaler = getattr(torch, "amp", None)
    if hasattr(scaler, "GradScaler"):
        yield from (scaler.GradScaler("cpu").state_dict(), scaler.GradScaler("cpu"))


def schedulers() -> Iterator[object]:
    """Every scheduler of learning rates, and its state."""
    of = torch.optim.lr_scheduler
    made = {
        "StepLR": (1,),
        "MultiStepLR": ([1, 2],),
        "ExponentialLR": (0.9,),
        "CosineAnnealingLR": (3,),
        "ReduceLROnPlateau": (),
        "CyclicLR": (0.1, 0.2),
        "OneCycleLR": (0.1, 10),
        "CosineAnnealingWarmRestarts": (3,),
        "LinearLR": (),
        "ConstantLR": (),
        "PolynomialLR": (),
    }
    for name, arguments in made.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
        scheduler = getattr(of, name)(optimizer, *arguments)
        yield from (scheduler.state_dict(), scheduler)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    yield of.SequentialLR(
        optimizer, [of.ConstantLR(optimizer), of.ExponentialLR(optimizer, 0.9)], [2]
    )
    yield of.ChainedScheduler([of.ConstantLR(optimizer), of.ExponentialLR(optimizer, 0.9)])
    yield torch.optim.swa_utils.SWALR(optimizer, 0.1)


def distributions() -> Iterator[object]:
    """Every distribution that a few shapes of arguments make."""
    half, three, square = torch.tensor(0.5), torch.ones(3), torch.eye(2)
    for name in torch.distributions.__all__:
        kind = getattr(torch.distributions, name)
        if not inspect.isclass(kind):
            continue
        for arguments in (
            (half, half), (half,), (three,), (3, half), (half, half, half), (3, three),
            (torch.zeros(2), square), (torch.zeros(2), torch.ones(2, 1), torch.ones(2)), (3,),
        ):  # fmt: skip
            try:
                yield kind(*arguments)
            except Exception:
                continue
            break
    normal = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    yield torch.distributions.Independent(normal, 1)
    mixture = torch.distributions.Categorical(torch.ones(2))
    yield torch.distributions.MixtureSameFamily(mixture, normal)
    transforms = torch.distributions.transforms
    yield torch.distributions.TransformedDistribution(
        normal,
        [transforms.ExpTransform(), transforms.SigmoidTransform(), transforms.TanhTransform()],
    )


def data_sets() -> Iterator[object]:
    """Data sets of tensors and what reads them."""
    data = torch.utils.data
    rows = data.TensorDataset(torch.zeros(3, 1))
    yield from (rows, data.Subset(rows, [1]), data.ConcatDataset([rows, rows]))
    yield from (data.DataLoader(rows), data.DataLoader(rows, shuffle=True))


ARGUMENTS = (
    lambda: (),
    lambda: (4,),
    lambda: (4, 2),
    lambda: (2, 4),
    lambda: (4, 2, 1),
    lambda: ([torch.nn.Linear(1, 1)],),
    lambda: (torch.nn.Linear(1, 1),),
    lambda: (8, 20, [5]),
    lambda: (1, (2, 2)),
    lambda: (torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1)),
    lambda: (torch.nn.Conv2d(1, 1, 1), torch.nn.ReLU()),
    lambda: (torch.nn.Linear(1, 1), torch.nn.ReLU()),
)
