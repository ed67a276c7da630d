"""A token goes to whom the certificate names, over TLS, and nowhere else."""

from __future__ import annotations

import datetime as dt
import ipaddress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from samples.consoles import console_at

from tidegate.errors import LedgerUnavailableError, OperatorError, UsageError
from tidegate.ledger import RemoteLedger
from tidegate.ledger.address import checked_address, token_from_environment


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but itself speaks for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "console")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


def test_a_certificate_that_nobody_speaks_for_gets_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, secret = certificate(tmp_path)
    options = ("--tls-cert", str(chain), "--tls-key", str(secret))
    with console_at(tmp_path / "console", f"sqlite:///{tmp_path / 'l.db'}", *options) as console:
        address, token = f"https://127.0.0.1:{console.port}", console.token("ci")
        with pytest.raises(LedgerUnavailableError, match=r"(?i)certificate"):
            RemoteLedger.open(address, token=token)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        with RemoteLedger.open(address, token=token) as ledger:
            assert ledger.account().holder == "ci"
        with pytest.raises(LedgerUnavailableError, match=r"(?i)certificate|hostname"):
            RemoteLedger.open(f"https://localhost:{console.port}", token=token)


def test_a_redirection_is_not_followed_so_the_token_stays_here() -> None:
    seen: list[str | None] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{server.server_address[1]}/stolen")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(OperatorError, match="status 302"):
            RemoteLedger.open(f"http://127.0.0.1:{server.server_address[1]}", token="t" * 20)
        assert seen == ["/v1/account"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "address",
    ["http://ledger.example.com", "http://10.0.0.7:8470", "http://127.0.0.1.example.com",
     "http://[::2]", "http://localhost.example.com", "ftp://127.0.0.1", "https://", "https://a b"],
)  # fmt: skip
def test_an_address_where_a_token_could_be_overheard_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        checked_address(address)


@pytest.mark.parametrize(
    "address",
    ["https://ledger.example.com/", "HTTPS://ledger.example.com/a/b/", "http://127.0.0.1:1",
     "http://127.9.9.9", "http://[::1]:8470", "http://localhost:8470"],
)  # fmt: skip
def test_an_address_over_tls_or_on_this_machine_is_taken(address: str) -> None:
    assert not checked_address(address).endswith("/")


def test_another_machine_without_tls_takes_an_explicit_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEGATE_ALLOW_HTTP", "1")
    assert checked_address("http://ledger.mesh:8470") == "http://ledger.mesh:8470"


def test_a_token_file_that_everybody_can_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("tdg_1_x\n")
    file.chmod(0o600)
    monkeypatch.delenv("TIDEGATE_TOKEN", raising=False)
    monkeypatch.setenv("TIDEGATE_TOKEN_FILE", str(file))
    assert token_from_environment() == "tdg_1_x"
    file.chmod(0o604)
    with pytest.raises(OperatorError, match="everybody"):
        token_from_environment()
    for content in ("", "two words", "\xe4", "a\nb"):
        file.write_text(content)
        file.chmod(0o600)
        with pytest.raises(UsageError):
            token_from_environment()
