"""Folders as the Hugging Face libraries save them, of tiny models with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samples.honest import Writers

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "the", "##s"]
SENTENCES = ["the cat sat on the mat", "a dog ran after the cat", "hello world and more"] * 20
CHAT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>' + "
    "message['content'] + eos_token }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def wordpiece() -> Any:
    """BERT's kind of tokenizer."""
    import tokenizers
    import transformers

    model = tokenizers.models.WordPiece(
        {word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


def byte_pairs() -> Any:
    """GPT-2's kind of tokenizer, with a chat template."""
    import tokenizers
    import transformers

    tokenizer = tokenizers.ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(SENTENCES, vocab_size=300, special_tokens=["<|endoftext|>"])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        eos_token="<|endoftext|>",
        bos_token="<|endoftext|>",
    )
    made.chat_template = CHAT
    return made


def unigram() -> Any:
    """T5's kind of tokenizer."""
    import tokenizers
    import transformers

    tokenizer = tokenizers.SentencePieceUnigramTokenizer()
    tokenizer.train_from_iterator(
        SENTENCES, vocab_size=60, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def _config(kind: str, **changes: Any) -> Any:
    import transformers

    return getattr(transformers, kind)(**changes)


def bert(folder: Path) -> None:
    import transformers

    tokenizer = wordpiece()
    config = _config(
        "BertConfig", vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2,
        num_attention_heads=2, intermediate_size=32, max_position_embeddings=64,
        id2label={0: "GOOD", 1: "BAD"},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def gpt2(folder: Path) -> None:
    import transformers

    tokenizer = byte_pairs()
    config = _config("GPT2Config", vocab_size=300, n_embd=16, n_layer=2, n_head=2, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def llama(folder: Path) -> None:
    import transformers

    config = _config(
        "LlamaConfig", vocab_size=300, hidden_size=64, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="150KB")
    byte_pairs().save_pretrained(folder)
    transformers.GenerationConfig(
        max_new_tokens=9, do_sample=True, temperature=0.5
    ).save_pretrained(folder)


def t5(folder: Path) -> None:
    import transformers

    config = _config(
        "T5Config", vocab_size=60, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    unigram().save_pretrained(folder)


def vit(folder: Path) -> None:
    import transformers

    config = _config(
        "ViTConfig", hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, image_size=32, patch_size=16,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(folder)


def whisper(folder: Path) -> None:
    import transformers

    config = _config(
        "WhisperConfig", vocab_size=300, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_source_positions=32, max_target_positions=32, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, num_mel_bins=8,
    )  # fmt: skip
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=8).save_pretrained(folder)


def trainer_folder(folder: Path) -> None:
    import torch
    import transformers

    bert(folder)
    arguments = transformers.TrainingArguments(output_dir=str(folder), use_cpu=True, report_to=[])
    torch.save(arguments, folder / "training_args.bin")
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    transformers.trainer_callback.TrainerState(log_history=[{"loss": 0.5, "step": 1}]).save_to_json(
        str(folder / "trainer_state.json")
    )
    import random

    import numpy as np

    states = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    torch.save(states, folder / "rng_state.pth")


def sentence_transformer(parts: Path) -> Any:
    """A model of one transformer and a pooling."""
    import sentence_transformers

    bert(parts)
    # A folder without modules.json gets a mean pooling.
    return sentence_transformers.SentenceTransformer(str(parts), device="cpu")


def sentence_transformer_folder(folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as parts:
        sentence_transformer(Path(parts)).save(str(folder))


WRITERS: Writers = {
    "BERT": bert,
    "GPT-2 with a chat template": gpt2,
    "Llama in shards": llama,
    "T5": t5,
    "ViT": vit,
    "Whisper": whisper,
    "a trainer's checkpoint": trainer_folder,
    "Sentence Transformers": sentence_transformer_folder,
}
