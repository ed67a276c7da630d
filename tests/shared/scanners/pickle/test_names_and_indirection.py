"""Dotted names, aliases, odd names, and callables hidden behind other callables."""

from __future__ import annotations

import pytest
from samples.pickles import (
    COMMAND,
    call,
    details,
    finding,
    gadget,
    name,
    pickled,
    rules,
    scan,
    text,
    tuple_of,
)


@pytest.mark.parametrize(
    ("module", "dotted"),
    [
        ("sklearn", "utils.os.system"),
        ("torch", "os.system"),
        ("builtins", "__import__.__call__"),
        ("acme", "helpers.subprocess.Popen"),
        ("acme", "Model.__init__.__globals__"),
        ("os", "path.os.system"),
        ("acme", "os.system"),
        ("collections", "sys.modules"),
        ("numpy", "f2py.compile"),
        ("acme", "Model.__class__"),
        ("json", "codecs.builtins.exec"),
        ("datetime", "sys.modules.get"),
    ],
)
def test_a_dotted_name_is_followed_to_what_it_reaches(module: str, dotted: str) -> None:
    assert "PICKLE-EXEC" in rules(scan(gadget(module, dotted)))


def test_a_dotted_name_through_a_module_of_nobody_known_is_not_the_policy_s_to_trust() -> None:
    assert rules(scan(gadget("acme", "sp.run"))) == {"PICKLE-UNLISTED-GLOBAL"}
    assert rules(scan(gadget("acme", "Outer.Inner"))) == {"PICKLE-UNREVIEWED-CODE"}


def test_an_allowed_class_does_not_allow_its_attributes() -> None:
    assert rules(scan(gadget("collections", "OrderedDict.fromkeys"))) == {"PICKLE-UNLISTED-GLOBAL"}


@pytest.mark.parametrize(
    "module", ["../../tmp/evil", "evil/mod", "", "a..b", "os ", "C:\\evil", "x\x00y", "a" * 600]
)
def test_a_module_name_that_is_no_identifier_is_dangerous(module: str) -> None:
    assert "PICKLE-EXEC" in rules(scan(gadget(module, "run")))


def test_getattr_on_an_imported_module_is_followed() -> None:
    imported = call(name("builtins", "__import__"), text("os"))
    report = scan(
        pickled(call(call(name("builtins", "getattr"), imported, text("system")), text(COMMAND)))
    )
    assert {"os.system", "builtins.__import__"} <= details(report, "PICKLE-EXEC")
    assert "PICKLE-INDIRECT" in rules(report)


def test_getattr_on_a_class_is_followed() -> None:
    fetched = call(name("builtins", "getattr"), name("subprocess", "Popen"), text("__init__"))
    assert "subprocess.Popen.__init__" in details(
        scan(pickled(call(fetched, text("x")))), "PICKLE-EXEC"
    )


@pytest.mark.parametrize("module", ["operator", "_operator"])
def test_attrgetter_is_followed(module: str) -> None:
    getter = call(name(module, "attrgetter"), text("system"))
    fetched = call(getter, call(name("importlib", "import_module"), text("os")))
    report = scan(pickled(call(fetched, text(COMMAND))))
    assert "os.system" in details(report, "PICKLE-EXEC")


def test_methodcaller_is_followed() -> None:
    caller = call(name("operator", "methodcaller"), text("system"), text(COMMAND))
    report = scan(pickled(call(caller, call(name("builtins", "__import__"), text("os")))))
    assert "os.system" in details(report, "PICKLE-EXEC")


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "map"),
        ("functools", "reduce"),
        ("functools", "partial"),
        ("itertools", "starmap"),
        ("operator", "call"),
        ("builtins", "filter"),
        ("toolz.functoolz", "Compose"),
    ],
)
def test_a_dangerous_callable_handed_to_one_that_calls_it_counts_as_called(
    module: str, attribute: str
) -> None:
    report = scan(
        pickled(call(name(module, attribute), name("os", "system"), tuple_of(text(COMMAND))))
    )
    assert "os.system" in details(report, "PICKLE-EXEC")
    assert "PICKLE-INDIRECT" in rules(report)


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "getattr"),
        ("functools", "partial"),
        ("operator", "attrgetter"),
        ("itertools", "accumulate"),
        ("builtins", "map"),
    ],
)
def test_indirection_alone_is_held(module: str, attribute: str) -> None:
    assert rules(scan(gadget(module, attribute))) == {"PICKLE-INDIRECT"}


def test_what_a_call_returns_may_not_be_called() -> None:
    report = scan(pickled(call(call(name("collections", "OrderedDict")), text("x"))))
    assert rules(report) == {"PICKLE-INDIRECT"}


def test_a_name_that_is_computed_is_held() -> None:
    computed = call(name("builtins", "str"), text("system"))
    assert "PICKLE-INDIRECT" in rules(scan(pickled(text("os") + computed + b"\x93")))


