"""The sandbox's certificate authority, its server certificate, and a demo service account.

The first start creates them in DIR and later starts read them, so that a client that trusts `ca.pem` once trusts every
later start.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=3650)
ACCOUNT = "demo@notifier-sandbox.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Identity:
    ca: Path
    chain: Path
    key: Path
    account_key: rsa.RSAPublicKey

    def tls(self) -> ssl.SSLContext:
        """A server context that offers HTTP/2 first, and HTTP/1.1 to other clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context


def load_identity(folder: Path, url: str) -> Identity:
    """The files of `folder`; creates those that are missing and sets the service account's token_uri to `url`."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, chain, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    if not (ca.exists() and chain.exists() and key.exists()):
        _issue(ca, chain, key)
    return Identity(ca, chain, key, _service_account(folder / "service-account.json", url))


def _issue(ca: Path, chain: Path, key: Path) -> None:
    authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Notifier sandbox CA", authority.public_key(), authority, "Notifier sandbox CA", ca=True)
    server = _certificate("127.0.0.1", leaf.public_key(), authority, "Notifier sandbox CA", ca=False)
    _write(key, _private_pem(leaf))
    _write(chain, server.public_bytes(serialization.Encoding.PEM))
    _write(ca, root.public_bytes(serialization.Encoding.PEM))


def _certificate(
    name: str, public: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey, issuer: str, *, ca: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(ca), critical=True)
    )
    if not ca:
        # docker-compose.yml names the sandbox's container `sandbox`
        hosts = [x509.DNSName("localhost"), x509.DNSName("sandbox"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _service_account(path: Path, url: str) -> rsa.RSAPublicKey:
    if path.exists():
        document = json.loads(path.read_text())
        key = serialization.load_pem_private_key(document["private_key"].encode(), None)
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        document = {
            "type": "service_account",
            "project_id": "notifier-sandbox",
            "private_key_id": "sandbox-1",
            "private_key": _private_pem(key).decode(),
            "client_email": ACCOUNT,
            "client_id": "1",
        }
    document["token_uri"] = f"{url}/token"
    _write(path, json.dumps(document, indent=1).encode())
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key")
    return key.public_key()


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing: another sandbox that starts in this folder must never read half a file."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)
