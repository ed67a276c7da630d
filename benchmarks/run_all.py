"""Run every experiment of this folder, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

for experiment in sorted(HERE.glob("*.py")):
    if experiment.name != "run_all.py":
        print(f"\n== {experiment.stem}", flush=True)
        subprocess.run([sys.executable, str(experiment)], check=True)
