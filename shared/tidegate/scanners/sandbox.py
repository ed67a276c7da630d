"""The kernel's own guard around a worker: a seccomp filter, on Linux.

Python's audit hook (`worker.py`) sees what goes through Python; native code that a flaw turned
does not. So the kernel is asked to keep the process to what a reader needs: reading files, memory,
and its two pipes.

Always holds, once `enter` has returned True:

- starting a process or thread, opening a file for writing, changing a file system, opening a
  socket, signalling or looking into another process ends the worker at once (SIGSYS);
- every other call that is not on the list fails with EPERM, as do all that a later kernel adds;
- nothing in the process can undo it.

The filter is classic BPF over `struct seccomp_data` (Linux `Documentation/userspace-api/
seccomp_filter.rst`); the calls and their numbers stand in `data/system_calls.json`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.scanners.tables import read_table

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_EPERM = 0x00050000 | 1

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_NUMBER, _ARCHITECTURE = 0, 4
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
_IOCTLS = (0x5401, 0x5451)  # TCGETS, by which Python asks for a terminal, and FIOCLEX

Instruction = tuple[int, int, int, int]
"""An operation, the jumps where its test holds and where not, and its constant."""


# Calls that pass only with certain arguments.
_OPENING = {"open": 1, "openat": 2}
_SIGNALLING = ("kill", "tkill", "tgkill")


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor architecture: its number in the kernel's audit, and its calls by name."""

    audit: int
    calls: dict[str, int]
    allowed: tuple[str, ...]
    killing: tuple[str, ...]

    def numbers(self, names: Iterable[str]) -> tuple[int, ...]:
        """The numbers of those calls that the machine has."""
        return tuple(self.calls[name] for name in names if name in self.calls)


def machine_named(name: str) -> Machine | None:
    """What is known of the architecture, or None."""
    table = read_table("system_calls.json")
    row = table["machines"].get(name)
    if row is None:
        return None
    return Machine(row["audit"], row["calls"], tuple(table["allowed"]), tuple(table["killing"]))


def enter() -> bool:
    """Put the filter in force for this process, for good; False where there is none to be had."""
    is_known = sys.platform == "linux" and sys.byteorder == "little" and sys.maxsize > 1 << 32
    machine = machine_named(os.uname().machine) if is_known else None
    if machine is None:
        return False
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    code = b"".join(
        operation.to_bytes(2, "little") + bytes((holds, fails)) + constant.to_bytes(4, "little")
        for operation, holds, fails, constant in program_for(machine, os.getpid())
    )
    instructions = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(instructions))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    filter_at = ctypes.addressof(program)
    return bool(prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_at, 0, 0) == 0)


def program_for(machine: Machine, process: int) -> tuple[Instruction, ...]:
    """The filter for a process of that number.

    A jump reaches at most 255 instructions, so every test is followed by its own answer.
    """
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        # Numbers from here on are x86's second, 32-bit table.
        (_AT_LEAST, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in machine.numbers(machine.allowed):
        code += _when(number, ((_RETURN, 0, 0, _ALLOW),))
    for number in machine.numbers(machine.killing):
        code += _when(number, ((_RETURN, 0, 0, _KILL),))
    for name in machine.calls.keys() & _OPENING.keys():
        code += _when(
            machine.calls[name],
            (
                (_LOAD, 0, 0, _low_half(_OPENING[name])),
                (_ANY_BIT, 0, 1, _WRITING),
                (_RETURN, 0, 0, _KILL),
                (_RETURN, 0, 0, _ALLOW),
            ),
        )
    for number in machine.numbers(_SIGNALLING):
        code += _when(
            number,
            (
                (_LOAD, 0, 0, _low_half(0)),
                (_EQUAL, 1, 0, process),
                (_RETURN, 0, 0, _KILL),
                (_RETURN, 0, 0, _ALLOW),
            ),
        )
    code += _when(
        machine.calls["ioctl"],
        (
            (_LOAD, 0, 0, _low_half(1)),
            *(step for one in _IOCTLS for step in ((_EQUAL, 0, 1, one), (_RETURN, 0, 0, _ALLOW))),
            (_RETURN, 0, 0, _EPERM),
        ),
    )
    # Limits may be read, not set: the pointer to a new one must be null, in both its halves.
    code += _when(
        machine.calls["prlimit64"],
        (
            (_LOAD, 0, 0, _low_half(2)),
            (_EQUAL, 1, 0, 0),
            (_RETURN, 0, 0, _EPERM),
            (_LOAD, 0, 0, _low_half(2) + 4),
            (_EQUAL, 1, 0, 0),
            (_RETURN, 0, 0, _EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ),
    )
    code.append((_RETURN, 0, 0, _EPERM))
    return tuple(code)


def _when(number: int, then: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """`then`, which must end in a return, where the call has that number."""
    return ((_EQUAL, 0, len(then), number), *then)


def _low_half(argument: int) -> int:
    """Where the low 32 bits of an argument stand, on machines that put them first."""
    return 16 + 8 * argument
