"""Which commit a folder is at, and whether it was changed since: asked of git itself.

Always holds: a repository's own settings run nothing. Its hooks, file system monitor, external
diff programs, text conversions and filters are switched off; nothing is fetched; no lock is taken
and no file written. git refuses a repository of somebody else's by itself, and that is said. Each
call has a time limit.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.provenance.redaction import Redactor

_SECONDS = 5.0
_CHUNK = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SETTINGS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.untrackedCache", "false"),
    ("diff.external", ""),
    ("submodule.recurse", "false"),
)
# What would point git at another repository than the folder's own, or make it run a program.
_LEFT_OUT = re.compile(
    r"GIT_(?:DIR|WORK_TREE|INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES"
    r"|EXTERNAL_DIFF|DIFF_OPTS|TRACE.*)"
)


@dataclass(frozen=True, slots=True)
class GitState:
    """A work tree as it stands.

    `commit` is None before the first one. `changed` says whether tracked files differ from it,
    `diff` is the SHA-256 of that difference (`git diff HEAD --binary`), in hex. `untracked` counts
    what is neither tracked nor ignored, folders as one; the difference does not cover it. None is
    what could not be told, and `untold` says why.
    """

    root: str
    commit: str | None
    branch: str | None
    remote: str | None
    changed: bool | None
    diff: str | None
    untracked: int | None
    untold: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "commit": self.commit,
            "branch": self.branch,
            "remote": self.remote,
            "changed": self.changed,
            "diff": None if self.diff is None else f"sha256:{self.diff}",
            "untracked": self.untracked,
            "untold": list(self.untold),
        }


def read_git(folder: Path, redactor: Redactor, *, seconds: float = _SECONDS) -> GitState | None:
    """The state of the repository that a folder lies in; None where it lies in none.

    Args:
        folder: an existing folder.
        redactor: takes the credentials out of the remote's URL.
        seconds: how long all of it may take.
    """
    # Where no parent has a `.git`, starting git is a waste.
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    git = _Git(folder, time.monotonic() + seconds)
    try:
        root = git.line("rev-parse", "--show-toplevel")
    except _UntoldError as reason:
        said = redactor.text("git", str(reason))
        return GitState(str(folder), None, None, None, None, None, None, (said,))
    untold: list[str] = []
    try:
        git.quieten_filters()
        is_quiet = True
    except _UntoldError as reason:
        # A filter would run with the first file that is looked at.
        untold.append(str(reason))
        is_quiet = False

    def told(*arguments: str) -> str | None:
        try:
            return git.line(*arguments)
        except _UntoldError as reason:
            if reason.failed:
                untold.append(str(reason))
            return None

    commit = told("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    branch = told("symbolic-ref", "--quiet", "--short", "HEAD")
    # As it is configured: what `insteadOf` makes of it is where some people keep their tokens.
    remote = told("config", "--get", "remote.origin.url")
    changed, untracked = _changes(git, untold) if is_quiet else (None, None)
    diff = None
    if commit is not None and changed:
        try:
            diff = git.hashed("diff", *_DIFF, "HEAD", "--")
        except _UntoldError as reason:
            untold.append(str(reason))
    if (Path(root) / ".gitmodules").exists():
        untold.append("changes within submodules are not looked for")
    return GitState(
        root=redactor.text("the repository", root),
        commit=commit if commit and _COMMIT.fullmatch(commit) else None,
        branch=None if branch is None else redactor.text("the branch", branch),
        remote=None if remote is None else redactor.url(remote),
        changed=changed,
        diff=diff,
        untracked=untracked,
        untold=tuple(redactor.text("git", reason) for reason in untold),
    )


# Spelled out, so that no setting of the user's makes another digest of the same difference.
_DIFF = (
    "--binary",
    "--full-index",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-relative",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    f"-O{os.devnull}",
    "--submodule=short",
    "--ignore-submodules=dirty",
)


def _changes(git: _Git, untold: list[str]) -> tuple[bool | None, int | None]:
    try:
        listed = git.output(
            "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames",
            "--ignore-submodules=dirty",
        )  # fmt: skip
    except _UntoldError as reason:
        untold.append(str(reason))
        return None, None
    entries = [entry for entry in listed.split(b"\0") if entry]
    untracked = sum(entry.startswith(b"?? ") for entry in entries)
    return len(entries) > untracked, untracked


class _UntoldError(Exception):
    """git gave no answer; `failed` where that is more than "there is none"."""

    def __init__(self, reason: str, *, failed: bool = True) -> None:
        super().__init__(reason)
        self.failed = failed


class _Git:
    def __init__(self, folder: Path, deadline: float) -> None:
        self._folder = folder
        self._deadline = deadline
        self._settings = list(_SETTINGS)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not _LEFT_OUT.fullmatch(name)},
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            # For a git that does not know the one above. Outweighs `protocol.NAME.allow`.
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def quieten_filters(self) -> None:
        """Switch off each filter that the repository itself configures; the user's own stay.

        Raises:
            _UntoldError: which they are can't be told.
        """
        try:
            listed = self.output(
                "config", "--show-scope", "--includes", "--name-only", "-z", "--get-regexp",
                r"^filter\..*\.(clean|smudge|process)$",
            )  # fmt: skip
        except _UntoldError as reason:
            if reason.failed:
                raise
            return
        fields = listed.decode("utf-8", "surrogateescape").split("\0")
        for scope, name in zip(fields[::2], fields[1::2], strict=False):
            if scope in ("local", "worktree"):
                filter_ = name.rpartition(".")[0]
                self._settings += [(f"{filter_}.{kind}", "") for kind in ("clean", "process")]
                self._settings.append((f"{filter_}.required", "false"))

    def line(self, *arguments: str) -> str:
        """The one line that a command prints."""
        return self.output(*arguments).decode("utf-8", "backslashreplace").rstrip("\n")

    def output(self, *arguments: str) -> bytes:
        """All that a command prints."""
        try:
            done = subprocess.run(  # noqa: S603 - arguments of ours
                self._command(arguments),
                cwd=self._folder,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._left(),
                check=False,
            )
        except FileNotFoundError:
            raise _UntoldError("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise _UntoldError(f"git {arguments[0]} took too long") from None
        except OSError as error:
            raise _UntoldError(f"git can't be started: {error.strerror}") from None
        self._require(arguments, done.returncode, done.stderr)
        return done.stdout

    def hashed(self, *arguments: str) -> str:
        """The SHA-256 of what a command prints, which may be long."""
        digest = hashlib.sha256()
        with subprocess.Popen(  # noqa: S603 - arguments of ours
            self._command(arguments),
            cwd=self._folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            timer = threading.Timer(self._left(), process.kill)
            timer.start()
            try:
                while chunk := process.stdout.read(_CHUNK):
                    digest.update(chunk)
            finally:
                timer.cancel()
        if process.returncode < 0:
            raise _UntoldError(f"git {arguments[0]} took too long")
        self._require(arguments, process.returncode, b"")
        return digest.hexdigest()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return ["git", "--no-pager", *arguments]

    def _variables(self) -> dict[str, str]:
        """The environment with our settings behind those that the user has in it.

        Not with `-c`, which cuts at the first "=": a filter may have one in its name.
        """
        count = self._environment.get("GIT_CONFIG_COUNT", "")
        first = int(count) if count.isdecimal() else 0
        variables = {**self._environment, "GIT_CONFIG_COUNT": str(first + len(self._settings))}
        for number, (name, value) in enumerate(self._settings, first):
            variables[f"GIT_CONFIG_KEY_{number}"] = name
            variables[f"GIT_CONFIG_VALUE_{number}"] = value
        return variables

    def _left(self) -> float:
        return max(0.01, self._deadline - time.monotonic())

    def _require(self, arguments: tuple[str, ...], code: int, said: bytes) -> None:
        if code == 0:
            return
        lines = said.decode("utf-8", "backslashreplace").strip().splitlines()
        # By git's convention 1 without a word is "there is none".
        reason = lines[0][:300] if lines else f"exit code {code}"
        raise _UntoldError(f"git {arguments[0]}: {reason}", failed=code != 1 or bool(lines))
