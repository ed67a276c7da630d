"""One module for each step of the schema. A step that has been released is never edited."""
