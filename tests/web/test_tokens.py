"""Access tokens: what is accepted and what is not."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.access import Actor
from rtpacs.services.desk import Account
from rtpacs.tokens import LIFETIME, REQUIRED_CLAIMS, Claims, Tokens
from tests.web.sample_plans import NOW

KEY = b"k" * 32
ACCOUNT = Account(actor=Actor(name="physics"), must_change_password=False, session_version=3)
TOKENS = Tokens(secret_key=KEY, clock=lambda: NOW)


def issued() -> str:
    return TOKENS.issue(ACCOUNT, "t1", NOW + LIFETIME)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.integers(0, 2**31))
def test_a_token_tells_whose_it_is(name: str, version: int) -> None:
    """Round trip for every name and version."""
    account = replace(ACCOUNT, actor=Actor(name=name), session_version=version)
    token = TOKENS.issue(account, "t1", NOW + LIFETIME)
    assert TOKENS.read(token) == Claims(token_id="t1", name=name, session_version=version)


def test_a_token_ends_after_its_lifetime() -> None:
    """Valid one second before, refused at the end."""
    token = issued()
    almost = replace(TOKENS, clock=lambda: NOW + LIFETIME - timedelta(seconds=1))
    over = replace(TOKENS, clock=lambda: NOW + LIFETIME)
    assert almost.read(token) is not None
    assert over.read(token) is None


def forged(*, key: bytes | None = None, head: dict | None = None, **claims: object) -> str:
    """A token with other claims (None: without it), another header or another key."""
    claims = {**jwt.decode(issued(), options={"verify_signature": False}), **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    head = {"alg": "HS256", "typ": "JWT"} | (head or {})
    signed = ".".join(part(json.dumps(value).encode()) for value in (head, claims))
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(head["alg"], hashlib.sha256)
    signature = hmac.new(TOKENS._key if key is None else key, signed.encode(), digest)
    return f"{signed}.{part(signature.digest())}"


def part(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def cut(token: str, *parts: int) -> str:
    return ".".join(token.split(".")[number] if number >= 0 else "" for number in parts)


PUBLIC_KEY = (
    b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
)
FORGED = {
    **{f"without {name}": forged(**{name: None}) for name in REQUIRED_CLAIMS},
    "another audience": forged(aud="other"),
    "another issuer": forged(iss="other"),
    "an end in words": forged(exp="soon"),
    "an end that is over": forged(exp=int(NOW.timestamp())),
    "a version in words": forged(ver="x"),
    "not valid yet": forged(nbf=2**40),
    "alg none": cut(forged(head={"alg": "none"}), 0, 1, -1),
    "alg None": cut(forged(head={"alg": "None"}), 0, 1, -1),
    "alg nOnE, signed": forged(head={"alg": "nOnE"}),
    "no alg": forged(head={"alg": ""}),
    "RS256 with our key": forged(head={"alg": "RS256"}),
    "HS256 with a public key": forged(key=PUBLIC_KEY),
    "ES256 with an empty key": forged(key=b"", head={"alg": "ES256"}),
    "HS384": forged(head={"alg": "HS384"}),
    "HS512": forged(head={"alg": "HS512"}),
    "an empty key": forged(key=b""),
    "the name as key": forged(key=b"rtpacs"),
    "the key of cookies": forged(key=KEY),
    "kid, a path": forged(head={"kid": "../../dev/null"}, key=b""),
    "kid, SQL": forged(head={"kid": "x' UNION SELECT 'k"}, key=b"k"),
    "jku": forged(head={"jku": "https://evil.example/keys"}),
    "jwk": forged(head={"jwk": {"kty": "oct", "k": part(b"evil")}}, key=b"evil"),
    "x5u": forged(head={"x5u": "https://evil.example/chain"}),
    "crit": forged(head={"crit": ["b64"], "b64": False}),
    "no signature": cut(issued(), 0, 1, -1),
    "two parts": cut(issued(), 0, 1),
    "other claims under a signature": ".".join(
        [*forged(sub="admin").split(".")[:2], issued().split(".")[2]]
    ),
}


def test_the_forger_makes_a_token_that_counts() -> None:
    """With nothing changed: what is refused below is so for what was changed."""
    assert TOKENS.read(forged()) == TOKENS.read(issued()) is not None


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_forged_tokens_are_refused(app: Flask, token: str) -> None:
    """One algorithm, one key, every claim: neither read, nor let in by a route."""
    assert TOKENS.read(token) is None
    answer = app.test_client().get("/api/v1/centers", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_enough_are_forged() -> None:
    """The figure of matrix row D6."""
    assert len(set(FORGED.values())) >= 30


@given(st.text())
def test_nonsense_is_no_token(text: str) -> None:
    """Whatever is sent, nothing breaks."""
    assert TOKENS.read(text) is None
