"""Protobuf messages, binary and text, read piece by piece against the schema of their format.

`schema` has the messages by name, from data; `wire` walks a binary message and `text` one in the
text format; both hand each message, once it is complete, to a `Judge` (`tree`). Nothing is
generated or imported for a message, and a tensor's bytes are passed over by seeking.
"""
