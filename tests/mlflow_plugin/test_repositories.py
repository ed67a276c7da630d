"""The guard stands before every method of every repository, of local and other stores."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import io
import pkgutil
from collections.abc import Iterable
from typing import Any

import mlflow.store.artifact as home
import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import (
    ArtifactRepository,
    MultipartDownloadMixin,
    MultipartUploadMixin,
    PresignedUploadMixin,
    StreamUploadMixin,
)

from tidegate_mlflow import answers, places
from tidegate_mlflow.guarded_places import Use
from tidegate_mlflow.repositories import HARMLESS, METHODS, guarded_by

# What only makes addresses, clients and names of them.
NO_DOORS = {
    "convert_b2_uri_to_s3_endpoint_url",
    "convert_r2_uri_to_s3_endpoint_url",
    "get_ftp_client",
    "is_run_uri",
    "for_workspace",
    "get_s3_file_upload_extra_args",
    "get_underlying_uri",
    "is_models_uri",
    "is_runs_uri",
    "is_logged_model_uri",
    "parse_gcs_uri",
    "parse_r2_uri",
    "parse_b2_uri",
    "parse_runs_uri",
    "parse_s3_compliant_uri",
    "parse_wasbs_uri",
    "resolve_uri",
    "split_models_uri",
    "artifact_dir",
    "chunk_thread_pool",
    "hdfs_artifact_root",
}


def _repositories() -> Iterable[type]:
    for module in pkgutil.iter_modules(home.__path__):
        if "databricks" in module.name or "unity" in module.name or module.name.startswith("uc_"):
            continue
        try:
            loaded = importlib.import_module(f"mlflow.store.artifact.{module.name}")
        except ImportError:
            # A cloud's client that is not installed.
            continue
        for _, found in inspect.getmembers(loaded, inspect.isclass):
            mixins = (MultipartDownloadMixin, MultipartUploadMixin, PresignedUploadMixin)
            if issubclass(found, (ArtifactRepository, StreamUploadMixin, *mixins)):
                yield found


def test_each_public_method_of_mlflows_repositories_is_guarded_or_known_to_be_harmless() -> None:
    found = {
        f"{kind.__name__}.{name}"
        for kind in _repositories()
        for name in dir(kind)
        if not name.startswith("_")
        and callable(getattr(kind, name))
        and name not in METHODS
        and name not in HARMLESS
        and name not in NO_DOORS
    }
    assert found == set()


def test_each_method_that_is_guarded_is_there() -> None:
    known = {name for kind in _repositories() for name in dir(kind)}
    assert set(METHODS) <= known


class CloudRepository(
    ArtifactRepository,
    MultipartUploadMixin,
    MultipartDownloadMixin,
    PresignedUploadMixin,
    StreamUploadMixin,
):
    """A store with every way in and out that MLflow knows, and nothing behind them."""

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> str:
        return "done"

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> str:
        return "done"

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        return []

    def _download_file(self, remote_file_path: str, local_path: str) -> str:
        return "done"

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        return "done"

    def delete_artifacts(self, artifact_path: str | None = None) -> str:
        return "done"

    def create_multipart_upload(
        self, local_file: str, num_parts: int = 1, artifact_path: str | None = None
    ) -> str:
        return "done"

    def complete_multipart_upload(
        self, local_file: str, upload_id: str, parts: Any = None, artifact_path: str | None = None
    ) -> str:
        return "done"

    def abort_multipart_upload(
        self, local_file: str, upload_id: str, artifact_path: str | None = None
    ) -> str:
        return "done"

    def get_download_presigned_url(self, artifact_path: str, expiration: int = 300) -> str:
        return "done"

    def create_presigned_upload_url(self, artifact_path: str, expiration: int = 900) -> str:
        return "done"

    def log_artifact_from_stream(
        self, stream: Any, artifact_file_name: str, artifact_path: str | None = None
    ) -> str:
        while stream.read(4):
            pass
        return "done"

    async def log_artifact_from_async_stream(
        self, chunks: Any, artifact_file_name: str, artifact_path: str | None = None
    ) -> str:
        async for _ in chunks:
            pass
        return "done"


class FrozenFolder:
    """A guard that refuses whatever touches one folder, once it is registered."""

    def __init__(self, folder: str, *, registered: bool = True) -> None:
        self.folder = folder
        self.registered = registered
        self.asked: list[tuple[Use, bool]] = []

    def require(self, use: Use, asked: Iterable[str], *, anew: bool = False) -> None:
        self.asked.append((use, anew))
        for place in asked:
            reached = use is Use.SWEEP and places.is_within(self.folder, place)
            if self.registered and (reached or places.is_within(place, self.folder)):
                raise answers.refused("frozen")


def _repository(guard: FrozenFolder, root: str = "s3://Bucket/root") -> Any:
    return guarded_by(guard)(CloudRepository(root))  # type: ignore[arg-type]


FOLDER = "s3://bucket/root/1/models/m"

WAYS = [
    lambda repository, path: repository.log_artifact("/tmp/x", path),
    lambda repository, path: repository.log_artifact("/tmp/x", artifact_path=path),
    lambda repository, path: repository.log_artifacts("/tmp/x", path),
    lambda repository, path: repository.delete_artifacts(path),
    lambda repository, path: repository.download_artifacts(path),
    lambda repository, path: repository._download_file(path, "/tmp/x"),
    lambda repository, path: repository.get_download_presigned_url(path),
    lambda repository, path: repository.create_presigned_upload_url(path, expiration=10),
    lambda repository, path: repository.create_multipart_upload("x", 2, path),
    lambda repository, path: repository.create_multipart_upload(f"{path}/x", 2, ""),
    lambda repository, path: repository.complete_multipart_upload("x", "id", [], path),
    lambda repository, path: repository.abort_multipart_upload("x", "id", artifact_path=path),
    lambda repository, path: repository.log_artifact_from_stream(io.BytesIO(b"abc"), "x", path),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "path", ["1/models/m", "1//models/./m/data", "1/%6dodels/m", "/1/models/m"]
)
def test_every_way_into_a_frozen_folder_of_a_bucket_is_refused(way: Any, path: str) -> None:
    with pytest.raises(MlflowException, match="frozen"):
        way(_repository(FrozenFolder(FOLDER)), path)
    with pytest.raises(MlflowException, match="frozen"):
        way(_repository(FrozenFolder(FOLDER), "s3://bucket/root/1/models/"), "m/x")


@pytest.mark.parametrize("way", WAYS)
def test_every_way_elsewhere_is_open_and_a_path_that_leads_out_is_none(way: Any) -> None:
    repository = _repository(FrozenFolder(FOLDER))
    assert way(repository, "1/models/mm") == "done"
    with pytest.raises(MlflowException, match="no artifact"):
        way(repository, "1/../../x")


def test_a_guarded_repository_is_still_of_its_kind() -> None:
    repository = _repository(FrozenFolder(FOLDER))
    assert isinstance(repository, MultipartUploadMixin)
    assert isinstance(repository, CloudRepository)
    assert type(_repository(FrozenFolder(FOLDER))) is type(repository)


def test_an_upload_asks_again_at_its_end() -> None:
    guard = FrozenFolder(FOLDER, registered=False)
    repository = _repository(guard)

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            guard.registered = True
            return super().read(size)

    with pytest.raises(MlflowException, match="frozen"):
        repository.log_artifact_from_stream(Stream(b"abcdefgh"), "x", "1/models/m")
    assert guard.asked[-1] == (Use.WRITE, True)

    async def chunks() -> Any:
        yield b"abc"
        guard.registered = True
        yield b"def"

    guard.registered = False
    with pytest.raises(MlflowException, match="frozen"):
        asyncio.run(repository.log_artifact_from_async_stream(chunks(), "x", "1/models/m"))
