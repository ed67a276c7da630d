"""What is converted is, tensor by tensor, what torch itself would load."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.convert import RefusedError, convert
from tidegate.convert.strides import coalesced

torch = pytest.importorskip("torch", reason="torch writes the samples and checks what comes out")
safetensors_torch = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn,
    torch.float8_e5m2, torch.uint16, torch.uint32, torch.uint64,
]  # fmt: skip
# torch itself can't load its old format with types that came after it.
OLD_DTYPES = DTYPES[:11]
FORMATS = pytest.mark.parametrize("new_format", [True, False], ids=["zip", "legacy"])


def filled(count: int, dtype) -> torch.Tensor:
    """Numbers that differ from each other as far as the type allows."""
    raw = torch.arange(count * dtype.itemsize, dtype=torch.int64) * 37 % 251
    return (raw.to(torch.uint8) if dtype != torch.bool else (raw % 2).to(torch.uint8)).view(dtype)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bytes(_raw(one)) == bytes(_raw(other))


def _raw(tensor: torch.Tensor) -> list[int]:
    flat = torch.empty(tensor.numel(), dtype=tensor.dtype)
    flat.copy_(tensor.detach().reshape(-1))
    return flat.view(torch.uint8).tolist() if flat.numel() else []


def check(state, folder: Path, *, new_format=True, keys=()) -> dict[str, torch.Tensor]:
    """Save, convert, load with the safetensors library, and compare with what torch loads."""
    source, target = folder / "model.pt", folder / "model.safetensors"
    torch.save(state, source, _use_new_zipfile_serialization=new_format)
    convert(source, target, keys=keys, force=True)
    loaded = torch.load(source, weights_only=True)
    for key in keys:
        loaded = loaded[key]
    found = safetensors_torch.load_file(target)
    assert set(found) == set(loaded)
    for name, tensor in loaded.items():
        assert same(found[name], tensor), name
    return found


@FORMATS
def test_every_type_of_element_comes_through(new_format, tmp_path):
    dtypes = DTYPES if new_format else OLD_DTYPES
    state = {str(dtype): filled(12, dtype).reshape(3, 4) for dtype in dtypes}
    check(state, tmp_path, new_format=new_format)


@FORMATS
def test_views_of_every_kind_come_through(new_format, tmp_path):
    base = filled(4 * 5 * 6, torch.float32).reshape(4, 5, 6)
    state = {
        "transposed": base.transpose(0, 2),
        "permuted": base.permute(1, 2, 0),
        "sliced": base[1:3, ::2, 1::3],
        "offset": base.reshape(-1)[17:],
        "column": base.reshape(20, 6)[:, 3],
        "expanded": base[0, 0, :1].expand(7, 6),
        "inner expanded": base.reshape(-1, 1)[:9].expand(9, 3),
        "scalar": base[1, 2, 3],
        "empty": base[:0],
        "empty inside": base[:, :0],
        "overlapping": base.reshape(-1).as_strided((5, 4), (2, 1)),
        "singletons": base[None, :, None],
    }
    check(state, tmp_path, new_format=new_format)


@FORMATS
def test_tied_weights_keep_all_their_names(new_format, tmp_path):
    weight = torch.nn.Parameter(filled(12, torch.float32).reshape(3, 4))
    state = {
        "encoder": weight,
        "decoder": weight,
        "head": weight.data.t(),
        "own": filled(3, torch.int64),
    }
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=new_format)
    done = convert(tmp_path / "m.pt", tmp_path / "m.safetensors")
    assert done.shared == ("decoder", "encoder", "head")
    check(state, tmp_path, new_format=new_format)


@FORMATS
def test_a_models_state_dict_comes_through(new_format, tmp_path):
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 5, 2)
    )
    check(model.state_dict(), tmp_path, new_format=new_format)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_a_state_dict_in_a_checkpoint_is_found_where_it_usually_is(key, tmp_path):
    model = torch.nn.Linear(3, 4)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(1, 3)).sum().backward()
    optimizer.step()
    state = {key: model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(state, tmp_path / "m.ckpt")
    assert convert(tmp_path / "m.ckpt", tmp_path / "m.safetensors").keys == (key,)
    check(state, tmp_path, keys=[key])


def test_a_state_dict_further_in_is_found_where_it_is_said_to_be(tmp_path):
    state = {"a": {"b": {"w": torch.ones(2)}}, "c": {"w": torch.zeros(2)}}
    torch.save(state, tmp_path / "m.pt")
    with pytest.raises(RefusedError, match=r"a dict of its own"):
        convert(tmp_path / "m.pt", tmp_path / "out")
    check(state, tmp_path, keys=["a", "b"])


def test_big_endian_numbers_are_turned_round(tmp_path):
    state = {
        "f": filled(6, torch.float32),
        "c": filled(3, torch.complex64),
        "h": filled(4, torch.bfloat16).reshape(2, 2).t(),
        "b": filled(5, torch.uint8),
    }
    source = tmp_path / "model.pt"
    torch.save(state, source)
    import zipfile

    big = tmp_path / "big.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(big, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            new.writestr(info.filename, b"big" if info.filename.endswith("byteorder") else data)
    convert(big, tmp_path / "big.safetensors")
    loaded = torch.load(big, weights_only=True)
    found = safetensors_torch.load_file(tmp_path / "big.safetensors")
    assert all(same(found[name], loaded[name]) for name in state)


shapes = st.lists(st.integers(0, 5), max_size=4)


@st.composite
def views(draw):
    """A shape, strides over a storage of 40 elements, and an offset, all in bounds."""
    shape = draw(shapes)
    stride = [draw(st.integers(0, 7)) for _ in shape]
    span = 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True) if n)
    while span > 40:
        at = stride.index(max(stride))
        span -= (max(shape[at], 1) - 1) * stride[at]
        stride[at] = 0
    return shape, stride, draw(st.integers(0, 40 - max(1, span)))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.sampled_from(DTYPES), st.lists(views(), min_size=1, max_size=3)),
             min_size=1, max_size=3),
    st.booleans(),
)  # fmt: skip
def test_any_views_of_shared_storages_come_through(tmp_path, groups, new_format):
    state = {}
    for number, (dtype, drawn) in enumerate(groups):
        base = filled(40, dtype if new_format or dtype in OLD_DTYPES else torch.float32)
        for at, (shape, stride, offset) in enumerate(drawn):
            state[f"{number}.{at}"] = base.as_strided(shape, stride, offset)
    check(state, tmp_path, new_format=new_format)


@settings(max_examples=200, deadline=None)
@given(shapes, st.data())
def test_joined_dimensions_visit_the_same_elements_in_the_same_order(shape, data):
    stride = [data.draw(st.integers(0, 9)) for _ in shape]
    if 0 in shape:
        return

    def visited(dims):
        return [
            sum(place * step for place, (_, step) in zip(places, dims, strict=True))
            for places in itertools.product(*(range(size) for size, _ in dims))
        ]

    assert visited(coalesced(tuple(shape), tuple(stride))) == visited(
        list(zip(shape, stride, strict=True))
    )


def test_large_views_are_read_by_blocks(tmp_path, monkeypatch):
    from tidegate.convert import strides

    monkeypatch.setattr(strides, "_BLOCK", 1000)
    monkeypatch.setattr(strides, "_HELD", 100)
    base = filled(120 * 130, torch.float32).reshape(120, 130)
    check(
        {"t": base.t(), "r": base[:, ::-1 % 3 or 2], "c": base, "e": base[0].expand(9, 130),
         "i": base[:, :1].expand(120, 9), "h": filled(9000, torch.int8)[::3]},
        tmp_path,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (lambda: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (lambda: torch.ones(2), "a single tensor"),
        (dict, "empty"),
        (lambda: {"a": torch.ones(2), "b": 3}, "'b'"),
        (lambda: {"a": torch.ones(2), "b": "text"}, "'b'"),
        (lambda: {"a": torch.ones(2), "b": [torch.ones(2)]}, "'b'"),
        (lambda: {"a": torch.eye(3).to_sparse()}, "_rebuild_sparse_tensor"),
        (lambda: {"a": torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)}, "'a'"),
        (lambda: {"a": torch.ones(2, dtype=torch.complex64).conj()}, "metadata"),
        (lambda: {"a": torch.ones(2, dtype=torch.complex128)}, "complex128"),
        (lambda: {"a": torch.empty(2, device="meta")}, "'a'"),
        (lambda: {"a": torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])}, "'a'"),
        (lambda: {3: torch.ones(2)}, "no text"),
        (lambda: {"__metadata__": torch.ones(2)}, "keeps for itself"),
        (lambda: {"a": torch.ones(1).expand(1 << 30)}, "same few numbers"),
    ],
    ids=range(15),
)
def test_whatever_is_no_plain_tensor_is_refused_by_name(state, why, tmp_path):
    target = io.BytesIO()
    torch.save(state(), target)
    source = tmp_path / "m.pt"
    source.write_bytes(target.getvalue())
    with pytest.raises(RefusedError, match=why.replace(".", r"\.")):
        convert(source, tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]
