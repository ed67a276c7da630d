"""Makes the allow-lists of the libraries named: python tools/callables/make.py sklearn numpy.

Run it once more for every new version of a library; what is on a list stays there.
"""

from __future__ import annotations

import importlib
import sys
import warnings


def main(names: list[str]) -> None:
    """Run `libraries/<name>.py` for each name."""
    warnings.simplefilter("ignore")
    for name in names:
        from libraries import others

        if name in others.OTHERS:
            library = others.make(name)
        else:
            library = importlib.import_module(f"libraries.{name}").make()
        library.write()


if __name__ == "__main__":
    main(sys.argv[1:])
