"""Certificates for tests: an authority of one's own, and what it signs."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def name(*parts):
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


class Authority:
    """Signs certificates and writes them into a folder."""

    def __init__(self, folder, common_name="Test Authority"):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name((NameOID.COMMON_NAME, common_name))
        self.certificate = self.sign(self.name, self.key, is_authority=True)
        self.path = folder / f"{common_name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, subject, key, is_authority=False):
        now = datetime.datetime.now(datetime.timezone.utc)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), address]), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, file_name, *subject, password=None):
        """A key with its certificate in one file, and the key alone in another; returns both paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(name(*subject), key)
        encryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
        key_text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        both, alone = self.folder / f"{file_name}.pem", self.folder / f"{file_name}.key"
        both.write_bytes(key_text + certificate.public_bytes(serialization.Encoding.PEM))
        alone.write_bytes(key_text)
        return both, alone
