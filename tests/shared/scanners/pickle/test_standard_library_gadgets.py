"""Callables of the standard library that run, open, import or unpickle."""

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
)

from tidegate.scanners.interface import Severity

EXECUTES = [
    ("os", "system"),
    ("os", "popen"),
    ("os", "execv"),
    ("os", "spawnl"),
    ("os", "posix_spawn"),
    ("posix", "system"),
    ("nt", "system"),
    ("subprocess", "Popen"),
    ("subprocess", "run"),
    ("subprocess", "check_output"),
    ("_posixsubprocess", "fork_exec"),
    ("pty", "spawn"),
    ("platform", "popen"),
    ("uuid", "_get_command_stdout"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "compile"),
    ("builtins", "open"),
    ("builtins", "__import__"),
    ("builtins", "breakpoint"),
    ("importlib", "import_module"),
    ("importlib.util", "module_from_spec"),
    ("runpy", "run_path"),
    ("runpy", "_run_code"),
    ("code", "interact"),
    ("code", "InteractiveInterpreter"),
    ("bdb", "Bdb"),
    ("pdb", "run"),
    ("profile", "run"),
    ("cProfile", "runctx"),
    ("timeit", "timeit"),
    ("trace", "Trace"),
    ("doctest", "debug_script"),
    ("pydoc", "pipepager"),
    ("pydoc", "locate"),
    ("ctypes", "CDLL"),
    ("_ctypes", "dlopen"),
    ("socket", "socket"),
    ("socket", "create_connection"),
    ("http.client", "HTTPSConnection"),
    ("urllib.request", "urlopen"),
    ("ftplib", "FTP"),
    ("smtplib", "SMTP"),
    ("imaplib", "IMAP4_stream"),
    ("webbrowser", "open"),
    ("marshal", "loads"),
    ("pickle", "loads"),
    ("_pickle", "Unpickler"),
    ("shelve", "open"),
    ("shutil", "rmtree"),
    ("tempfile", "NamedTemporaryFile"),
    ("_io", "FileIO"),
    ("io", "open"),
    ("logging", "FileHandler"),
    ("logging.config", "dictConfig"),
    ("sqlite3", "connect"),
    ("zipimport", "zipimporter"),
    ("pkgutil", "resolve_name"),
    ("sys", "setprofile"),
    ("gc", "get_objects"),
    ("asyncio", "run"),
    ("multiprocessing.util", "spawnv_passfds"),
    ("codecs", "open"),
    ("distutils.spawn", "spawn"),
    ("ensurepip", "_run_pip"),
    ("venv", "create"),
    ("idlelib.run", "Executive.runcode"),
    ("lib2to3.pgen2.grammar", "Grammar.loads"),
    ("test.support.script_helper", "assert_python_ok"),
    ("threading", "Thread"),
    ("atexit", "register"),
    ("signal", "signal"),
    ("_pyrepl.pager", "pipe_pager"),
    ("antigravity", "webbrowser"),
    ("copyreg", "add_extension"),
    ("contextlib", "ExitStack"),
]


@pytest.mark.parametrize(("module", "attribute"), EXECUTES)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_call_of_a_dangerous_callable_is_critical(
    module: str, attribute: str, protocol: int
) -> None:
    report = scan(gadget(module, attribute, protocol=protocol))
    found = finding(report, "PICKLE-EXEC")
    assert found.severity is Severity.CRITICAL
    assert COMMAND in found.message


@pytest.mark.parametrize(
    ("module", "attribute", "python3"),
    [
        ("__builtin__", "eval", "builtins.eval"),
        ("__builtin__", "execfile", "builtins.execfile"),
        ("__builtin__", "apply", "builtins.apply"),
        ("commands", "getoutput", "subprocess.getoutput"),
        ("cPickle", "loads", "pickle.loads"),
        ("urllib2", "urlopen", "urllib.request.urlopen"),
        ("popen2", "popen3", "popen2.popen3"),
        ("httplib", "HTTPConnection", "http.client.HTTPConnection"),
    ],
)
def test_a_python_2_name_is_judged_as_what_it_becomes(
    module: str, attribute: str, python3: str
) -> None:
    report = scan(gadget(module, attribute, protocol=2))
    assert python3 in details(report, "PICKLE-EXEC")


def test_a_python_2_name_is_not_translated_from_protocol_3_on() -> None:
    report = scan(gadget("copy_reg", "_reconstructor", protocol=3))
    assert details(report, "PICKLE-UNLISTED-GLOBAL") == {"copy_reg._reconstructor"}


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("calendar", "TextCalendar"),
        ("wave", "Wave_read"),
        ("turtle", "Turtle"),
        ("email.message", "Message"),
        ("annotationlib", "ForwardRef"),
        ("sets", "Set"),
        ("compression.zstd", "ZstdFile"),
        ("this", "s"),
    ],
)
def test_what_nobody_listed_of_the_standard_library_is_held(module: str, attribute: str) -> None:
    report = scan(gadget(module, attribute))
    assert details(report, "PICKLE-UNLISTED-GLOBAL") == {f"{module}.{attribute}"}


def test_a_dangerous_callable_that_is_only_named_is_found() -> None:
    report = scan(pickled(name("os", "system")))
    assert rules(report) == {"PICKLE-DANGEROUS-GLOBAL"}


def test_a_dangerous_callable_that_is_popped_again_is_found() -> None:
    report = scan(pickled(name("os", "system") + b"0N"))
    assert "PICKLE-DANGEROUS-GLOBAL" in rules(report)


def test_the_call_is_shown_short_escaped_and_printable() -> None:
    hostile = "\x1b[2J\u202e\n" + "A" * 900
    message = finding(scan(gadget("os", "system", text(hostile))), "PICKLE-EXEC").message
    assert message.isprintable()
    assert "\\x1b[2J\\u202e\\n" in message
    assert len(message) < 300


def test_a_detail_names_module_and_callable_exactly() -> None:
    report = scan(gadget("churn.features", "Scaler", protocol=2))
    assert details(report, "PICKLE-UNREVIEWED-CODE") == {"churn.features.Scaler"}


def test_findings_flood_does_not_crowd_out_the_gravest() -> None:
    from tidegate.scanners.interface import Limits

    flood = b"".join(name("mine", f"Class{number}") + b"0" for number in range(50))
    report = scan(pickled(flood + call(name("os", "system"), text("x"))), Limits(max_findings=5))
    assert report.findings[0].rule == "PICKLE-EXEC"
    assert report.unread_parts