def test_names_are_resolved_through_the_memo() -> None:
    stream = (
        text("system")
        + b"\x940"
        + text("os")
        + b"\x940"
        + b"h\x01h\x00\x93"
        + tuple_of(text("x"))
        + b"R"
    )
    assert details(scan(pickled(stream)), "PICKLE-EXEC") == {"os.system"}


def test_a_memo_entry_that_is_overwritten_gives_its_last_value() -> None:
    stream = text("json") + b"q\x070" + text("os") + b"q\x070" + b"h\x07" + text("system") + b"\x93"
    assert details(scan(pickled(stream)), "PICKLE-DANGEROUS-GLOBAL") == {"os.system"}


def test_names_are_resolved_past_duplicates_and_pops() -> None:
    stream = text("os") + b"2N00" + b"(K\x01K\x021" + text("system") + b"\x93"
    report = scan(pickled(stream))
    assert details(report, "PICKLE-DANGEROUS-GLOBAL") == {"os.system"}


@pytest.mark.parametrize("change", [b"}" + text("x") + b"Nsb", b"]" + b"Nab"])
def test_state_given_to_an_imported_class_itself_is_held(change: bytes) -> None:
    stream = name("sklearn.linear_model._base", "LinearRegression") + change
    assert "PICKLE-INDIRECT" in rules(scan(pickled(stream)))


def test_items_put_into_something_imported_are_held() -> None:
    stream = name("numpy", "ndarray") + text("x") + b"Ns"
    assert rules(scan(pickled(stream))) == {"PICKLE-INDIRECT"}


@pytest.mark.parametrize("key", ["__setstate__", "__class__", "__reduce_ex__", "__call__"])
def test_state_that_replaces_a_special_method_is_held(key: str) -> None:
    made = name("sklearn.linear_model._base", "LinearRegression") + b")\x81"
    state = b"}" + text(key) + name("numpy", "log1p") + b"s"
    assert rules(scan(pickled(made + state + b"b"))) == {"PICKLE-INDIRECT"}


def test_such_a_key_is_seen_behind_many_harmless_ones() -> None:
    made = name("sklearn.linear_model._base", "LinearRegression") + b")\x81"
    many = b"".join(text(f"k{number}") + b"N" for number in range(500))
    state = b"}(" + many + text("__setstate__") + name("numpy", "log1p") + b"u"
    assert rules(scan(pickled(made + state + b"b"))) == {"PICKLE-INDIRECT"}


def test_the_message_says_what_is_really_called() -> None:
    imported = call(name("builtins", "__import__"), text("os"))
    report = scan(
        pickled(call(call(name("builtins", "getattr"), imported, text("system")), text(COMMAND)))
    )
    messages = [found.message for found in report.findings if found.detail == "os.system"]
    assert messages
    assert f"os.system({COMMAND!r})" in messages[0]
    assert finding(report, "PICKLE-INDIRECT").detail == "builtins.getattr"


def test_getattr_passes_where_what_it_fetches_is_on_the_list() -> None:
    fetched = call(name("builtins", "getattr"), name("zoneinfo", "ZoneInfo"), text("_unpickle"))
    assert rules(scan(pickled(call(fetched, text("UTC"), b"K\x01")))) == {"PICKLE-PLAIN"}


def test_getattr_is_not_excused_for_what_else_is_done_with_it() -> None:
    getter = name("builtins", "getattr") + b"\x94"
    fetched = getter + tuple_of(name("zoneinfo", "ZoneInfo"), text("_unpickle")) + b"R0"
    assert rules(scan(pickled(fetched + b"h\x00"))) == {"PICKLE-DANGEROUS-GLOBAL"}
    again = b"h\x00" + tuple_of(name("zoneinfo", "ZoneInfo"), text("no_cache")) + b"R"
    assert "PICKLE-INDIRECT" in rules(scan(pickled(fetched + again)))


def test_a_class_that_is_computed_may_not_be_made() -> None:
    computed = call(name("builtins", "dict"))
    for maker in (("copyreg", "_reconstructor"), ("pandas.core.indexes.base", "_new_Index")):
        assert rules(scan(pickled(call(name(*maker), computed, b"N", b"N")))) == {"PICKLE-INDIRECT"}


@pytest.mark.parametrize(
    "state",
    [
        call(name("collections", "OrderedDict"), b"](" + text("__setstate__") + b"N\x86e"),
        b"Psomewhere\n",
        b"\x97",
        b"N}" + text("__class__") + b"Ns\x86",
    ],
)
def test_state_whose_keys_are_hidden_is_held(state: bytes) -> None:
    made = name("sklearn.linear_model._base", "LinearRegression") + b")\x81"
    assert "PICKLE-INDIRECT" in rules(scan(pickled(made + state + b"b")))


def test_a_class_of_the_main_program_is_unreviewed() -> None:
    assert rules(scan(gadget("__main__", "Model"))) == {"PICKLE-UNREVIEWED-CODE"}


def test_a_detail_is_printable() -> None:
    for found in scan(gadget("a\x1b[31m" + "b" * 900, "c")).findings:
        assert found.detail is not None
        assert found.detail.isprintable()
        assert len(found.detail) < 1000
