"""YAML texts: tags that build Python objects, and the environments that MLflow writes."""
