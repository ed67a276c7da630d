"""GGUF: the models of llama.cpp and its kin, with their metadata and chat templates.

`reader` takes a file apart and holds its claims together; `scanner` judges what stands in it.
"""
