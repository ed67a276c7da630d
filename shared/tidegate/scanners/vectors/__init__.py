"""Vectors of words, matrices and checksums in formats of their own: fastText, word2vec, MATLAB.

Their loaders read numbers and words. Each is followed by its own counts to the last byte.
"""
