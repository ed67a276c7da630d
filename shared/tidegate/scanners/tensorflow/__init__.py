"""TensorFlow: SavedModels, graphs, checkpoints, records and TFLite models.

A graph is a program: its operators are judged by default deny, wherever they stand.
"""
