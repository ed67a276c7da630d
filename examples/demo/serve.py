"""Leave a gated MLflow server up: `make serve`. Everything is kept in demo-server/."""

from __future__ import annotations

import os
from pathlib import Path

from server import command

PORT = int(os.environ.get("PORT", "5000"))

folder = Path("demo-server").absolute()
(folder / "artifacts").mkdir(parents=True, exist_ok=True)
line = command(folder, PORT)
print(f"MLflow with the gate at http://127.0.0.1:{PORT}, its data in {folder}")
print(f"For reviews: export TIDEGATE_LEDGER=sqlite:///{folder}/mlflow.db; tidegate review list")
os.execv(line[0], line)
