"""7z archives: the header read here, folders unfolded by Python's own decoders.

`header.py` reads the structure (after 7-Zip's `7zFormat.txt`), `coders.py` turns a folder's coders
into decoders, `scanner.py` hands on every file. Where a coder has no decoder here (AES, PPMd,
BCJ2), the files of its folder are unread.
"""
