"""Model signatures in the form of the OpenSSF's Model Signing, made and checked here.

    text = sign_model(manifest, identity, model_name="fraud")
    verify_model(text.encode(), manifest, [KeyTrust(keys)], at=now).owner

The signature is a file of its own, which any other tool for the form takes as well:
`model_signing verify key MODEL --signature FILE --public_key KEY --no-ignore-git-paths`.

Always holds: a signature stays outside of the model, and covers each of its files. Checking by key
or certificate needs nothing but what the ledger's own signatures need; Sigstore's needs the extra
`tidegate[signing]`.
"""

from tidegate.attestation.signatures.certificates import CertificateTrust
from tidegate.attestation.signatures.interface import (
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    SigningExtraMissingError,
    Trust,
    Verified,
)
from tidegate.attestation.signatures.keyless import SigstoreTrust
from tidegate.attestation.signatures.sign import (
    SigningIdentity,
    identity_of_environment,
    sign_model,
)
from tidegate.attestation.signatures.verify import (
    KeyTrust,
    claimed_statement,
    key_trust,
    verify_model,
)

__all__ = [
    "CertificateTrust",
    "KeyTrust",
    "ModelSignatureError",
    "SignerKind",
    "SignerUnknownError",
    "SigningExtraMissingError",
    "SigningIdentity",
    "SigstoreTrust",
    "Trust",
    "Verified",
    "claimed_statement",
    "identity_of_environment",
    "key_trust",
    "sign_model",
    "verify_model",
]
