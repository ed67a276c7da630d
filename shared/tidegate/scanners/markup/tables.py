"""What markup's readers take for dangerous or harmless: tables from data, and patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tidegate.scanners.tables import read_table


@dataclass(frozen=True, slots=True)
class MarkupTable:
    """The names that are known; `data/markup.json`."""

    harmless_doctypes: frozenset[str]
    harmless_places: tuple[str, ...]
    encodings: frozenset[str]
    running_roots: tuple[tuple[str, str], ...]
    running_namespaces: tuple[tuple[str, str], ...]


@cache
def markup_table() -> MarkupTable:
    """The table, read once."""
    table = read_table("markup.json")
    return MarkupTable(
        harmless_doctypes=frozenset(table["harmless_doctypes"]),
        harmless_places=tuple(table["harmless_places"]),
        encodings=frozenset(table["encodings"]),
        running_roots=tuple(sorted(table["running_roots"].items())),
        running_namespaces=tuple(sorted(table["running_namespaces"].items())),
    )


CODE = re.compile(
    r"""
      \b(?:os\s*\.\s*(?:system|popen|exec\w*|spawn\w*)|subprocess\b|__import__|importlib\s*\.)
    | \b(?:eval|exec|execfile|compile|getattr)\s*\(
    | \bimport\s+(?:os|sys|subprocess|socket|ctypes|pickle|shutil|pty)\b
    | \b(?:builtins|__builtins__|__globals__|__subclasses__)\b
    | \bjava\s*\.\s*lang\s*\.\s*(?:Runtime|ProcessBuilder|reflect)\b
    | \bRuntime\s*\.\s*getRuntime\b | \bProcessBuilder\b | \bjavax\s*\.\s*script\b
    | \bScriptEngine(?:Manager)?\b | \bClass\s*\.\s*forName\b | \b(?:jndi|rmi|ldaps?)\s*:
    | /bin/(?:ba|z|k|c|da)?sh\b | \b(?:powershell|pwsh|cmd\.exe|mshta|rundll32|regsvr32)\b
    | \b(?:curl|wget)\s+\S*(?:https?:|-) | \bnc\s+-\w | \brm\s+-rf\b | \bchmod\s+\+?[0-7x]
    | \bbase64\s+(?:-d|--decode)\b | <\s*/?\s*script\b | \bjavascript\s*: | \bvbscript\s*:
    | \bWScript\b | \bActiveXObject\b | \bnew\s+Function\s*\( | \bchild_process\b
    | \bpickle\s*\.\s*loads?\b | \bmarshal\s*\.\s*loads\b
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""What reads like code or a command where a model or a picture has no business with either."""

NUMBERS = re.compile(r"[-+0-9.,eE\s]*")
"""Texts in which nothing can stand but numbers."""

LONGEST_CODE = 64
"""How much of a text's end must be kept so that a match across two chunks is found."""

HANDLER = re.compile(
    r"on(?:abort|activate|animation\w+|auxclick|before\w+|begin|blur|cancel|canplay\w*|change|click"
    r"|close|contextmenu|copy|cut|dblclick|drag\w*|drop|end|ended|error|focus\w*|fullscreenchange"
    r"|hashchange|input|invalid|key\w+|load\w*|message\w*|mouse\w+|offline|online|page\w+|paste"
    r"|play\w*|pointer\w+|popstate|progress|ratechange|repeat|reset|resize|scroll\w*|search|seek\w+"
    r"|select\w*|show|start|storage|submit|suspend|toggle|touch\w+|transition\w+|unload|volumechange"
    r"|wheel|zoom)",
    re.IGNORECASE | re.ASCII,
)
"""Attributes whose value a browser runs."""

SCRIPT_URL = re.compile(
    r"\s*(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|v\s*b\s*s\s*c\s*r\s*i\s*p\s*t)\s*:"
    r"|\s*data:(?:text/html|text/xml|application/(?:xhtml|xml|javascript)|image/svg)",
    re.IGNORECASE | re.ASCII,
)
"""Addresses that run something or open a page of their own."""

OUTSIDE_URL = re.compile(
    r"\s*(?:[a-z][a-z0-9+.-]*:)?//|\s*(?:file|jar|php|expect|gopher|ftp|netdoc|smb):|\\\\\w",
    re.IGNORECASE | re.ASCII,
)
"""Addresses that lead out of the file's folder."""

LIBRARY = re.compile(r"\.(?:so(?:\.\d+)*|dll|dylib|exe|jar|py|pyd|sh|bat)\s*$", re.IGNORECASE)
"""Names of what could be run or loaded."""
