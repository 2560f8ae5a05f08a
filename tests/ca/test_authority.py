"""What the hub's CA signs, and that its key stays where it is."""

from __future__ import annotations

import ipaddress
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from argosy import tls, token
from argosy.errors import Internal, Invalid
from argosy.token import JoinToken
from hub.ca.authority import open_authority

NOW = 1_800_000_000.0


def chain(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


def store_of(bundle: bytes) -> verification.Store:
    return verification.Store(chain(bundle))


def test_the_ca_is_made_once_and_its_key_is_for_its_owner_only(tmp_path: Path) -> None:
    first = open_authority(tmp_path / "ca", NOW)
    assert open_authority(tmp_path / "ca", NOW).fingerprint == first.fingerprint
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_cluster_certificate_names_the_cluster_and_carries_the_key_of_its_request(tmp_path: Path) -> None:
    ca = open_authority(tmp_path, NOW, trust_domain="fleet.example")
    key = tls.new_key()
    certificate = ca.cluster(tls.new_request(key, "whatever it asks for"), "c-1", NOW, lifetime=60)
    assert certificate.uris == ("spiffe://fleet.example/cluster/c-1",)
    assert certificate.key == tls.key_fingerprint(tls.load_key(key).public_key())
    assert certificate.not_after == NOW + 60
    assert tls.cluster_of(certificate, "fleet.example") == "c-1"
    with pytest.raises(Invalid, match="names no cluster of other"):
        tls.cluster_of(certificate, "other")


def test_a_server_certificate_is_good_for_its_names_and_addresses(tmp_path: Path) -> None:
    now = time.time()
    ca = open_authority(tmp_path, now)
    leaf, signer = chain(ca.server(["hub.example", "127.0.0.1"], now).certificate)
    for name in (x509.DNSName("hub.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))):
        verifier = verification.PolicyBuilder().store(store_of(ca.bundle)).build_server_verifier(name)
        assert verifier.verify(leaf, [])[-1] == signer
    verifier = (
        verification.PolicyBuilder()
        .store(store_of(ca.bundle))
        .build_server_verifier(x509.DNSName("no.example"))
    )
    with pytest.raises(verification.VerificationError):
        verifier.verify(leaf, [])


def test_a_user_certificate_has_user_and_groups_as_kubernetes_reads_them(tmp_path: Path) -> None:
    pair = open_authority(tmp_path, NOW).user("admin", ["argosy:admins", "ops"], NOW)
    subject = chain(pair.certificate)[0].subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["admin"]
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "argosy:admins",
        "ops",
    ]


def test_a_new_ca_is_trusted_before_it_signs_and_the_old_one_after(tmp_path: Path) -> None:
    ca = open_authority(tmp_path, NOW)
    old = ca.fingerprint
    ca.stage(NOW)
    assert ca.fingerprint == old
    assert len(chain(ca.bundle)) == 2
    ca.promote()
    assert ca.fingerprint != old
    again = open_authority(tmp_path, NOW)
    assert again.fingerprint == ca.fingerprint
    assert len(chain(again.bundle)) == 2


def test_a_bundle_without_the_keys_certificate_is_told(tmp_path: Path) -> None:
    open_authority(tmp_path / "a", NOW)
    other = open_authority(tmp_path / "b", NOW)
    (tmp_path / "a" / "ca.crt").write_bytes(other.bundle)
    with pytest.raises(Internal, match=r"ca\.crt has no certificate"):
        open_authority(tmp_path / "a", NOW)


def test_a_request_that_is_not_signed_by_its_key_is_refused(tmp_path: Path) -> None:
    ca = open_authority(tmp_path, NOW)
    good = tls.new_request(tls.new_key(), "x")
    der = bytearray(ssl.PEM_cert_to_DER_cert(good.replace("CERTIFICATE REQUEST", "CERTIFICATE")))
    der[-5] ^= 1
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST")
    with pytest.raises(Invalid):
        ca.cluster(pem, "c", NOW, lifetime=60)
    with pytest.raises(Invalid):
        ca.cluster("no request at all", "c", NOW, lifetime=60)


def test_a_token_survives_its_text_and_a_damaged_one_says_so() -> None:
    made = JoinToken("hub.example:8444", "[::1]:8443", "ab" * 32, token.new_secret())
    text = token.encode(made)
    assert token.decode(f" {text}\n") == made
    for bad in ("", "hello", text[:-7], text[:20], token.PREFIX):
        with pytest.raises(Invalid, match="join token"):
            token.decode(bad)
