"""spaCy pipelines, gensim's word vectors and topics, tokenizers, SentencePiece."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from samples.honest import Writers

TEXTS = [["red", "green", "blue"], ["green", "blue"], ["red", "red", "yellow"]] * 10
SENTENCES = [" ".join(text) + " and more words here" for text in TEXTS]


def spacy_folder(folder: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    categories = nlp.add_pipe("textcat")
    categories.add_label("GOOD")
    categories.add_label("BAD")
    nlp.initialize()
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PLACE", "pattern": "Berlin"}])
    nlp.to_disk(folder / "pipeline")


def spacy_bytes(folder: Path) -> None:
    import spacy
    from spacy.tokens import DocBin

    nlp = spacy.blank("de")
    DocBin(docs=[nlp("ein Wort"), nlp("noch eins")]).to_disk(folder / "docs.spacy")
    nlp.vocab.to_disk(folder / "vocab")


def gensim_saved(folder: Path) -> None:
    from gensim import corpora, models

    vectors = models.Word2Vec(TEXTS, min_count=1, vector_size=8, epochs=1)
    vectors.save(str(folder / "word2vec.model"))
    vectors.wv.save(str(folder / "vectors.kv"))
    vectors.wv.save_word2vec_format(str(folder / "vectors.txt"))
    models.FastText(TEXTS, min_count=1, vector_size=8, epochs=1, bucket=50).save(
        str(folder / "fasttext.model")
    )
    words = corpora.Dictionary(TEXTS)
    words.save(str(folder / "words.dict"))
    bags = [words.doc2bow(text) for text in TEXTS]
    models.LdaModel(bags, 2, words).save(str(folder / "topics.lda"))
    models.TfidfModel(bags).save(str(folder / "tfidf.model"))


def tokenizer_files(folder: Path) -> None:
    import tokenizers

    for name in ("ByteLevelBPETokenizer", "BertWordPieceTokenizer", "SentencePieceBPETokenizer"):
        made: Any = getattr(tokenizers, name)()
        made.train_from_iterator(SENTENCES, vocab_size=300)
        made.save(str(folder / f"{name}.json"))
        (folder / name).mkdir()
        made.save_model(str(folder / name))
    (folder / "tokenizer.pkl").write_bytes(pickle.dumps(made._tokenizer))


def sentence_pieces(folder: Path) -> None:
    import sentencepiece

    text = folder / "text.txt"
    text.write_text("\n".join(SENTENCES))
    for kind in ("unigram", "bpe"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(folder / kind), vocab_size=40, model_type=kind,
            minloglevel=2, hard_vocab_limit=False,
        )  # fmt: skip


WRITERS: Writers = {
    "a pipeline of spaCy": spacy_folder,
    "spaCy's documents": spacy_bytes,
    "gensim": gensim_saved,
    "tokenizers": tokenizer_files,
    "SentencePiece": sentence_pieces,
}
