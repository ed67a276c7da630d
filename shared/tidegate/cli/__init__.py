"""The `tidegate` command.

Each command is a module of its own here and is imported when it is called; what it works with is
imported when it runs. So `tidegate --version` costs next to nothing, and `tidegate scan` loads
neither a database library nor an SBOM library, and starts what takes time before all else.

Exit codes, for every command: 0 pass, 1 held by policy, 2 wrong usage or configuration,
3 inconclusive. Whatever goes wrong in a way that nobody foresaw is 3: no crash reads as a pass.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default this process's own; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from tidegate import __version__

        print(f"tidegate {__version__}")
        return 0
    if given[:1] == ["scan"] and not {"-h", "--help"}.intersection(given):
        return _scan(given)
    from tidegate.cli.run import run

    return run(given)


def _scan(given: Sequence[str]) -> int:
    from tidegate.cli import early

    early.begin(given[1:])
    try:
        from tidegate.cli.run import run

        return run(given)
    finally:
        early.end()
