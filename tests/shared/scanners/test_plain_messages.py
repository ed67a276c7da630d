"""SentencePiece and Core ML: data pass, and what is more than data does not."""

from __future__ import annotations

import io

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.protobufs import field
from samples.scanned import assert_clean, grave_rules_of, scanned

SCORE = b"\x15\0\0\0\0"
PIECES = field(1, field(1, "<unk>") + SCORE) + field(1, field(1, "\u2581hello") + SCORE)
TOKENIZER = PIECES + field(2, field(3, 1)) + field(3, field(1, "nmt_nfkc"))


def found(data: bytes, name: str = "tokenizer.model") -> set[str]:
    return grave_rules_of(scanned(data, name))


def test_a_tokenizer_passes():
    assert_clean(scanned(TOKENIZER, "tokenizer.model"))
    assert_clean(scanned(TOKENIZER, "spiece"))


def test_a_tokenizer_of_the_library_passes():
    library = pytest.importorskip("sentencepiece", reason="sentencepiece writes the model")
    written = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter([f"hello world number {i}" for i in range(200)]),
        model_writer=written,
        vocab_size=40,
        hard_vocab_limit=False,
    )
    assert_clean(scanned(written.getvalue(), "tokenizer.model"))


def test_what_a_tokenizer_should_not_hold_is_found():
    assert found(TOKENIZER + field(99, b"payload" * 9)) == {"PROTOBUF-HIDDEN-DATA"}
    assert "PROTOBUF-MALFORMED" in found(TOKENIZER + b"\xff" * 20)
    assert found(TOKENIZER + HARMFUL_PICKLE)
    code = field(1, field(1, "__import__('os').system('true')") + SCORE)
    assert found(code + TOKENIZER) == {"GRAPH-EMBEDDED-CODE"}
    table = field(3, field(2, HARMFUL_PICKLE.ljust(64, b"\0")))
    assert any(rule.startswith("PICKLE") for rule in found(PIECES + field(2, field(3, 1)) + table))


def core_ml(*layers: bytes, kind: int = 500) -> bytes:
    """A Core ML model; layers are those of a neural network."""
    value = field(1, "x") + field(3, field(5, field(1, 3) + field(2, 65568)))
    description = field(1, value) + field(10, value)
    return field(1, 4) + field(2, description) + field(kind, b"".join(layers))


def test_a_core_ml_model_passes():
    layer = field(1, field(1, "fc") + field(2, "x") + field(3, "y"))
    assert_clean(scanned(core_ml(layer), "model.mlmodel"))


def test_custom_parts_of_a_core_ml_model_are_held():
    layer = field(1, field(1, "c") + field(500, field(10, "EvilLayer")))
    assert found(core_ml(layer), "model.mlmodel") == {"COREML-CUSTOM"}
    assert found(core_ml(field(10, "EvilModel"), kind=555), "model.mlmodel") == {"COREML-CUSTOM"}
    linked = field(1, field(1, field(1, "other.mlmodelc")))
    assert found(core_ml(linked, kind=556), "model.mlmodel") == {"COREML-CUSTOM"}
