"""`python -m tidegate` is the `tidegate` command.

Python puts the current folder first among the places it imports from when it is started so, and
that folder may be the very model that is to be looked at. It is taken out before anything else
is imported; `python -P -m tidegate`, or the `tidegate` command, never has it there.
"""

from __future__ import annotations

import os
import sys

if not sys.flags.safe_path and sys.path and sys.path[0] in {"", os.getcwd()}:  # noqa: PTH109
    del sys.path[0]

from tidegate.cli import main

if __name__ == "__main__":
    sys.exit(main())
