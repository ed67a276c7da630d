"""What a Python source does is found by whatever name, detour or moment it does it."""

from __future__ import annotations

import pytest
from samples.hostile_sources import IN_FUNCTIONS, ON_IMPORT
from samples.scanned import grave_rules_of, scanned


@pytest.mark.parametrize("name", ON_IMPORT)
def test_a_source_that_does_harm_on_import_is_held(name):
    assert grave_rules_of(scanned(ON_IMPORT[name].encode(), "module.py"))


@pytest.mark.parametrize("name", IN_FUNCTIONS)
def test_a_source_that_does_harm_when_it_is_used_is_held(name):
    file = "hubconf.py" if name == "hubconf" else "module.py"
    assert grave_rules_of(scanned(IN_FUNCTIONS[name].encode(), file))
