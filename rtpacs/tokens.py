"""Short-lived access tokens for scripts: signed JWTs with one algorithm and required claims."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

from rtpacs.services.desk import Account, Accounts

ALGORITHM = "HS256"
ISSUER = "rtpacs"
AUDIENCE = "rtpacs"
LIFETIME = timedelta(minutes=30)
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "jti", "sub", "ver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid token says: whose it is, and the session version it was made for."""

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

    def issue(self, account: Account) -> str:
        """Make a token that ends after ``LIFETIME``, or when the account's sessions are ended."""
        now = self.clock()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account.name,
            "ver": account.session_version,
            "jti": secrets.token_urlsafe(16),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """Return the claims of a valid token, else None."""
        try:
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
        return Claims(name=str(claims["sub"]), session_version=version)


def bearer_account(tokens: Tokens, accounts: Accounts, token: str) -> Account | None:
    """The active account that a token is of, unless its sessions were ended since."""
    claims = tokens.read(token)
    account = accounts.account(claims.name) if claims else None
    if account is None or claims is None or account.session_version != claims.session_version:
        return None
    return account
