"""Recording the steps of a pipeline: in a script or notebook, around a command, or by hand.

    with tidegate.step("train", inputs=["train.csv"], parameters={"depth": 3}) as s:
        …
        s.output("model.skops")

`running.py` is the step while it runs, `materials.py` and `outputs.py` what goes in and comes out,
`command.py` runs a command as if nobody stood in between, `keeping.py` puts the step on record.
"""

from tidegate.recorder.keeping import UnrecordedStepWarning
from tidegate.recorder.running import RunningStep

step = RunningStep
"""`tidegate.step(name, inputs=[…], …)`: see `RunningStep`."""

__all__ = ["RunningStep", "UnrecordedStepWarning", "step"]
