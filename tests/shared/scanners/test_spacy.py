"""spaCy: a pipeline passes when it is put together from spaCy's own parts."""

from __future__ import annotations

import pytest
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder

HONEST = b"""[paths]
train = null
[nlp]
lang = "en"
pipeline = ["textcat","ner"]
before_creation = null
[components]
[components.textcat]
factory = "textcat"
scorer = {"@scorers":"spacy.textcat_scorer.v2"}
[components.textcat.model]
@architectures = "spacy.TextCatBOW.v3"
[components.lemmatizer]
factory = "lemmatizer"
[training.logger]
@loggers = "spacy.ConsoleLogger.v1"
[training.optimizer]
@optimizers = "Adam.v1"
"""


def with_line(old: bytes, new: bytes) -> bytes:
    assert old in HONEST
    return HONEST.replace(old, new)


HOSTILE = {
    "code of a model on the hub": HONEST + b"[components.x]\ntrust_remote_code = true\n",
    "a callback": with_line(
        b"before_creation = null", b'[nlp.before_creation]\n@callbacks = "evil.v1"'
    ),
    "a callback in one line": with_line(
        b"before_creation = null", b'before_creation = {"@callbacks":"evil.v1"}'
    ),
    "a callback in single quotes": with_line(
        b"before_creation = null", b"before_creation = {'@callbacks' : 'evil.v1'}"
    ),
    "an architecture": with_line(b"spacy.TextCatBOW.v3", b"evil.Model.v1"),
    "an architecture that looks like spaCy's": with_line(b"TextCatBOW.v3", b"TextCatBOW.v33"),
    "an architecture without quotes": with_line(b'"spacy.TextCatBOW.v3"', b"evil.Model.v1"),
    "a scorer": with_line(b"spacy.textcat_scorer.v2", b"os.system"),
    "a registry of nobody known": with_line(b"@loggers", b"@evils"),
    "a factory": with_line(b'factory = "textcat"', b'factory = "backdoor"'),
    "a language that is a module": with_line(b'lang = "en"', b'lang = "evil.code"'),
    "nothing but a factory": b'[components.x]\nfactory = "backdoor"\n',
    "a source": with_line(b'factory = "textcat"', b'source = "/tmp/other_model"'),
    "a source that is a package": with_line(b'factory = "textcat"', b"source = evil_package"),
    "old line ends": with_line(b'factory = "textcat"', b'factory = "backdoor"').replace(
        b"\n", b"\r\n"
    ),
    "a line far down": HONEST + b"# filler\n" * 300_000 + b'[x]\n@misc = "evil.v1"\n',
}  # fmt: skip


def test_an_honest_configuration_has_no_finding():
    assert_clean(scanned(HONEST, "config.cfg"))
    assert_clean(scanned(HONEST.replace(b"\n", b"\r\n"), "config.cfg"))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_spacys_own_is_found_under_any_name(name):
    for file in ("config.cfg", "notes.txt"):
        assert grave_rules_of(scanned(HOSTILE[name], file)) & {
            "SPACY-UNREVIEWED-CODE",
            "SPACY-SOURCE",
        }


def test_other_texts_with_at_signs_are_no_configuration():
    for text in (
        b"@dataclass\nclass A: ...\n",
        b"write to me@example.org = now\n",
        b"@param = x\n@article{a, title = b}\n",
        b"[section]\nkey = @value\n",
        b'{"@context": "https://schema.org/", "@type": "sc:Dataset", "@any": "a.b"}\n',
    ):
        assert_clean(scanned(text, "notes.txt"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_honest_pipelines_have_no_finding(tmp_path):
    spacy = pytest.importorskip("spacy")
    import numpy as np
    from spacy.tokens import DocBin
    from spacy.training import Example

    nlp = spacy.blank("en")
    nlp.add_pipe("textcat_multilabel").add_label("A")
    nlp.add_pipe("ner").add_label("ORG")
    nlp.add_pipe("tagger").add_label("N")
    gold = {"cats": {"A": 1.0}, "entities": [(0, 5, "ORG")], "tags": ["N", "N", "N"]}
    examples = [Example.from_dict(nlp.make_doc("Apple is good"), gold)]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(2):
        nlp.update(examples, sgd=optimizer)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Apple"}])
    nlp.add_pipe("sentencizer")
    for word in ("apple", "is"):
        nlp.vocab.set_vector(word, np.ones(10, dtype="f"))
    nlp.to_disk(tmp_path / "full")
    spacy.blank("de").to_disk(tmp_path / "blank")
    documents = DocBin(store_user_data=True)
    document = nlp.make_doc("hello world")
    document.user_data["x"] = 1
    documents.add(document)
    documents.to_disk(tmp_path / "train.spacy")
    (tmp_path / "doc.bytes").write_bytes(document.to_bytes())
    (tmp_path / "nlp.bytes").write_bytes(nlp.to_bytes())
    assert_clean(scanned_folder(tmp_path))
