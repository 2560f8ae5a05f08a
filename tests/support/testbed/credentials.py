"""Keys and identities of a test's control planes.

One set per testbed: the key that signs ServiceAccount tokens, the CA of client certificates, and bearer
tokens for a few users with different rights. Nothing here protects anything; it makes the API server's
answers about identity real.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=1)


@dataclass(frozen=True)
class User:
    """A user the API server knows by bearer token.

    `groups` decide its rights, by RBAC objects of the test's own.
    """

    name: str
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        return f"{self.name}-token"


ADMIN = User("admin", ("system:masters",))
AGENT = User("agent", ("argosy:agents",))
TENANT = User("tenant", ("tenants",))
NOBODY = User("nobody")
USERS = (ADMIN, AGENT, TENANT, NOBODY)


def token_file(users: tuple[User, ...]) -> str:
    """The text for `--token-auth-file`. The API server reads it at its start only."""
    return "".join(f'{user.token},{user.name},{user.name}-uid,"{",".join(user.groups)}"\n' for user in users)


def write_service_account_key(folder: Path) -> tuple[Path, Path]:
    """Makes the key pair of ServiceAccount tokens: (private, public), both PEM files in `folder`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "sa.key", folder / "sa.pub"
    private.write_bytes(_pem(key))
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


class ClientAuthority:
    """The CA whose client certificates the API servers accept (`--client-ca-file`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "testbed clients")])
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "client-ca.crt"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, user: User) -> tuple[Path, Path]:
        """A certificate for `user` (common name = user, organizations = groups): (certificate, key) PEM
        files.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, user.name),
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in user.groups),
            ]
        )
        certificate = (
            _builder(subject, self._name, key.public_key())
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate_file = self._folder / f"{user.name}.crt"
        key_file = self._folder / f"{user.name}.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(_pem(key))
        return certificate_file, key_file


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFE)
    )


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
