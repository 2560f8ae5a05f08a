"""The hub's certificate authority: it signs for servers, for clusters' agents and for the API's users.

Its key never leaves the data folder. `ca.crt` holds every CA that peers shall trust; the one that `ca.key`
belongs to signs. A new CA is staged first, so that its certificate reaches every agent before anything is
signed with it. This module decides how a certificate looks, never who may have one.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from argosy import tls
from argosy.errors import Internal
from argosy.tls import Certificate

CA_LIFE = 20 * 365 * 86400.0
SERVER_LIFE = 90 * 86400.0
USER_LIFE = 365 * 86400.0
SHORTEST_LIFE = 60.0
BACKDATED = 86400.0
"""Seconds a certificate is valid before it was made: clocks of clusters run late, some by an hour."""

KEY, BUNDLE, NEXT = "ca.key", "ca.crt", "ca-next.key"


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its certificate chain, PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """Signs with the CA in a folder. Make it with `open_authority`."""

    def __init__(
        self, folder: Path, key: ec.EllipticCurvePrivateKey, bundle: bytes, trust_domain: str
    ) -> None:
        self._folder = folder
        self._key = key
        self._bundle = bundle
        self._trust_domain = trust_domain
        self._certificate = _belonging(bundle, key)

    @property
    def trust_domain(self) -> str:
        return self._trust_domain

    @property
    def bundle(self) -> bytes:
        """All CA certificates that peers shall trust, PEM."""
        return self._bundle

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the signing CA's certificate as hex: what join tokens carry."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def server(self, names: Iterable[str], now: float, *, lifetime: float = SERVER_LIFE) -> Pair:
        """A server's key and chain (with the CA, which joining agents pick by its fingerprint) for names
        and IPs.
        """
        key_pem = tls.new_key()
        builder = self._builder("argosy-hub", now, lifetime)
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
        builder = builder.add_extension(alternatives, critical=False)
        certificate = self._sign(builder, tls.load_key(key_pem).public_key(), ExtendedKeyUsageOID.SERVER_AUTH)
        return Pair(key_pem, certificate + self._certificate.public_bytes(serialization.Encoding.PEM))

    def cluster(self, request: str, cluster: str, now: float, *, lifetime: float) -> Certificate:
        """The certificate of a cluster's agent for the key in its request.

        Raises `Invalid` for a bad request.
        """
        public = tls.load_request(request)
        uri = x509.UniformResourceIdentifier(tls.spiffe_id(self._trust_domain, cluster))
        builder = self._builder(f"cluster:{cluster}", now, max(lifetime, SHORTEST_LIFE)).add_extension(
            x509.SubjectAlternativeName([uri]), critical=False
        )
        return tls.read(self._sign(builder, public, ExtendedKeyUsageOID.CLIENT_AUTH))

    def user(self, name: str, groups: Sequence[str], now: float, *, lifetime: float = USER_LIFE) -> Pair:
        """A client key and certificate of the API, as Kubernetes reads them: CN is the user, each O a
        group.
        """
        key_pem = tls.new_key()
        builder = self._builder(name, now, lifetime, groups)
        return Pair(
            key_pem,
            self._sign(builder, tls.load_key(key_pem).public_key(), ExtendedKeyUsageOID.CLIENT_AUTH),
        )

    def stage(self, now: float) -> None:
        """Makes the next CA and lets peers trust it; nothing is signed with it before `promote`."""
        key_pem = tls.new_key()
        certificate = _self_signed(tls.load_key(key_pem), self._trust_domain, now)
        tls.write_private(self._folder / NEXT, key_pem)
        self._bundle += certificate
        tls.write_private(self._folder / BUNDLE, self._bundle)

    def promote(self) -> None:
        """Signs with the staged CA from now on.

        The old one stays trusted until its certificate is taken out of ca.crt.
        """
        pem = (self._folder / NEXT).read_bytes()
        self._key = tls.load_key(pem)
        self._certificate = _belonging(self._bundle, self._key)
        (self._folder / NEXT).replace(self._folder / KEY)

    def _builder(
        self, name: str, now: float, lifetime: float, groups: Sequence[str] = ()
    ) -> x509.CertificateBuilder:
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, name[:64]))
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._certificate.subject)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_time(now - BACKDATED))
            .not_valid_after(_time(now + lifetime))
        )

    def _sign(
        self,
        builder: x509.CertificateBuilder,
        public: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
    ) -> bytes:
        certificate = (
            builder.public_key(public)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def open_authority(folder: Path, now: float, *, trust_domain: str = "argosy") -> Authority:
    """Opens the CA in `folder`, or makes one at the first start.

    Raises `Invalid` or `Internal` for damaged files.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / KEY).exists():
        key_pem = tls.new_key()
        tls.write_private(folder / BUNDLE, _self_signed(tls.load_key(key_pem), trust_domain, now))
        tls.write_private(folder / KEY, key_pem)
    key = tls.load_key((folder / KEY).read_bytes())
    return Authority(folder, key, (folder / BUNDLE).read_bytes(), trust_domain)


def _self_signed(key: ec.EllipticCurvePrivateKey, trust_domain: str, now: float) -> bytes:
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} CA {serial:x}"[:40])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_time(now - BACKDATED))
        .not_valid_after(_time(now + CA_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _belonging(bundle: bytes, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    wanted = tls.key_fingerprint(key.public_key())
    for pem in tls.split(bundle):
        certificate = x509.load_pem_x509_certificate(pem)
        if tls.key_fingerprint(certificate.public_key()) == wanted:
            return certificate
    raise Internal(f"{BUNDLE} has no certificate of the key in {KEY}; restore both from a backup")


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
