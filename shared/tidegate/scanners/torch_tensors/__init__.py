"""What the pickles of torch say about tensors and storages, read as data.

`reader.py` reads one pickle, `dtypes.py` knows torch's element types. The scanner of the old
format measures files by it, and `tidegate.convert` finds the tensors' bytes.
"""
