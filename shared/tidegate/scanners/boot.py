"""Starting the interpreter of a worker process, for `pool` and, sooner, for the command line.

Kept apart, and light, so that a command that knows that it is going to scan can have the process
on its way before it has imported anything else. Always holds: the process gets none of the
environment's credentials, reads nothing from the current folder, the user's own packages or
`PYTHONPATH`, and runs no `.pth` file: it is told where the packages are that this one imports.
"""

from __future__ import annotations

import os
import subprocess
import sys

_CODE_ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
_BOOT = "import sys; sys.path += sys.argv[1:]; from tidegate.scanners.worker import main; main()"

_booted: list[subprocess.Popen[bytes]] = []


def start() -> subprocess.Popen[bytes]:
    """A process that is about to run `worker.main`; the one started early, if there is one.

    Raises:
        OSError: the system starts none.
    """
    return _booted.pop() if _booted else _start()


def start_early() -> None:
    """Start the process that the next `start` gives; a failure shows there.

    To be called once, by a process with nothing else in it.
    """
    try:
        _booted.append(_start())
    except OSError:
        return


def end_early() -> None:
    """End the process that was started early, where nobody came to need it."""
    while _booted:
        process = _booted.pop()
        process.kill()
        process.communicate()


def _start() -> subprocess.Popen[bytes]:
    packages = _package_folders()
    # Without `site`, which takes as long as the interpreter itself, the folders must be known.
    without_site = ["-S"] if packages else []
    options = ["-I", *without_site, "-B", "-X", "utf8"]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, *options, "-c", _BOOT, _CODE_ROOT, *packages],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_bare_environment(),
        cwd="/",
        start_new_session=True,
        bufsize=0,
    )


def _package_folders() -> list[str]:
    """The folders of this interpreter's installed packages, without those of the user alone."""
    ours = (sys.prefix, sys.base_prefix, sys.exec_prefix)
    return [
        place
        for place in sys.path
        if os.path.basename(place) in {"site-packages", "dist-packages"}
        and os.path.isabs(place)
        and place.startswith(tuple(prefix.rstrip(os.sep) + os.sep for prefix in ours))
    ]


def _bare_environment() -> dict[str, str]:
    """No credentials, proxies or Python settings; only what an interpreter may need to start."""
    kept = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "PYENV_VERSION")
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"} | {
        name: os.environ[name] for name in kept if name in os.environ
    }
