"""Tar archives: every header read and checked here, each member handed on.

`headers.py` reads one member's headers (ustar, GNU long names, pax records), `scanner.py` walks
the archive. Python's own tarfile is not asked: it ends at the first block that it does not
understand, and says nothing.
"""
