"""Nothing honest is held: models of Keras."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples.honest import assert_allowed, written
from samples.honest.keras_files import WRITERS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", WRITERS)
def test_an_honest_artifact_is_allowed(name: str, tmp_path: Path) -> None:
    assert_allowed(written(WRITERS, name, tmp_path))
