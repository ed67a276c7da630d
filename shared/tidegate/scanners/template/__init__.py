"""Jinja templates, as chat templates and prompts carry them: judged by their syntax tree.

`parse` makes the tree with Jinja's own parser and renders nothing; `folding` works out the texts
that a template builds; `judge` holds the tree to what honest templates do; `fragments` finds
templates inside other texts; `scanner` reads files.
"""
