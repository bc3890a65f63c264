"""What the contracts' short reasons mean to the people at the command line, and what they can do."""

SENTENCES = {
    # -- certificates
    "certificates: already used": "more of the certificate would be used than is left of it",
    "certificates: already withdrawn": "it is withdrawn already; a withdrawal is for good",
    "certificates: authority not active": "the authority that accredited the issuer is suspended or has left",
    "certificates: batch withdrawn": "its whole batch is withdrawn",
    "certificates: empty period": "the period of validity ends before it begins",
    "certificates: expired": "its period of validity is over",
    "certificates: index beyond the batch": "the file names a place that its batch does not have",
    "certificates: its own successor": "a certificate cannot replace itself; name the new one with --by",
    "certificates: known batch": "this very batch is on the ledger already",
    "certificates: more than it used": "the authority cannot give back more than it has used",
    "certificates: no reason": "a reason code from 1 to 65535 is needed",
    "certificates: not an active authority": "only the admin key of an active authority may do this",
    "certificates: not anchored yet": "the ledger does not have it yet",
    "certificates: not in force": "it is not in force: withdrawn, superseded or suspended; `verify` says which",
    "certificates: not in the batch": "it is not part of the batch that its file names",
    "certificates: not suspended": "it is not suspended",
    "certificates: not the issuer": "only the participant that issued it may do this",
    "certificates: not the issuer or its authority": "only its issuer and the authority that accredited it may do this",
    "certificates: not yet valid": "its period of validity has not begun",
    "certificates: share": "a share is above 0 and at most the whole",
    "certificates: successor not in force": "the certificate that replaces it is not in force itself",
    "certificates: successor of another issuer": "the certificate that replaces it has another issuer",
    "certificates: suspended by the authority": "the authority suspended it, so only the authority may lift that",
    "certificates: unknown batch": "the ledger has no such batch",
    # -- participants
    "participants: empty period": "the accreditation ends before it begins",
    "participants: ended": "the accreditation has ended for good",
    "participants: full": "there is no room for another",
    "participants: key in use": "the account belongs to a participant or an authority already; use another key",
    "participants: key was removed": "the account was taken from a participant and cannot come back; use another key",
    "participants: known identity": "this identity is accredited already",
    "participants: no key": "a participant needs at least one account",
    "participants: no reason": "a reason code from 1 to 65535 is needed",
    "participants: not active": "the participant is suspended or its accreditation has ended",
    "participants: not an active authority": "only the admin key of an active authority may do this",
    "participants: not an issuer": "this key belongs to no participant that may issue; ask an authority to accredit it",
    "participants: not its authority": "another authority accredited this participant, and only that one may do this",
    "participants: not its key": "the account is not one of this participant's",
    "participants: not suspended": "the participant is not suspended",
    "participants: outside its dates": "today is not within the dates of the participant's accreditation",
    "participants: outside its scope": "the participant is not accredited for this kind of document",
    "participants: period is over": "the accreditation would be over already",
    "participants: too many keys": "a participant has at most 8 accounts",
    "participants: unknown key": "no participant has this account",
    "participants: unknown participant": "there is no such participant; `cocket participant list` shows all",
    "participants: zero key": "the account is all zeros, which nobody can sign for",
    # -- consortium
    "consortium: admin in use": "the admin key of the record is an authority's already",
    "consortium: already validating": "the authority has its validator seat already",
    "consortium: country is a member": "the country has an authority here already",
    "consortium: expired": "the proposal has expired; propose it again",
    "consortium: full": "there is no room for another authority",
    "consortium: last validator": "it is the last validator; without it there would be no more blocks",
    "consortium: no reason": "a reason code from 1 to 65535 is needed",
    "consortium: node in use": "the node key of the record is an authority's already",
    "consortium: not a country": "the record names no country",
    "consortium: not a member": "the country has no authority here",
    "consortium: not active": "the authority is suspended or has left; `cocket authority list` shows how it stands",
    "consortium: not an authority": "only the admin key of an authority may do this",
    "consortium: not open": "there is no such proposal, or it is decided; `cocket authority proposals` shows all",
    "consortium: not passed": "the proposal has not passed; `cocket authority proposals` shows how it stands",
    "consortium: not suspended": "the authority is not suspended",
    "consortium: not validating": "the authority has no validator seat to give up",
    "consortium: parameter out of bounds": "the parameter does not take this amount",
    "consortium: set changed lately": "the validators changed a few blocks ago; try again in some blocks",
    "consortium: set is full": "there is no room for another validator",
    "consortium: suspended": "the authority is suspended",
    "consortium: validator in use": "the validator key of the record is an authority's already",
    "consortium: voted already": "the authority has voted on this proposal; a vote is final",
}


def explain(reason: str) -> str:
    """Return a contract's ``name: reason`` as a sentence with the reason behind it; unknown ones as they are.

    >>> explain("consortium: voted already")
    'the authority has voted on this proposal; a vote is final (consortium: voted already)'
    """
    sentence = SENTENCES.get(reason)
    return reason if sentence is None else f"{sentence} ({reason})"
