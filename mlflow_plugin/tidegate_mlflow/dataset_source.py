"""A data set's file or folder on this machine, and the digest of its bytes on the run that uses it.

MLflow asks for the source of `mlflow.data.from_pandas(df, source="train.csv")`, and for its JSON
when the data set is logged. Ours is MLflow's own, but for this: when it is asked within a run, the
root digest of what lies there goes on the run as a tag, `tidegate.data.train.csv.…`. It does not go
into the JSON: MLflow keeps one row for all data sets that have the same digest of its own, which
covers the first 10,000 rows, and a later run's bytes would go by the name of an earlier one's.

Always holds: logging a data set never fails for its digest; what is too large to be hashed in
passing, or can't be read, has none, and the log says why. The digest is the client's word.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlflow.data.filesystem_dataset_source import FileSystemDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.utils.uri import is_local_uri

from tidegate_mlflow.names import data_tag
from tidegate_mlflow.run_context import SETTING

_log = logging.getLogger(f"mlflow.{__name__}")

_LARGEST = 2 << 30
_LONGEST = 5000
# The last one: MLflow asks for the same JSON more than once.
_noted: dict[str, dict[str, str]] = {}


class LocalArtifactDatasetSource(FileSystemDatasetSource):
    """MLflow's source of that name, which it takes the place of; `uri` is a path or a file URI."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @property
    def uri(self) -> str:
        """The path or file URI, as it was given."""
        return self._uri

    @staticmethod
    def _get_source_type() -> str:
        return "local"

    def load(self, dst_path: str | None = None) -> str:
        """The local path of the data, or of a copy in `dst_path`."""
        from mlflow.artifacts import download_artifacts

        return str(download_artifacts(artifact_uri=self.uri, dst_path=dst_path))

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str | Path) and bool(
            is_local_uri(str(raw_source), is_tracking_or_registry_uri=False)
        )

    @classmethod
    def _resolve(cls, raw_source: Any) -> LocalArtifactDatasetSource:
        return cls(str(raw_source))

    def to_dict(self) -> dict[str, Any]:
        """As MLflow's; asked within a run, the run gets the digest of what lies there now."""
        note_on_run(self.uri)
        return {"uri": self.uri}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> LocalArtifactDatasetSource:
        """Read what `to_dict` wrote, here or in MLflow's own class."""
        uri = source_dict.get("uri")
        if uri is None:
            raise MlflowException(
                'Failed to parse LocalArtifactDatasetSource. Missing expected key: "uri"',
                error_code=INVALID_PARAMETER_VALUE,
            )
        return cls(uri)


def note_on_run(uri: str) -> None:
    """Put the digest on the run that is active in this thread, if there is one."""
    if os.environ.get(SETTING, "on") != "on":
        return
    try:
        import mlflow

        run = mlflow.active_run()
        digest = digest_of(uri) if run is not None else None
        if run is None or digest is None:
            return
        value = f"{digest} {uri}"[:_LONGEST]
        if _noted.get(run.info.run_id, {}).get(uri) != value:
            mlflow.MlflowClient().set_tag(run.info.run_id, data_tag(uri), value)
            _noted.clear()
            _noted[run.info.run_id] = {uri: value}
    except Exception as error:  # noqa: BLE001 - a data set is logged all the same
        _log.info("the digest of %s is not noted: %s", uri, error)


def digest_of(uri: str) -> str | None:
    """The root digest of a local file or folder; None where there is none to be told."""
    from tidegate.artifact import LocalSource, read_manifest
    from tidegate.errors import TidegateError

    try:
        source = LocalSource(url2pathname(urlsplit(uri).path) if uri.startswith("file:") else uri)
        size = sum(file.size for file in source.list_files()[1])
        if size > _LARGEST:
            _log.info("%s is too large to be hashed in passing: %s bytes", uri, size)
            return None
        return read_manifest(source).digest
    except TidegateError as error:
        _log.info("%s has no digest: %s", uri, error.message)
        return None
