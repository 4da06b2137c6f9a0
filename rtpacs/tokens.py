"""Access tokens for scripts: signed JWTs with one algorithm and required claims.

A token opens nothing without its row in the database, which says how far it is narrowed: that
is how it is listed and revoked. Short-lived ones also end with the sessions of their account.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from rtpacs.services.desk import Account, Accounts, NewToken

ALGORITHM = "HS256"
ISSUER = "rtpacs"
AUDIENCE = "rtpacs"
LIFETIME = timedelta(minutes=30)
LONGEST_TOKEN = timedelta(days=365)  # of personal ones
HEADER = {"alg", "typ"}
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "jti", "sub", "ver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid token says: its id, whose it is, and the session version it was made for."""

    token_id: str
    name: str
    session_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Issues and reads tokens; the key is derived, so that no cookie passes as a token."""

    secret_key: bytes
    clock: Callable[[], datetime]

    @property
    def _key(self) -> bytes:
        return hmac.new(self.secret_key, b"rtpacs access token", hashlib.sha256).digest()

    def issue(self, account: Account, token_id: str, expires_at: datetime) -> str:
        """Sign the token of an account with a row of this id."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account.name,
            "ver": account.session_version,
            "jti": token_id,
            "iat": int(self.clock().timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """Return the claims of a valid token, else None."""
        try:
            if set(jwt.get_unverified_header(token)) - HEADER:
                return None  # kid, jku, crit and the like: nothing of ours
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Expiry is judged below, by the injected clock.
                options={"require": REQUIRED_CLAIMS, "verify_exp": False, "verify_iat": False},
            )
            expiry, version = int(claims["exp"]), int(claims["ver"])
        except (jwt.InvalidTokenError, TypeError, ValueError):
            return None
        if expiry <= self.clock().timestamp():
            return None
        return Claims(token_id=str(claims["jti"]), name=str(claims["sub"]), session_version=version)


def give_token(
    tokens: Tokens, accounts: Accounts, account: Account, new: NewToken | None = None
) -> str:
    """Record and sign a token: a short-lived one with all rights, or a personal one.

    Raises
    ------
    InvalidInputError
        It has no name or no end in the future.
    """
    given = new or NewToken(name="", expires_at=tokens.clock() + LIFETIME)
    token_id = secrets.token_urlsafe(16)
    accounts.give_token(account.name, token_id, given)
    return tokens.issue(account, token_id, given.expires_at)


def is_personal(tokens: "Tokens", accounts: Accounts, token: str) -> bool:
    """Whether it is a personal token; one that cannot be read counts as one."""
    claims = tokens.read(token)
    found = accounts.of_token(claims.token_id) if claims else None
    return found is None or found.personal


def bearer_account(tokens: Tokens, accounts: Accounts, token: str) -> Account | None:
    """The active account that a token is of, narrowed as the token is; None for a dead one."""
    claims = tokens.read(token)
    found = accounts.of_token(claims.token_id) if claims else None
    if found is None or claims is None or found.account.name != claims.name:
        return None
    if not found.personal and found.account.session_version != claims.session_version:
        return None
    return found.account
