"""The names that servers and clients both know. Imports nothing, for clients import it early."""

from __future__ import annotations

RESERVED_PREFIX = "tidegate."
"""Tags that begin so, on versions and registered models, are written by a gated registry alone."""

DIGEST_TAG = "tidegate.digest"
"""On each version of a gated registry: the root digest of its bytes as they were decided on."""

UNREAD = "unread"
"""That tag's value where the bytes could not be read in full."""

DEPLOY_TAG = "tidegate.deploy"
"""Setting it asks a gated registry whether the version may be deployed to the place in the value.
It is answered, with 403 or not at all, and recorded as a decision; no tag comes of it."""
