"""Why a file was not converted."""

from __future__ import annotations

from tidegate.errors import ArtifactError


class RefusedError(ArtifactError):
    """The file holds something other than plain tensors, or contradicts itself."""
