"""The names that servers and clients both know. Imports little, for clients import it early."""

from __future__ import annotations

import hashlib
import re

RESERVED_PREFIX = "tidegate."
"""Tags that begin so, on versions and registered models, are written by a gated registry alone."""

DIGEST_TAG = "tidegate.digest"
"""On each version of a gated registry: the root digest of its bytes as they were decided on."""

UNREAD = "unread"
"""That tag's value where the bytes could not be read in full."""

DEPLOY_TAG = "tidegate.deploy"
"""Setting it asks a gated registry whether the version may be deployed to the place in the value.
It is answered, with 403 or not at all, and recorded as a decision; no tag comes of it."""

MODEL_META = "registered_model_meta"
"""The file in which MLflow notes, in a download, which version it was."""

DATA_TAG = "tidegate.data."
"""On a run, with more behind it: the root digest of a data set that it used, a blank, its URI."""


def data_tag(uri: str) -> str:
    """The tag of a data set on a run: by its file's name, for people, and by all of its URI."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", uri.rstrip("/").rpartition("/")[2])[:80]
    return f"{DATA_TAG}{name}.{hashlib.sha256(uri.encode()).hexdigest()[:12]}"
