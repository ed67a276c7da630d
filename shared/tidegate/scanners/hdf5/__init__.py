"""HDF5: a reader of our own, for the structure of a file and for all that leads out of it.

The HDF5 library is a large body of C that would run on hostile bytes; nothing here uses it. The
File Format Specification (version 3.0, support.hdfgroup.org) gives the structures.
"""
