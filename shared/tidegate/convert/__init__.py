"""A torch state dict into safetensors, without unpickling anything.

    done = convert("model.pt", "model.safetensors")

The pickle is read as data (`tidegate.scanners.torch_tensors`): where it says `_rebuild_tensor_v2`,
its arguments say which bytes of which storage a tensor is made of, and that is all that is needed.
The bytes are found in the file (`checkpoint.py`), brought into order (`strides.py`) and written
(`writer.py`).

Always holds: nothing of the input is imported, called or trusted; what is no plain tensor is
refused by name; the output is whole or is not there; memory does not grow with the tensors.
"""

from tidegate.convert.convert import Converted, convert
from tidegate.convert.errors import RefusedError

__all__ = ["Converted", "RefusedError", "convert"]
