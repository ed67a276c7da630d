"""Tidegate in MLflow's model registry and before its artifacts.

    mlflow server --registry-store-uri tidegate+sqlite:///mlflow.db --app-name tidegate

puts a gate in front of MLflow's own SQL registry: a version is READY only with a decision that
allows it, and aliases, stages and downloads ask again (`store`). The app guards the files behind
it, by whatever route they are asked for (`apps`). Clients need nothing installed.

Always holds: MLflow's own classes do MLflow's work (the store here is a subclass of them), and
what Tidegate needs of MLflow beyond its public API stands in `host.py` alone.
"""
