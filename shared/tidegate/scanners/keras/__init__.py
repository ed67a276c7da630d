"""Keras: what the configuration of a model makes its loader import, call or read.

Always holds: an object passes only by its exact name among Keras' own, kept as data
(`data/keras/`); whatever else a configuration names is a finding.
"""

from tidegate.scanners.keras.judge import KerasPart, judge_object, keras_part
from tidegate.scanners.keras.text import report_config

__all__ = ["KerasPart", "judge_object", "keras_part", "report_config"]
