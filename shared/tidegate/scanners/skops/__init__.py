"""skops files: the tree in schema.json, and every type and function that loading it reaches.

`schema.py` reads the tree, `judging.py` says what a type's standing means here, `scanner.py`
knows what each kind of node does on load (skops 0.10 to 0.16, protocols 0 to 2), `states.py`
judges what the objects get as their state.
"""
