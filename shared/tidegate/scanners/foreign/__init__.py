"""Objects that other languages serialise: R's and Java's.

Always holds: default deny for code. Plain vectors, lists and frames pass; what runs when it is
read or used is found, and a class or function that nobody has looked at is held.
"""
