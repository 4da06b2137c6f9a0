"""Who is calling: from the session cookie of a browser or the bearer token of a script."""

import hmac
from typing import cast

from flask import current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import Forbidden

from rtpacs.rules.routes import CORE_PREFIX, DICOMWEB_PREFIX, WADO_URI
from rtpacs.services.desk import Account, Desk
from rtpacs.tokens import Tokens, bearer_account
from webui.sessions import begin_session, session_owner

API_PREFIX = "/api/v1"
UPLOADER = "/rtpacs-uploader"
ARCHIVE_PREFIXES = (CORE_PREFIX, DICOMWEB_PREFIX, WADO_URI, UPLOADER)


class DoorSessions(SecureCookieSessionInterface):
    """Session cookies that are Secure exactly when the browser came by https."""

    def get_cookie_secure(self, app: object) -> bool:
        """Whether this request came by https, as the door reports it."""
        return request.is_secure


def desk() -> Desk:
    """The desk of who calls: it shows what they may see; nobody's before they are known."""
    return cast(Desk, g.get("desk") or current_app.extensions["desk"])


def tokens() -> Tokens:
    """Issuer and reader of tokens for the running app."""
    return Tokens(secret_key=desk().secret_key, clock=desk().clock)


def is_api() -> bool:
    """Whether the request is a program's and gets JSON answers."""
    return request.path.startswith(API_PREFIX + "/") or is_archive()


def is_archive() -> bool:
    """Whether the address is one of DICOMweb's or of Orthanc's REST."""
    return f"{request.path}/".startswith(tuple(f"{prefix}/" for prefix in ARCHIVE_PREFIXES))


def bearer() -> str | None:
    """The bearer token of the request, where one is sent."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def require_sign_in() -> None:
    """Refuse a token what only a person at a browser does: passwords, tokens, ends of sessions.

    Raises
    ------
    Forbidden
        The request comes with a bearer token.
    """
    if bearer() is not None:
        raise Forbidden("A token does not do this: sign in.")


def identify() -> Account | None:
    """Find the account that calls; a sent token counts alone, whatever the cookie says."""
    token = bearer()
    if token is not None:
        return bearer_account(tokens(), desk().accounts, token)
    owner = session_owner(desk().clock())
    account = desk().accounts.account(owner.name) if owner else None
    return account if account and owner and account.session_version == owner.version else None


def is_monitor() -> bool:
    """Whether the request carries the metrics token, which opens the metrics and nothing else."""
    sent = bearer() or ""
    return hmac.compare_digest(sent.encode(), desk().metrics_token.encode())


def remember(account: Account) -> None:
    """Start a browser session."""
    begin_session(account, desk().clock())


def receive(account: Account | None) -> None:
    """Note who calls; from here on ``desk`` is theirs."""
    g.account = account
    g.desk = desk().for_actor(account.actor) if account is not None else None


def caller() -> Account | None:
    """The account that calls, as found before the request; None for the public."""
    return cast("Account | None", g.get("account"))
