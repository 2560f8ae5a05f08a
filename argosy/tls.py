"""Keys, certificate requests and certificates as PEM: what both ends of the link need, and nothing of who
may have one.

P-256 throughout: grpcio refuses Ed25519 in certificates. Who signs is the hub's business (`hub.ca`).

`cryptography` is imported where a key or certificate is handled: an agent does so when it joins and when it
renews, and would carry ten megabytes for it all its life.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argosy.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

SPIFFE = "spiffe://"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is read from an X.509 certificate.

    Times are Unix seconds; fingerprints are 64 hex digits of SHA-256.

    `fingerprint` is over the whole certificate, `key` over its public key (SubjectPublicKeyInfo), which
    survives renewals.
    """

    pem: bytes
    fingerprint: str
    key: str
    serial: str
    uris: tuple[str, ...]
    not_before: float
    not_after: float


def new_key() -> bytes:
    """A P-256 private key, PKCS#8 PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises `Invalid` for anything but a P-256 private key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Invalid(f"not a private key: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Invalid("the private key is not on P-256")
    return key


def new_request(key_pem: bytes, name: str) -> str:
    """A PKCS#10 request in PEM, signed by the key.

    The name in it is for people: the signer decides the identity.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(load_key(key_pem), hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM).decode()


def load_request(pem: str) -> ec.EllipticCurvePublicKey:
    """The public key of a request whose signature proves that the sender has the private one.

    Raises `Invalid`.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise Invalid(f"the certificate request is not readable: {error}") from None
    if not proven:
        raise Invalid("the certificate request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Invalid("the certificate request's key is not on P-256")
    return key


def key_fingerprint(key: Any) -> str:
    """SHA-256 over a public key's SubjectPublicKeyInfo, as hex."""
    from cryptography.hazmat.primitives import serialization

    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _sha256(spki)


def read(pem: bytes) -> Certificate:
    """The first certificate of a PEM text. Raises `Invalid`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = key_fingerprint(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"not a certificate: {error}") from None
    uris: tuple[str, ...] = ()
    with contextlib.suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    return Certificate(
        pem=pem,
        fingerprint=_sha256(certificate.public_bytes(serialization.Encoding.DER)),
        key=key,
        serial=f"{certificate.serial_number:x}",
        uris=uris,
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


def split(bundle: bytes) -> list[bytes]:
    """The certificates of a PEM bundle, each as PEM. Raises `Invalid`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        found = x509.load_pem_x509_certificates(bundle)
    except ValueError as error:
        raise Invalid(f"not a certificate bundle: {error}") from None
    return [one.public_bytes(serialization.Encoding.PEM) for one in found]


def spiffe_id(trust_domain: str, cluster: str) -> str:
    """The SPIFFE id of a cluster's agent (SPIFFE-ID section 2)."""
    return f"{SPIFFE}{trust_domain}/cluster/{cluster}"


def cluster_of(certificate: Certificate, trust_domain: str) -> str:
    """The cluster id in an agent's certificate. Raises `Invalid` where it is none of this trust domain."""
    prefix = spiffe_id(trust_domain, "")
    found = [uri.removeprefix(prefix) for uri in certificate.uris if uri.startswith(prefix)]
    if len(certificate.uris) != 1 or len(found) != 1 or not found[0] or "/" in found[0]:
        raise Invalid(
            f"the certificate names no cluster of {trust_domain}: {', '.join(certificate.uris) or 'no URI'}"
        )
    return found[0]


async def pinned(address: str, fingerprint: str, *, timeout: float = 10.0) -> bytes:
    """The CA certificate (PEM) with this fingerprint from the chain that the server at `address` presents.

    The handshake checks nothing and its connection carries nothing: it only fetches a certificate whose
    hash is known. Raises `Unavailable` where nobody answers and `Invalid` where another CA is presented.
    """
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except TimeoutError:
        raise Unavailable(f"{address}: no TLS handshake within {timeout:g} s") from None
    except OSError as error:
        raise Unavailable(f"{address}: {error}") from None
    chain = _presented(writer.get_extra_info("ssl_object"))
    writer.transport.abort()
    for der in chain:
        if _sha256(der) == fingerprint:
            return ssl.DER_cert_to_PEM_cert(der).encode()
    shown = _sha256(chain[-1]) if chain else "none"
    raise Invalid(f"{address}: presents the CA {shown}, the token is for the hub with CA {fingerprint}")


def _presented(connection: Any) -> list[bytes]:
    """The chain as sent by the peer, DER.

    Public since Python 3.13; the same call lies one level deeper before.
    """
    if hasattr(connection, "get_unverified_chain"):
        return list(connection.get_unverified_chain())
    return [one.public_bytes(2) for one in connection._sslobj.get_unverified_chain() or ()]


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` -> (host, port). Raises `Invalid`."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise Invalid(f'"{address}" is no address: expected HOST:PORT')
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """The inverse of `split_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file at once with one that only its owner reads (0600), durable when this returns."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
