"""Secrets in texts are found without being shown; what only looks like one is not."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string

import pytest
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

_RANDOM = random.Random(7)


def letters(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Made anew for each run of the tests, so that no real key can stand here."""
    return "".join(_RANDOM.choices(alphabet, k=count))


_HEX = "0123456789abcdef"
_B32 = string.ascii_uppercase + "234567"
SECRETS = {
    "AWS-KEY": "AKIA" + letters(16, _B32),
    "AWS-SECRET": "aws_secret_access_key = " + letters(40),
    "GCP-KEY": "AIza" + letters(35),
    "GITHUB-TOKEN": "ghp_" + letters(36),
    "GITHUB-PAT": f"github_pat_{letters(22)}_{letters(59)}",
    "GITLAB-TOKEN": "glpat-" + letters(20),
    "HF-TOKEN": "hf_" + letters(34, string.ascii_letters),
    "OPENAI-KEY": f"sk-proj-{letters(40)}T3BlbkFJ{letters(40)}1",
    "ANTHROPIC-KEY": f"sk-ant-api03-{letters(93)}AA",
    "SLACK-TOKEN": f"xoxb-{letters(12, string.digits)}-{letters(12, string.digits)}-{letters(24)}",
    "STRIPE-KEY": "sk_live_" + letters(24),
    "NPM-TOKEN": "npm_" + letters(36),
    "PYPI-TOKEN": "pypi-AgEIcHlwaS5vcmc" + letters(120),
    "AZURE-KEY": f"AccountKey={letters(86)}==",
    "DATABRICKS-TOKEN": "dapi" + letters(32, _HEX),
    "URL-PASSWORD": f"postgresql://admin:{letters(14)}@db.host/models",
    "CONNECTION-PASSWORD": f"Server=db;User Id=sa;Password={letters(14)};",
    "JWT": f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{letters(40)}.{letters(43)}",
    "AZURE-SAS": f"https://x.blob.core.windows.net/c?sv=2024-08-04&sig={letters(43)}%3D&sp=r",
    "PROVIDER-KEY": "WANDB_API_KEY=" + letters(40, _HEX),
    "AUTH-HEADER": f"Authorization: Bearer {letters(40)}",
    "GROQ-KEY": "gsk_" + letters(52),
    "NVIDIA-KEY": "nvapi-" + letters(64),
    "PERPLEXITY-KEY": "pplx-" + letters(48),
    "XAI-KEY": "xai-" + letters(80),
    "LANGSMITH-KEY": f"lsv2_pt_{letters(32, _HEX)}_{letters(10, _HEX)}",
    "DOCKER-TOKEN": "dckr_pat_" + letters(27),
    "GRAFANA-TOKEN": f"glsa_{letters(32)}_{letters(8, _HEX)}",
    "REPLICATE-TOKEN": "r8_" + letters(37),
    "TWILIO-KEY": "SK" + letters(32, _HEX),
    "PRIVATE-KEY": "-----BEGIN RSA PRIVATE KEY-----\n"
    + base64.b64encode(_RANDOM.randbytes(400)).decode(),
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("name", ["README.md", "config.yaml", "train.py", "data.csv", "x.json"])
def test_a_secret_is_found_in_any_text(kind, name):
    text = SECRETS[kind]
    data = f"key: '{text}'\n" if name != "train.py" else f"KEY = '''{text}'''\n"
    if name == "x.json":
        data = json.dumps({"key": text})
    assert f"SECRET-{kind}" in grave_rules_of(scanned(data.encode(), name))


@pytest.mark.parametrize("kind", sorted(set(SECRETS) - {"CONNECTION-PASSWORD", "AUTH-HEADER"}))
def test_a_secret_is_found_as_an_environment_file_has_it(kind):
    data = f"A=1\nexport TOKEN={SECRETS[kind]}\n"
    if kind in {"AWS-SECRET", "PROVIDER-KEY"}:
        data = f"A=1\n{SECRETS[kind]}\n"
    assert f"SECRET-{kind}" in grave_rules_of(scanned(data.encode(), ".env"))


def test_the_secret_itself_is_not_shown():
    for text in SECRETS.values():
        for finding in scanned(f"x '{text}' y".encode(), "notes.txt").findings:
            assert text[-12:] not in finding.message + (finding.detail or "")
            assert text[5:14] not in finding.message + (finding.detail or "")


def test_a_secret_across_two_chunks_is_found():
    data = b"x " * ((1 << 19) - 8) + SECRETS["GITHUB-TOKEN"].encode() + b" y" * 100
    assert "SECRET-GITHUB-TOKEN" in grave_rules_of(scanned(data, "notes.txt"))


def test_a_secret_in_utf_16_is_found():
    data = f"key {SECRETS['HF-TOKEN']} ".encode("utf-16")
    assert "SECRET-HF-TOKEN" in grave_rules_of(scanned(data, "notes.txt"))


def test_what_looks_like_a_password_is_medium():
    report = scanned(b'password = "kT7#pq9!Zx4vLm2"\n', "settings.cfg")
    assert "SECRET-PASSWORD" in rules_of(report)
    assert not grave_rules_of(report)


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "token: hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "OPENAI_API_KEY=sk-your-key-goes-here-please-replace-it",
        "postgresql://user:password@localhost/db",
        "https://host.example/a:b@c",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\n...\n",
        "oid sha256:" + hashlib.sha256(b"x").hexdigest(),
        "id: 123e4567-e89b-12d3-a456-426614174000",
        "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Authorization: Bearer $MLFLOW_TRACKING_TOKEN",
        "Authorization: Bearer YOUR_API_TOKEN_FROM_THE_CONSOLE",
        (
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9l"
            "IiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        ),
        "export OPENAI_API_KEY=your-api-key-here-1234",
        "WANDB_API_KEY: ${{ secrets.WANDB_API_KEY }}",
        "mlflow_tracking_token = get_token_from_the_vault2()",
        "sk-learn-contrib-project-with-a-very-long-name",
        "task-specific-hf_model_for_sequence_classification",
        "password: str, api_key: Optional[str] = None",
    ],
)
def test_what_only_looks_like_a_secret_is_none(text):
    assert not grave_rules_of(scanned(text.encode(), "notes.txt"))


def test_vocabularies_images_and_hashes_hold_no_secret():
    words = {letters(_RANDOM.randint(1, 12)): n for n in range(30_000)}
    data = json.dumps({"model": {"vocab": words, "merges": [f"{w} {w}" for w in words]}})
    assert_clean(scanned(data.encode(), "vocab.json"))
    image = base64.b64encode(_RANDOM.randbytes(1 << 19)).decode()
    assert_clean(scanned(json.dumps({"image/png": image}).encode(), "x.json"))
    hashes = "\n".join(f"sha256:{letters(64, _HEX)}" for _ in range(5_000))
    assert_clean(scanned(hashes.encode(), "hashes.txt"))
