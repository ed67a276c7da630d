"""A command that is run for somebody behaves as if nobody stood in between."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from tidegate.recorder.command import CommandNotStartedError, run_command

# Runs a command as `run_command` does, in a process of its own, which then says what came of it.
RUNNER = """
import os, signal, sys
from tidegate.recorder.command import run_command
kill = os.kill
def tell(process, number):
    if os.environ.get("TELL"):
        print(f"passed on {signal.Signals(number).name}", flush=True)
    kill(process, number)
os.kill = tell
code = run_command(sys.argv[1:], os.environ)
print("code", code, flush=True)
"""

# Says that it is there, and each signal that it gets; ends a moment after the first SIGTERM.
COUNTER = """
import os, signal, sys, time
seen = []
def note(number, frame):
    seen.append(signal.Signals(number).name)
    os.write(1, f"<{seen[-1]}>".encode())
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(each, note)
print("ready", flush=True)
until = time.monotonic() + 30
while "SIGTERM" not in seen and time.monotonic() < until:
    time.sleep(0.02)
time.sleep(0.3)
print(flush=True)
sys.exit(7)
"""


def start(*command, **options):
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def python(code):
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_commands_own(code):
    assert run_command(python(f"import sys; sys.exit({code})"), os.environ) == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV"])
def test_a_command_that_a_signal_ended_gives_128_and_its_number(name):
    number = getattr(signal, name)
    # Without a core file.
    code = (
        "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
        f"os.kill(os.getpid(), {int(number)})"
    )
    assert run_command(python(code), os.environ) == 128 + number


def test_a_command_that_is_not_there_is_127_and_one_that_is_no_program_126(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("echo")
    with pytest.raises(CommandNotStartedError) as missing:
        run_command([str(tmp_path / "nothing")], os.environ)
    with pytest.raises(CommandNotStartedError) as no_program:
        run_command([str(plain)], os.environ)
    assert (missing.value.exit_code, no_program.value.exit_code) == (127, 126)


def test_signals_of_others_reach_the_command_once_each_and_it_decides_what_to_do():
    with start(*python(COUNTER)) as runner:
        assert runner.stdout.readline() == "ready\n"
        for each in ("SIGUSR1", "SIGHUP", "SIGINT", "SIGTERM"):
            runner.send_signal(getattr(signal, each))
            assert runner.stdout.read(len(each) + 2) == f"<{each}>"
        assert runner.stdout.read() == "\ncode 7\n"


def test_what_the_terminal_sends_to_both_is_not_sent_twice():
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TELL"] = "yes"
        os.execv(sys.executable, python(RUNNER) + python(COUNTER))
    try:
        said = read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        said += read_until(terminal, b"<SIGINT>")
        os.kill(process, signal.SIGTERM)
        said += read_until(terminal, b"code 7")
        assert said.count(b"<SIGINT>") == said.count(b"<SIGTERM>") == 1
        # Two that come at once may look like one.
        assert b"passed on SIGTERM" in said
        assert b"passed on SIGINT" not in said
        assert b"Traceback" not in said
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def test_the_command_begins_with_the_signals_that_this_process_was_given():
    # No Python, which ignores some for itself.
    show = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    direct = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    through = subprocess.run(
        [*python(RUNNER), *show], capture_output=True, text=True, check=True
    ).stdout
    told, _, code = through.rpartition("code")
    assert (signals(told), code) == (signals(direct), " 0\n")


def signals(status):
    """The numbers that are blocked and ignored, without two that are the C library's own."""
    return {
        name: {bit + 1 for bit in range(64) if int(mask, 16) >> bit & 1} - {32, 33}
        for name, mask in (line.split() for line in status.splitlines())
    }


def test_the_exit_code_is_kept_where_ended_children_are_ignored():
    code = f"import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{RUNNER}"
    done = subprocess.run(
        [*python(code), *python("import sys; sys.exit(9)")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "code 9\n"


def test_standard_input_output_and_error_are_the_commands_own():
    echo = """
import sys
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(data)
sys.stderr.buffer.write(data[::-1])
"""
    silent = RUNNER.rpartition("print")[0]
    data = bytes(range(256)) * 300
    done = subprocess.run(
        [*python(silent), *python(echo)], input=data, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (data, data[::-1])


def read_until(terminal, wanted):
    said = b""
    while wanted not in said:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, f"waited for {wanted!r} and heard {said!r}"
        said += os.read(terminal, 4096)
    return said
