"""Write the names that spaCy's registries and factories have to the scanners' data.

    python tools/spacy/collect.py

Only what spaCy, spacy-legacy, spacy-loggers and thinc register themselves is collected; the names
of other packages of the same makers (`_FURTHER`) are kept by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import spacy
import spacy_legacy
import spacy_loggers
from spacy import registry
from spacy.pipeline import factories

DATA = Path(__file__).resolve().parents[2] / "shared/tidegate/scanners/data/spacy.json"

_FURTHER = {
    "architectures": (
        "spacy-transformers.TransformerModel.v1", "spacy-transformers.TransformerModel.v2",
        "spacy-transformers.TransformerModel.v3", "spacy-transformers.TransformerListener.v1",
        "spacy-transformers.Tok2VecTransformer.v1", "spacy-transformers.Tok2VecTransformer.v2",
        "spacy-transformers.Tok2VecTransformer.v3", "spacy-curated-transformers.XlmrTransformer.v1",
        "spacy-curated-transformers.RobertaTransformer.v1",
        "spacy-curated-transformers.BertTransformer.v1",
        "spacy-curated-transformers.CamembertTransformer.v1",
        "spacy-curated-transformers.AlbertTransformer.v1",
        "spacy-curated-transformers.WithStridedSpans.v1",
        "spacy-curated-transformers.ScalarWeight.v1",
        "spacy-curated-transformers.LastTransformerLayerListener.v1",
        "spacy-curated-transformers.ScalarWeightingListener.v1",
        "spacy-curated-transformers.WordpieceEncoder.v1",
        "spacy-curated-transformers.ByteBpeEncoder.v1",
        "spacy-curated-transformers.CamembertSentencepieceEncoder.v1",
        "spacy-curated-transformers.XlmrSentencepieceEncoder.v1",
    ),
    "span_getters": (
        "spacy-transformers.doc_spans.v1", "spacy-transformers.sent_spans.v1",
        "spacy-transformers.strided_spans.v1",
    ),
    "annotation_setters": ("spacy-transformers.null_annotation_setter.v1",),
    "factories": ("transformer", "curated_transformer"),
}  # fmt: skip


def main() -> None:
    """Write the data file."""
    names = {kind: set(getattr(registry, kind).get_all()) for kind in registry.get_registry_names()}
    spacy.blank("en")
    source = Path(factories.__file__).read_text("utf-8")
    names["factories"] |= set(re.findall(r'^\s+"([a-z_0-9]+)",\s*$', source, re.MULTILINE))
    names["factories"] |= set(spacy.blank("en").factory_names)
    # Some are registered when they are first asked for, so their source is asked too.
    names["any"] = {
        name
        for module in (spacy, spacy_legacy, spacy_loggers)
        for path in Path(str(module.__file__)).parent.rglob("*.py*")
        if "tests" not in path.parts and path.suffix in {".py", ".pyx"}
        for name in re.findall(r'"(spacy(?:-\w+)*\.[\w.]+\.v\d+)"', path.read_text("utf-8"))
    }
    for kind, more in _FURTHER.items():
        names.setdefault(kind, set()).update(more)
    table = {
        "schema": 1,
        "how": "tools/spacy/collect.py",
        "versions": [spacy.__version__],
        "names": {kind: sorted(found) for kind, found in sorted(names.items()) if found},
    }
    DATA.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
