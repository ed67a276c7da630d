"""MessagePack: the parameters that Flax writes, and most of what spaCy and thinc keep on disk.

(The folder is not called msgpack, lest it be taken for the library of that name.)
"""
