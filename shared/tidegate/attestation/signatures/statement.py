"""What a model signature says: each file of the model by its name and SHA-256.

The statement is that of the OpenSSF's Model Signing, version 1.0: an in-toto statement with one
subject, whose digest is taken over the digests of all files, and the files as `resources` of its
predicate (https://github.com/sigstore/model-transparency). A model that is one file has the
resource "."; its name is that of the subject. All of it stands in a manifest, so a model can be
signed, and a signature held against it, without its bytes.

Always holds: what is read covers at least one file, each once, by SHA-256 and under a name that
leads nowhere else; a form that leaves something out of what it covers (ignored paths, links,
shards, which pass over empty files) is refused; and a signature covers a manifest only where both
name exactly the same files.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.signatures.interface import ModelSignatureError
from tidegate.attestation.statements import STATEMENT_TYPE, canonical_json, parse_json
from tidegate.errors import UsageError

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_EARLY_TYPE = "https://model_signing/Digests/v0.1"
_WHOLE = "."
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What the OpenSSF's tool leaves out unless it is told otherwise. Such a signature may stand, but
# a model that has such a file is then not covered by it.
_GIT_PATHS = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
_SHOWN = 5
_SIGN_AGAIN = "sign the model again, with `tidegate sign` or `model_signing sign`"


@dataclass(frozen=True, slots=True)
class ModelStatement:
    """The files that were signed, as (name, hex SHA-256), and what the signer called the model."""

    model_name: str
    files: tuple[tuple[str, str], ...]


def statement_over(manifest: Manifest, model_name: str) -> bytes:
    """The statement's bytes.

    Args:
        manifest: the model.
        model_name: what it is called; a single file is called what its manifest says.

    Raises:
        UsageError: a name in it would not be the same name everywhere.
    """
    if not manifest.files or (manifest.kind == "file" and len(manifest.files) > 1):
        raise UsageError(f"{manifest.digest} names no files that could be one artifact")
    if manifest.kind == "file":
        (file,) = manifest.files
        model_name, files = file.path, [(_WHOLE, file.sha256)]
    else:
        files = [(file.path, file.sha256) for file in manifest.files]
    if problem := _problem_of_names(file.path for file in manifest.files):
        raise UsageError(
            f"the model can't be signed: {problem}",
            remedy="rename the file, so that the signature means the same on every machine",
        )
    files.sort(key=lambda each: each[0].split("/"))
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": model_name, "digest": {"sha256": _over(files)}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                },
                "resources": [
                    {"name": name, "algorithm": "sha256", "digest": sha256}
                    for name, sha256 in files
                ],
            },
        }
    )


def read_statement(payload: bytes) -> ModelStatement:
    """Read what was signed; only after the signature over it was found good.

    Raises:
        ModelSignatureError: it is no such statement, or one that covers less than it seems to.
    """
    try:
        found = parse_json(payload)
    except ValueError as error:
        raise ModelSignatureError(f"what was signed is no JSON: {error}") from error
    kind = found.get("predicateType") if isinstance(found, dict) else None
    if kind == _EARLY_TYPE:
        raise ModelSignatureError(
            "the signature is of the form before version 1.0, which does not say what it covers",
            remedy=_SIGN_AGAIN,
        )
    if kind != PREDICATE_TYPE or found.get("_type") != STATEMENT_TYPE:
        raise ModelSignatureError("what was signed is no statement about a model")
    name, digest = _subject(found.get("subject"))
    predicate = found.get("predicate")
    if not isinstance(predicate, dict):
        raise ModelSignatureError("the signature's statement has no predicate")
    _require_whole(predicate.get("serialization"))
    resources = predicate.get("resources")
    if not isinstance(resources, list) or not resources:
        raise ModelSignatureError("the signature covers no file at all")
    files = tuple(_resource(each) for each in resources)
    if _over(files) != digest:
        raise ModelSignatureError("the signature's digest is not that of the files it names")
    if problem := _problem_of_names(path for path, _ in files if path != _WHOLE):
        raise ModelSignatureError(f"the signature can't be relied on: {problem}")
    if any(path == _WHOLE for path, _ in files) and len(files) > 1:
        raise ModelSignatureError("the signature is over a single file, and over others too")
    return ModelStatement(name, files)


def require_covered(statement: ModelStatement, manifest: Manifest) -> None:
    """Raise `ModelSignatureError` unless the signature is over exactly the manifest's files."""
    signed = dict(statement.files)
    if manifest.kind == "file" and len(manifest.files) == 1:
        (file,) = manifest.files
        actual = {_WHOLE: file.sha256}
        if _WHOLE in signed and statement.model_name != file.path:
            raise ModelSignatureError(
                f"the signature is over a file called {statement.model_name!r}, and this one is "
                f"called {file.path!r}: how bytes are loaded hangs on their name",
                remedy="give the file the name under which it was signed",
            )
    else:
        actual = {file.path: file.sha256 for file in manifest.files}
    unsigned = sorted(actual.keys() - signed.keys())
    missing = sorted(signed.keys() - actual.keys())
    changed = sorted(path for path in actual.keys() & signed.keys() if actual[path] != signed[path])
    problems = [
        f"{what}: {_listed(paths)}"
        for what, paths in (
            ("not signed", unsigned), ("signed, and missing", missing), ("changed", changed),
        )
        if paths
    ]  # fmt: skip
    if problems:
        git = any(path.split("/")[0] in _GIT_PATHS for path in unsigned)
        raise ModelSignatureError(
            f"the signature is not over these files ({'; '.join(problems)})",
            remedy="the OpenSSF's tool leaves git's files out unless it signs with "
            "--no-ignore-git-paths; or remove them from the model"
            if git
            else "get the model that was signed; if it was changed on purpose, have it looked at "
            "and signed anew",
        )


