"""Tidegate in MLflow's model registry.

    mlflow server --registry-store-uri tidegate+sqlite:///mlflow.db

puts a gate in front of MLflow's own SQL registry: a version is READY only with a decision that
allows it, and aliases, stages and downloads ask again. Clients need nothing installed.

Always holds: MLflow's own classes do MLflow's work (the store here is a subclass of them), and
what Tidegate needs of MLflow beyond its public API stands in `host.py` alone.
"""
