"""What can be told about a step of a pipeline from where it runs: code, environment, machine.

    probe = HostProbe.start()
    around = of_this_program(Redactor())
    around.code.git.commit, around.environment.libraries, probe.result().processor

Always holds: nothing of a library that is captured is imported, no credential is kept
(`redaction.py`), and what can't be told is left out and named as untold. Capturing never raises
for what it finds: a step is not worth less for a broken repository. It takes about a tenth of a
second; what may take longer has a time limit.
"""

from tidegate.provenance.code import CodeVersion, SourceFile
from tidegate.provenance.environment import Environment, LockFile
from tidegate.provenance.git import GitState
from tidegate.provenance.host import Gpu, Host, HostProbe
from tidegate.provenance.redaction import HIDDEN, Redactor
from tidegate.provenance.surroundings import (
    Surroundings,
    code_in,
    of_command,
    of_this_program,
    with_what_came_since,
)

__all__ = [
    "HIDDEN",
    "CodeVersion",
    "Environment",
    "GitState",
    "Gpu",
    "Host",
    "HostProbe",
    "LockFile",
    "Redactor",
    "SourceFile",
    "Surroundings",
    "code_in",
    "of_command",
    "of_this_program",
    "with_what_came_since",
]
