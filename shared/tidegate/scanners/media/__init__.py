"""Pictures, sound and film: followed from mark to mark to their end.

Always holds: no pixel is decoded. A file passes where its own lengths lead exactly to its end;
what follows is found, and what lies in parts for text, metadata or nobody in particular is
looked at for programs, archives and pickles.
"""
