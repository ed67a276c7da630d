"""What a file is, told by its first and last bytes.

Always holds: the content decides. A file's name does two things only: it chooses among texts
that are harmless as text (an MLmodel file, requirements, YAML), and it can add a stricter
reading (a text called `x.py` is Python source); it never takes a reading away. A file that can
be read as several formats is told as all of them, and each is scanned. What is not recognised
is `UNKNOWN`, which nobody may take for harmless.

Pickles of protocol 0 and 1 have no magic number. The scanners' dispatcher asks the pickle probe
about every file that is not told as a pickle here.
"""

from tidegate.artifact.formats.detect import binary_formats, detect_format, detect_formats
from tidegate.artifact.formats.kinds import TORCH_LEGACY_MAGIC, ZIP_FORMATS, Format
from tidegate.artifact.formats.text import is_text

__all__ = [
    "TORCH_LEGACY_MAGIC",
    "ZIP_FORMATS",
    "Format",
    "binary_formats",
    "detect_format",
    "detect_formats",
    "is_text",
]
