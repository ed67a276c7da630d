"""TorchScript: the language in which torch's archives carry the code of a model.

It can't import or call Python; what it reaches is torch's operators. So code passes that is of
the form which torch prints and names operators of the table `data/torchscript.json` alone.
`operators.py` reads that table, `source.py` the code, `archive.py` the parts of an archive.
"""
