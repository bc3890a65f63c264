"""A certificate authority for tests: a root, one below it, seals, and lists of what was revoked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
_USAGE = dict.fromkeys(
    ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
)


def key_of(seed: int) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a number."""
    return ec.derive_private_key(5000 + seed, ec.SECP256R1())


class Authority:
    """Who issues certificates: a root, or one below another."""

    def __init__(self, name: str, seed: int, parent: "Authority | None" = None) -> None:
        self.key = key_of(seed)
        self.subject = _name(name)
        self.parent = parent or self
        self.certificate = self.parent.sign(self.subject, self.key, seed, is_authority=True)

    def sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        serial: int,
        *,
        is_authority: bool = False,
        begin: datetime = BEGIN,
        end: datetime = END,
        seals: bool = True,
    ) -> x509.Certificate:
        """Return a certificate."""
        usage = x509.KeyUsage(
            digital_signature=seals and not is_authority, content_commitment=False, key_cert_sign=is_authority,
            crl_sign=is_authority, **_USAGE,
        )  # fmt: skip
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        return builder.sign(self.key, SHA256())

    def seal(self, name: str, key: ec.EllipticCurvePrivateKey, serial: int = 1000, **more: object) -> x509.Certificate:
        """Return the certificate of a seal."""
        return self.sign(_name(name), key, serial, **more)  # type: ignore[arg-type]

    def list_revoked(
        self,
        made: datetime,
        revoked: dict[int, datetime] | None = None,
        days: int = 30,
        extension: x509.ExtensionType | None = None,
    ) -> x509.CertificateRevocationList:
        """Return the list of revoked serial numbers, as made on a day."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.subject).last_update(made)
        builder = builder.next_update(made + timedelta(days=days))
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        if extension is not None:
            builder = builder.add_extension(extension, critical=True)
        for serial, when in (revoked or {}).items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.key, SHA256())


def pem(*certificates: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """Return certificates or lists in PEM."""
    return b"".join([each.public_bytes(Encoding.PEM) for each in certificates])


def der(*certificates: x509.Certificate) -> tuple[bytes, ...]:
    """Return certificates in DER."""
    return tuple([each.public_bytes(Encoding.DER) for each in certificates])


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "KE"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, text),
        ]
    )


ROOT = Authority("Trust Root", 1)
BELOW = Authority("Seal Authority", 2, ROOT)
OTHER = Authority("Other Root", 3)
SEAL_KEY = key_of(10)
SEAL = BELOW.seal("Kenya Chamber", SEAL_KEY)
CHAIN: Sequence[bytes] = der(SEAL, BELOW.certificate)
EOF_DAY = END - timedelta(days=1)
