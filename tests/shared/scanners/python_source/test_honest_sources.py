"""Sources that honestly travel with models: notes, and nothing that holds them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from samples.scanned import grave_rules_of, scanned

HONEST: dict[str, str] = {
    "a model from code": """
import mlflow
from mlflow.pyfunc import PythonModel
class Model(PythonModel):
    def load_context(self, context):
        import joblib
        self.model = joblib.load(context.artifacts["model"])
        with open(context.artifacts["labels"], encoding="utf-8") as file:
            self.labels = file.read().splitlines()
    def predict(self, context, model_input, params=None):
        return [self.labels[i] for i in self.model.predict(model_input)]
mlflow.models.set_model(Model())
""",
    "a chain from code": """
import os
import mlflow
from langchain_openai import ChatOpenAI
config = mlflow.models.ModelConfig(development_config="config.yaml")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
model = ChatOpenAI(model=config.get("model"), api_key=os.environ["OPENAI_API_KEY"])
mlflow.models.set_model(model)
""",
    "a loader": """
import os
import pickle
def _load_pyfunc(data_path):
    with open(os.path.join(data_path, "model.pkl"), "rb") as file:
        return pickle.load(file)
""",
    "a transformer": """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
class Log(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self
    def transform(self, X):
        return np.log1p(np.abs(X))
""",
    "hubconf.py": """
dependencies = ['torch', 'torchvision']
import torch
from models import Net as _Net
def net(pretrained=False, progress=True, **kwargs):
    model = _Net(**kwargs)
    if pretrained:
        url = 'https://example.org/net.pth'
        state = torch.hub.load_state_dict_from_url(url, progress=progress, check_hash=True)
        model.load_state_dict(state)
    return model
""",
    "a torch module": """
import math
import torch
from torch import nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self, size: int = 8) -> None:
        super().__init__()
        for n in range(3):
            setattr(self, f"layer{n}", nn.Linear(size, size))
        self.register_buffer("scale", torch.tensor(math.sqrt(size)))
    def forward(self, x):
        for n in range(3):
            x = F.relu(getattr(self, f"layer{n}")(x))
        return x / self.scale
if __name__ == "__main__":
    net = Net().eval()
    torch.save(net.state_dict(), "net.pth")
    print(net(torch.ones(1, 8)))
""",
    "a keras layer": """
import keras
@keras.saving.register_keras_serializable(package="mine")
class Scale(keras.layers.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
    def call(self, inputs):
        return inputs * self.factor
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
""",
    "a Triton back end": """
import json
import numpy as np
import triton_python_backend_utils as pb_utils
class TritonPythonModel:
    def initialize(self, args):
        self.config = json.loads(args["model_config"])
    def execute(self, requests):
        responses = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
            y = pb_utils.Tensor("OUTPUT0", np.square(x))
            responses.append(pb_utils.InferenceResponse(output_tensors=[y]))
        return responses
    def finalize(self):
        self.config = None
""",
    "setup.py": """
from pathlib import Path
from setuptools import find_packages, setup
here = Path(__file__).parent
setup(name="churn", version="1.0", packages=find_packages(),
      long_description=(here / "README.md").read_text(encoding="utf-8"),
      install_requires=["numpy>=1.26"])
""",
    "a package": """
from __future__ import annotations
import importlib
import logging
import os
import sys
sys.path.insert(0, os.path.dirname(__file__))
from .features import Features
logger = logging.getLogger(__name__)
__all__ = ["Features"]
def __getattr__(name):
    if name in __all__:
        return getattr(importlib.import_module(f".{name}", __name__), name)
    raise AttributeError(name)
""",
    "a tokenizer": """
import json
import os
from transformers import PreTrainedTokenizer
class Tokenizer(PreTrainedTokenizer):
    vocab_files_names = {"vocab_file": "vocab.json"}
    def __init__(self, vocab_file, **kwargs):
        with open(vocab_file, encoding="utf-8") as handle:
            self.encoder = json.load(handle)
        super().__init__(**kwargs)
    def save_vocabulary(self, save_directory, filename_prefix=None):
        path = os.path.join(save_directory, "vocab.json")
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(json.dumps(self.encoder))
        return (path,)
""",
    "nothing": "",
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_source_is_not_held(name):
    file = name if name.endswith(".py") else "model.py"
    report = scanned(HONEST[name].encode(), file)
    assert not grave_rules_of(report), report.findings
    assert not report.unread_parts


def _sources(package: str, pattern: str, most: int) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return []
    found = sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
    return found[:: max(1, len(found) // most)]


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        ("transformers", "models/*/modeling_*.py"),
        ("transformers", "models/*/configuration_*.py"),
        ("transformers", "models/*/tokenization_*.py"),
        ("transformers", "models/*/*process*.py"),
        ("sklearn", "linear_model/_*.py"),
        ("sklearn", "ensemble/_*.py"),
        ("sentence_transformers", "sentence_transformer/modules/*.py"),
        ("keras", "src/layers/*/*.py"),
        ("torch", "nn/modules/*.py"),
    ],
)
def test_the_sources_of_model_libraries_are_not_held(package, pattern):
    sources = _sources(package, pattern, 12)
    if not sources:
        pytest.skip(f"{package} is not installed")
    held = {}
    for source in sources:
        report = scanned(source.read_bytes(), source.name)
        if grave_rules_of(report) or report.unread_parts:
            held[source.name] = (report.findings, report.unread_parts)
    assert not held, held
