"""Builders of what the tests look at: hostile files, databases, records."""
