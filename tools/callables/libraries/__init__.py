"""One module for each library: `make()` builds its allow-list."""
