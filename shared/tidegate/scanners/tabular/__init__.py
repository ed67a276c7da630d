"""Tables as files: Parquet, Arrow, Avro, SQLite.

Their libraries read numbers and texts. What is judged here is what makes one do more: types that
unpickle their own metadata, columns in other files, schemas that name classes, triggers that
load libraries; and bytes that belong to no part of the table.
"""