def _subject(found: object) -> tuple[str, str]:
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        raise ModelSignatureError("a model signature has one subject")
    name, digests = found[0].get("name"), found[0].get("digest")
    if not isinstance(name, str) or not isinstance(digests, dict):
        raise ModelSignatureError("the signature's subject has no name or no digest")
    digest = digests.get("sha256")
    if digests.keys() != {"sha256"} or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        named = ", ".join(sorted(map(str, digests))) or "none"
        raise ModelSignatureError(
            f"the signature's subject is named by another digest than SHA-256 ({named})",
            remedy=_SIGN_AGAIN,
        )
    return name, digest


def _require_whole(found: object) -> None:
    """Refuse every form of a signature that covers less than all bytes of all files."""
    if not isinstance(found, dict):
        raise ModelSignatureError("the signature does not say how the files were hashed")
    if found.get("method") != "files":
        raise ModelSignatureError(
            f"the signature is by {found.get('method')!r} and not by whole files: a signature by "
            "shards says nothing about empty files",
            remedy="sign with the default, which is by files",
        )
    if found.get("hash_type") != "sha256":
        raise ModelSignatureError(
            f"the files were hashed by {found.get('hash_type')!r}; only SHA-256 is taken here",
            remedy="sign with the default, which is sha256",
        )
    if found.get("allow_symlinks") is not False:
        raise ModelSignatureError(
            "the signature allows symbolic links, which can be turned elsewhere after the check",
            remedy="put the files themselves in their place, and sign without --allow_symlinks",
        )
    ignored = found.get("ignore_paths", [])
    if not isinstance(ignored, list) or not all(isinstance(each, str) for each in ignored):
        raise ModelSignatureError("the signature's ignored paths are no list of texts")
    if left_out := sorted(set(ignored) - _GIT_PATHS):
        raise ModelSignatureError(
            f"the signature leaves out paths that it should cover: {_listed(left_out)}",
            remedy="sign without --ignore-paths, and keep the signature outside of the model",
        )
    known = {"method", "hash_type", "allow_symlinks", "ignore_paths"}
    if unknown := found.keys() - known:
        raise ModelSignatureError(
            f"the signature says {sorted(unknown)[0]!r} of how the files were hashed, "
            "which is not known here"
        )


def _resource(found: object) -> tuple[str, str]:
    values: Mapping[str, Any] = found if isinstance(found, dict) else {}
    if values.keys() != {"name", "algorithm", "digest"}:
        raise ModelSignatureError("a signed file has a name, an algorithm and a digest")
    name, algorithm, digest = values["name"], values["algorithm"], values["digest"]
    if algorithm != "sha256" or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ModelSignatureError(f"the file {name!r} is not signed by its SHA-256")
    if not isinstance(name, str):
        raise ModelSignatureError("the name of a signed file is a text")
    return name, digest


def _problem_of_names(names: Iterable[str]) -> str | None:
    """What would let one name mean two files, or a file outside of the model; None where nothing.

    Two names that differ in case only, or in how an accent is written, are one file on many a
    disk: which of the two a loader then gets is the attacker's choice.
    """
    seen: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if any(part in {"", ".", ".."} for part in parts) or "\\" in name or "\0" in name:
            return f"{name!r} is no plain name of a file inside of the model"
        # Windows drops dots and blanks at the end of a name.
        plain = "/".join(part.rstrip(". ") for part in parts)
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain).casefold())
        if folded in seen:
            return f"{seen[folded]!r} and {name!r} are one and the same file on some disks"
        seen[folded] = name
    return None


def _over(files: Iterable[tuple[str, str]]) -> str:
    """The subject's digest: SHA-256 over the files' digests one after the other."""
    return hashlib.sha256(b"".join(bytes.fromhex(sha256) for _, sha256 in files)).hexdigest()


def _listed(paths: list[str]) -> str:
    shown = ", ".join(repr(path) for path in paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
