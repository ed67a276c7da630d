"""The schema's migrations, run by `tidegate.ledger.upgrade` over a connection that it gives."""
