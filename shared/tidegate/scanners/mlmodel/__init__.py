"""MLflow's MLmodel file, and the small files beside it that name a module to import."""
