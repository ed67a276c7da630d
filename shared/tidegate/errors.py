"""Every error that Tidegate raises on purpose, grouped by who must act.

`TidegateError` is the one root. Below it stand three families: the caller gave something that
can't be used (`UsageError`), the artifact can't be read or may not pass (`ArtifactError`), or
something that Tidegate stands on is missing or broken (`OperatorError`), records that somebody
altered among it (`TamperedError`). An adapter maps the family to its host's own error (an HTTP
status, a failed task); no adapter lets one through as a pass.

Each error can carry a remedy: one sentence that says what to do about it.
"""

from __future__ import annotations


class TidegateError(Exception):
    """The root of all errors raised on purpose."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def explain(self) -> str:
        """The message with its remedy, as a person reads it in a terminal."""
        return f"{self.message}\n  To mend it: {self.remedy}" if self.remedy else self.message


class UsageError(TidegateError):
    """The caller must act: a wrong argument, path or setting."""


class PolicyError(UsageError):
    """A policy file can't be read or is not valid; `problems` has one line for each error."""

    def __init__(
        self, message: str, *, problems: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.problems = problems

    def explain(self) -> str:
        """The message, each problem on a line of its own, and the remedy."""
        return "\n".join([super().explain(), *(f"  - {problem}" for problem in self.problems)])


class ArtifactError(TidegateError):
    """The artifact's author must act: it can't be read as it is, so it can't pass."""


class ArtifactMissingError(ArtifactError):
    """There is no file or folder at the path."""


class ArtifactEmptyError(ArtifactError):
    """The folder holds no file, so there is nothing that evidence could be about."""


class ArtifactUnreadableError(ArtifactError):
    """A part can't be read: a link, a special file, a name that is no text, a missing right."""


class ArtifactLinkError(ArtifactUnreadableError):
    """The folder has symbolic links in it, which are not followed; `links` are their paths."""

    def __init__(
        self, message: str, *, links: tuple[str, ...] = (), remedy: str | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.links = links


class ArtifactChangedError(ArtifactError):
    """The bytes changed while they were read, or are not those that were decided on."""


class OperatorError(TidegateError):
    """Whoever runs Tidegate must act: what it stands on is missing, stale or out of reach."""


class TamperedError(OperatorError):
    """What was signed or recorded is not what it says that it is: somebody may have altered it."""


class LedgerUnavailableError(OperatorError):
    """The ledger can't be reached, or its schema is not the one that this version needs."""


class RecordNotFoundError(UsageError):
    """The ledger holds no record under the id, digest or name that was asked for."""


class AccessRefusedError(UsageError):
    """The token is missing, does not count, or does not reach as far as what was asked for."""
