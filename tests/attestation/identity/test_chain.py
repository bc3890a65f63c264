"""Chains and lists: what led to whom, and what was revoked when; OpenSSL agrees on each case that it can be asked."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attestation.identity.authorities import BELOW, CHAIN, OTHER, ROOT, SEAL, SEAL_KEY, der, key_of, pem
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from cocket.attestation.errors import InvalidFile
from cocket.attestation.identity.chain import (
    TRUSTED_MAX,
    check_chain,
    check_revocation,
    crl_of,
    end_of,
    trusted_of_pem,
)

DAY = datetime(2026, 11, 27, 12, tzinfo=UTC)
AT = int(DAY.timestamp())
MADE = DAY - timedelta(days=2)
LISTS = (BELOW.list_revoked(MADE), ROOT.list_revoked(MADE))


def days(count: int) -> datetime:
    return DAY + timedelta(days=count)


def at(moment: datetime) -> int:
    return int(moment.timestamp())


def test_a_chain_leads_to_whom_one_trusts():
    answer = check_chain(CHAIN, [ROOT.certificate], AT)
    assert answer.answer == "yes"
    assert "Kenya Chamber" in answer.reason
    assert "Trust Root" in answer.reason
    assert check_revocation(CHAIN, [ROOT.certificate], LISTS, AT).answer == "yes"
    assert end_of(CHAIN[0]) == at(datetime(2028, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("chain", "trusted", "moment"),
    [
        (CHAIN, [OTHER.certificate], AT),
        (CHAIN[:1], [ROOT.certificate], AT),
        (CHAIN, [ROOT.certificate], at(datetime(2025, 12, 31, tzinfo=UTC))),
        (CHAIN, [ROOT.certificate], at(datetime(2028, 1, 2, tzinfo=UTC))),
        (der(OTHER.seal("Kenya Chamber", SEAL_KEY), BELOW.certificate), [ROOT.certificate], AT),
        (der(SEAL, OTHER.certificate), [ROOT.certificate], AT),
    ],
    ids=["other root", "no link", "too early", "too late", "other issuer", "other link"],
)
def test_another_chain_does_not(chain, trusted, moment):
    assert check_chain(chain, trusted, moment).answer == "no"
    assert check_revocation(chain, trusted, LISTS, moment).answer == "could not check"


def test_a_seal_cannot_issue_one():
    """A seal's certificate in the place of an authority's gives nobody a chain."""
    seal_as_issuer = BELOW.seal("Kenya Chamber", SEAL_KEY)
    forged = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Forged")]))
        .issuer_name(seal_as_issuer.subject)
        .public_key(key_of(11).public_key())
        .serial_number(7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(SEAL_KEY, SHA256())
    )
    chain = der(forged, seal_as_issuer, BELOW.certificate)
    assert check_chain(chain, [ROOT.certificate], AT).answer == "no"


def test_what_is_no_seal_is_said():
    no_signatures = der(BELOW.seal("Kenya Chamber", SEAL_KEY, seals=False), BELOW.certificate)
    assert "not for signatures" in check_chain(no_signatures, [ROOT.certificate], AT).reason
    authority = check_chain(der(BELOW.certificate), [ROOT.certificate], AT)
    assert (authority.answer, "not a seal's" in authority.reason or "not for signatures" in authority.reason) == (
        "no",
        True,
    )


def test_nobody_trusted_is_could_not_check():
    assert check_chain(CHAIN, [], AT).answer == "could not check"


REVOCATIONS = {
    "not listed": (LISTS, AT, "yes"),
    "revoked before": ((BELOW.list_revoked(MADE, {1000: days(-5)}), LISTS[1]), AT, "no"),
    "revoked later": ((BELOW.list_revoked(days(9), {1000: days(5)}), LISTS[1]), AT, "yes"),
    "another's number": ((BELOW.list_revoked(MADE, {1001: days(-5)}), LISTS[1]), AT, "yes"),
    "authority revoked": ((LISTS[0], ROOT.list_revoked(MADE, {2: days(-5)})), AT, "no"),
    "no list": ((), AT, "could not check"),
    "no list of the root": (LISTS[:1], AT, "could not check"),
    "list of another": ((OTHER.list_revoked(MADE), LISTS[1]), AT, "could not check"),
    "list that ended": ((BELOW.list_revoked(days(-60)), LISTS[1]), AT, "could not check"),
    "later list": ((BELOW.list_revoked(days(60)), LISTS[1]), AT, "yes"),
    "newest counts": ((BELOW.list_revoked(days(-9), {1000: days(-10)}), LISTS[0], LISTS[1]), AT, "yes"),
    "critical extension": (
        (BELOW.list_revoked(MADE, extension=x509.IssuingDistributionPoint(
            full_name=None, relative_name=None, only_contains_user_certs=True, only_contains_ca_certs=False,
            only_some_reasons=None, indirect_crl=False, only_contains_attribute_certs=False)), LISTS[1]),
        AT, "could not check",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REVOCATIONS)
def test_revocation_is_as_the_newest_list_of_the_issuer_has_it(name):
    crls, moment, expected = REVOCATIONS[name]
    assert check_revocation(CHAIN, [ROOT.certificate], crls, moment).answer == expected


def test_a_list_that_another_signed_in_the_issuer_s_name_counts_for_nothing():
    impostor = object.__new__(type(BELOW))
    impostor.key, impostor.subject = key_of(99), BELOW.subject
    forged = impostor.list_revoked(MADE)
    assert forged.issuer == BELOW.subject
    assert check_revocation(CHAIN, [ROOT.certificate], (forged, LISTS[1]), AT).answer == "could not check"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    "name", ["not listed", "revoked before", "another's number", "authority revoked", "no list", "no list of the root",
             "list of another", "list that ended"],
)  # fmt: skip
def test_openssl_says_the_same(name, tmp_path: Path):
    crls, moment, expected = REVOCATIONS[name]
    files = {"root": pem(ROOT.certificate), "below": pem(BELOW.certificate), "seal": pem(SEAL), "lists": pem(*crls)}
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    command = ["openssl", "verify", "-CAfile", "root", "-untrusted", "below", "-crl_check_all", "-attime", str(moment)]
    listed = ["-CRLfile", "lists"] if crls else []
    found = subprocess.run([*command, *listed, "seal"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (found.returncode == 0) == (expected == "yes"), found.stderr
    if expected == "no":
        assert "revoked" in found.stdout + found.stderr


def test_files_that_are_none_are_refused():
    assert trusted_of_pem(pem(ROOT.certificate, OTHER.certificate)) == (ROOT.certificate, OTHER.certificate)
    assert crl_of(pem(LISTS[0])) == LISTS[0]
    with pytest.raises(InvalidFile, match="found no certificates"):
        trusted_of_pem(b"nothing")
    with pytest.raises(InvalidFile, match=f"at most {TRUSTED_MAX}"):
        trusted_of_pem(pem(ROOT.certificate) * (TRUSTED_MAX + 1))
    with pytest.raises(InvalidFile, match="a file of"):
        trusted_of_pem(bytes((1 << 20) + 1))
    with pytest.raises(InvalidFile, match="cannot be read"):
        check_chain((b"none",), [ROOT.certificate], AT)


@given(st.binary(max_size=200))
def test_decoding_raises_nothing_else(data):
    for read in (trusted_of_pem, crl_of, end_of):
        with pytest.raises(InvalidFile):
            read(data)
