"""Zip archives: the directory and every header read here, each member handed on.

`directory.py` reads the structure and names what is wrong with it, `members.py` opens the
contents, `torch.py` knows what a torch archive keeps where, `scanner.py` joins them. Python's own
zipfile is not asked: what matters is where readers differ, and each reader hides that.
"""
