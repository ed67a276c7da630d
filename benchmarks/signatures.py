"""Signing and checking a model, beside the OpenSSF's own tool on the same folder and key.

The gate has hashed a model before anybody signs it, so what signing adds is one statement made of
the manifest; the tool reads every byte again. Both ways are shown: with the hashing, and without.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from model_signing import hashing, signing, verifying
from samples.model_signers import curve_key, key_files, public_pem, signing_key

from tidegate.artifact import read_manifest
from tidegate.attestation.signatures import SigningIdentity, key_trust, sign_model, verify_model

ROUNDS = 5


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "large").mkdir()
        for number in range(4):
            (root / "large" / f"{number}.bin").write_bytes(bytes([number]) * (64 << 20))
        (root / "many").mkdir()
        for number in range(2000):
            (root / "many" / f"{number}.txt").write_text(str(number))
        measure(root, "large", "4 files of 64 MB")
        measure(root, "many", "2,000 small files")


def measure(root: Path, folder: str, what: str) -> None:
    key = curve_key()
    keys = root / f"{folder}-keys"
    keys.mkdir()
    private, public = key_files(keys, key)
    identity, trust = SigningIdentity(signing_key(key)), key_trust("ml", public_pem(key))
    model, ours, its = root / folder, root / "ours.sig", root / "its.sig"
    every = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    tool_signs = signing.Config().use_elliptic_key_signer(private_key=private)
    tool_signs.set_hashing_config(every)
    tool_checks = verifying.Config().use_elliptic_key_verifier(public_key=public)
    tool_checks.set_hashing_config(every)
    manifest = read_manifest(model)
    ours.write_text(sign_model(manifest, identity, model_name="model"))
    data, now = ours.read_bytes(), datetime.now(UTC)
    hashed = median(lambda: read_manifest(model))
    sign = median(lambda: sign_model(manifest, identity, model_name="model"))
    check = median(lambda: verify_model(data, manifest, [trust], at=now))
    other_sign = median(lambda: tool_signs.sign(model, its))
    other_check = median(lambda: tool_checks.verify(model, ours))
    print(
        f"{what}: hashing {hashed * 1000:.0f} ms; then signing {sign * 1000:.1f} ms, checking "
        f"{check * 1000:.1f} ms"
    )
    print(f"  with the hashing, of the tool's time: signing {(hashed + sign) / other_sign:.2f}, "
          f"checking {(hashed + check) / other_check:.2f} "
          f"({other_sign * 1000:.0f} and {other_check * 1000:.0f} ms)")  # fmt: skip


def median(do: Callable[[], object]) -> float:
    spent = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        do()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
