"""The last door before the bytes: every artifact repository of the server, with the guard in it.

Whatever route a request came by, and however its path was written, MLflow ends by calling one of
a repository's methods with the path as it has understood it. The guard stands there, and so reads
no path differently from those who then use it. A refusal is MLflow's own exception, which every
route turns into the error that MLflow's client prints.

Always holds: each method that hands out or changes bytes is in `METHODS`; a test compares them
with those of every repository that MLflow brings, so that one that is new is noticed.
"""

from __future__ import annotations

import functools
import inspect
import posixpath
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from mlflow.store.artifact.artifact_repo import ArtifactRepository

from tidegate_mlflow import answers, host, places
from tidegate_mlflow.guard import Guard
from tidegate_mlflow.guarded_places import Use

_Arguments = Mapping[str, Any]

_DRAINED = 64 << 20


def _path(arguments: _Arguments) -> tuple[str, ...]:
    return (str(arguments.get("artifact_path") or ""),)


def _named(arguments: _Arguments) -> tuple[str, ...]:
    """A file with the given one's name in the folder; stores may take its whole path as well."""
    folder = str(arguments.get("artifact_path") or "")
    name = str(arguments.get("local_file") or arguments.get("artifact_file_name") or "")
    return (posixpath.join(folder, posixpath.basename(name)),)


def _multipart(arguments: _Arguments) -> tuple[str, ...]:
    folder, name = str(arguments.get("artifact_path") or ""), str(arguments["local_file"])
    joined = posixpath.join(folder, name.lstrip("/"))
    return (folder, posixpath.join(folder, posixpath.basename(name)), joined)


def _remote_file(arguments: _Arguments) -> tuple[str, ...]:
    return (str(arguments.get("remote_file_path") or ""),)


def _whole(_: _Arguments) -> tuple[str, ...]:
    return ("",)


def _attachment(arguments: _Arguments) -> tuple[str, ...]:
    name = arguments.get("path") or arguments.get("attachment_id") or ""
    return (posixpath.join("attachments", str(name)),)


@dataclass(frozen=True, slots=True)
class Door:
    """What a method does, and with which paths."""

    use: Use
    paths: Callable[[_Arguments], tuple[str, ...]]


METHODS: dict[str, Door] = {
    "get_local_path": Door(Use.READ, _path),
    "download_artifacts": Door(Use.READ, _path),
    "_download_file": Door(Use.READ, _remote_file),
    "get_download_presigned_url": Door(Use.READ, _path),
    "download_trace_data": Door(Use.READ, _whole),
    "download_trace_data_to_file": Door(Use.READ, _whole),
    "download_archived_trace_data": Door(Use.READ, _whole),
    "download_trace_attachment": Door(Use.READ, _attachment),
    "download_trace_attachment_to_file": Door(Use.READ, _attachment),
    "log_artifact": Door(Use.WRITE, _named),
    "log_artifact_from_stream": Door(Use.WRITE, _named),
    "log_artifact_from_async_stream": Door(Use.WRITE, _named),
    "log_artifacts": Door(Use.SWEEP, _path),
    "delete_artifacts": Door(Use.SWEEP, _path),
    "create_multipart_upload": Door(Use.WRITE, _multipart),
    "complete_multipart_upload": Door(Use.WRITE, _multipart),
    "abort_multipart_upload": Door(Use.WRITE, _multipart),
    "create_presigned_upload_url": Door(Use.WRITE, _path),
    "upload_trace_data": Door(Use.WRITE, _whole),
    "upload_archived_trace_data": Door(Use.WRITE, _whole),
    "upload_archived_trace_data_bytes": Door(Use.WRITE, _whole),
    "upload_attachment": Door(Use.WRITE, _attachment),
}
"""Every method that hands out or changes bytes."""

HARMLESS = frozenset({"list_artifacts", "flush_async_logging", "max_workers"})
"""What shows names only: whoever reviews what is held must see what there is."""

_RESOLVING = ("runs", "models")
"""Schemes whose repositories only find another one, which is guarded itself."""


def guarded_by(guard: Guard) -> Callable[[ArtifactRepository], ArtifactRepository]:
    """What puts a guard into a repository."""

    def wrap(repository: ArtifactRepository) -> ArtifactRepository:
        uri = str(repository.artifact_uri)
        if uri.partition(":")[0].lower() in _RESOLVING:
            return repository
        repository._tidegate_guard = guard
        repository._tidegate_folder = host.local_folder(uri)
        kind: Any = type(repository)
        repository.__class__ = _guarded_class(kind)
        return repository

    return wrap


@functools.cache
def _guarded_class(kind: Any) -> Any:
    """The same class, asking first. MLflow goes by classes, so it must stay one of that kind."""
    doors = {name: _door(kind, name, door) for name, door in METHODS.items() if hasattr(kind, name)}
    return type(f"Guarded{kind.__name__}", (kind,), doors)


def _door(kind: type[ArtifactRepository], name: str, door: Door) -> Callable[..., Any]:
    method = getattr(kind, name)
    signature = inspect.signature(method)

    def ask(repository: Any, args: tuple[Any, ...], kwargs: _Arguments, *, anew: bool) -> None:
        arguments = signature.bind(repository, *args, **kwargs).arguments
        base, folder = repository.artifact_uri, repository._tidegate_folder
        try:
            asked = [
                place for path in door.paths(arguments) for place in places.of(base, folder, path)
            ]
        except ValueError as error:
            raise answers.invalid("Tidegate: there can be no artifact at this path.") from error
        repository._tidegate_guard.require(door.use, asked, anew=anew)

    if name == "log_artifact_from_async_stream":

        @functools.wraps(method)
        async def uploaded(self: Any, chunks: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                ask(self, (chunks, *args), kwargs, anew=False)
            except Exception:
                await _drain(chunks)
                raise

            async def asked_again() -> AsyncIterator[bytes]:
                async for chunk in chunks:
                    yield chunk
                # An upload may take hours, and what it writes to may be registered by now.
                ask(self, (chunks, *args), kwargs, anew=True)

            return await method(self, asked_again(), *args, **kwargs)

        return uploaded

    if name == "log_artifact_from_stream":

        @functools.wraps(method)
        def written(self: Any, stream: BinaryIO, *args: Any, **kwargs: Any) -> Any:
            try:
                ask(self, (stream, *args), kwargs, anew=False)
            except Exception:
                _drain_now(stream)
                raise
            again = functools.partial(ask, self, (stream, *args), kwargs, anew=True)
            return method(self, _AskingAtItsEnd(stream, again), *args, **kwargs)

        return written

    @functools.wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        ask(self, args, kwargs, anew=False)
        return method(self, *args, **kwargs)

    return called


class _AskingAtItsEnd:
    """An upload's stream that asks once more before its end is seen."""

    def __init__(self, stream: BinaryIO, ask: Callable[[], None]) -> None:
        self._stream = stream
        self._ask = ask

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        if not chunk or size < 0:
            self._ask()
        return chunk


async def _drain(chunks: Any) -> None:
    """Take what is still being sent, up to a limit: who is cut off while sending sees no reason."""
    left = _DRAINED
    async for chunk in chunks:
        left -= len(chunk)
        if left <= 0:
            return


def _drain_now(stream: BinaryIO) -> None:
    left = _DRAINED
    while left > 0 and (chunk := stream.read(1 << 20)):
        left -= len(chunk)
