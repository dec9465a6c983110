"""A certificate of the sandbox's own, because kubectl sends a bearer token over TLS only.

client-go leaves out every credential of a kubeconfig whose server is plain HTTP. The authority lives as long as the
process, or as the private directory it is kept in, so that a sandbox started again is known to its clients; its
public half goes into the kubeconfig, its private half nowhere.
"""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sgm_tui.sandbox.ready import write_private

_LIFETIME = timedelta(days=800)
"""Longer than a kept directory is of interest, shorter than the 825 days some systems accept."""


@dataclass(frozen=True, slots=True)
class LoopbackTls:
    """The TLS material of a server on this machine and of its clients."""

    context: ssl.SSLContext
    authority: bytes
    """PEM, for `certificate-authority-data` (base64 encoded there) or a CA file."""
    chain: bytes = b""
    """The server's own key and certificate, PEM; a secret."""


def loopback_tls(now: datetime | None = None) -> LoopbackTls:
    """Return a new authority, and a certificate for 127.0.0.1, ::1 and localhost signed by it."""
    start = (now or datetime.now(UTC)) - timedelta(minutes=5)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("sgm sandbox authority")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), start)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = [
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
        x509.IPAddress(ip_address("::1")),
    ]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name("sgm sandbox"), authority_name, key.public_key(), start)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    chain = _private(key) + certificate.public_bytes(pem)
    return LoopbackTls(_context(chain), authority.public_bytes(pem), chain)


def persistent_tls(directory: Path) -> LoopbackTls:
    """Return the certificate kept in this private directory; a new one if there is none."""
    chain, authority = directory / "server.pem", directory / "authority.pem"
    if chain.exists() and authority.exists():
        return LoopbackTls(_context(chain.read_bytes()), authority.read_bytes(), chain.read_bytes())
    certificate = loopback_tls()
    write_private(authority, certificate.authority)
    write_private(chain, certificate.chain)
    return certificate


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _context(chain: bytes) -> ssl.SSLContext:
    """The ssl module reads files only; this one is readable by us alone and gone at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="sgm-") as folder:
        file = Path(folder, "server.pem")
        file.write_bytes(chain)
        context.load_cert_chain(file)
    return context
