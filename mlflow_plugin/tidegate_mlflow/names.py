"""The names that servers and clients both know. Imports nothing, for clients import it early."""

from __future__ import annotations

RESERVED_PREFIX = "tidegate."
"""Tags that begin so, on versions and registered models, are written by a gated registry alone."""

DIGEST_TAG = "tidegate.digest"
"""On each version of a gated registry: the root digest of its bytes as they were decided on."""

UNREAD = "unread"
"""That tag's value where the bytes could not be read in full."""
