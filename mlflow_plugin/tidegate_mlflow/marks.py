"""The digest on a version's row, as a tag, so that a client can compare what it downloads.

Always holds: the tag is written in the transaction that decides about the version, by the gate
alone (`reserved` refuses it from everybody else), and says what was read when it was decided.
"""

from __future__ import annotations

from tidegate_mlflow import host
from tidegate_mlflow.names import DIGEST_TAG, UNREAD


def put_digest(version: host.SqlModelVersion, digest: str | None) -> bool:
    """Write the root digest of a version's bytes on its row, in the row's own session.

    Args:
        version: the row, attached to the session that will commit it.
        digest: "sha256:…", or None where the bytes could not be read in full.

    Returns:
        False where the tag said so already.
    """
    value = digest or UNREAD
    for tag in version.model_version_tags:
        if tag.key == DIGEST_TAG:
            changed = bool(tag.value != value)
            tag.value = value
            return changed
    version.model_version_tags.append(host.SqlModelVersionTag(key=DIGEST_TAG, value=value))
    return True
