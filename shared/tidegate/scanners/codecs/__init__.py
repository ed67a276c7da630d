"""Decompressors that Python's library has not, or not in the form that containers use.

All of them have the shape of `tidegate.scanners.streams.Codec`, so that one bounded expansion
serves them. They are written here so that a verdict does not depend on what is installed.
"""
