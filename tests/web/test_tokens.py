"""Access tokens: what is accepted and what is not."""

import warnings
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.access import Actor
from rtpacs.services.desk import Account
from rtpacs.tokens import LIFETIME, Claims, Tokens
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


def test_the_key_of_cookies_signs_no_token() -> None:
    """The token key is derived; the plain secret is refused."""
    claims = jwt.decode(issued(), options={"verify_signature": False})
    assert TOKENS.read(jwt.encode(claims, KEY, algorithm="HS256")) is None


@pytest.mark.parametrize("missing", ["exp", "iat", "iss", "aud", "jti", "sub", "ver"])
def test_every_claim_is_required(missing: str) -> None:
    """A token signed with the right key but short of a claim is refused."""
    claims = jwt.decode(issued(), options={"verify_signature": False})
    del claims[missing]
    assert TOKENS.read(jwt.encode(claims, TOKENS._key, algorithm="HS256")) is None


@pytest.mark.parametrize(
    ("claim", "value"), [("aud", "other"), ("iss", "other"), ("exp", "soon"), ("ver", "x")]
)
def test_wrong_claims_are_refused(claim: str, value: str) -> None:
    """Issuer, audience and the numbers must be right."""
    claims = jwt.decode(issued(), options={"verify_signature": False})
    claims[claim] = value
    assert TOKENS.read(jwt.encode(claims, TOKENS._key, algorithm="HS256")) is None


def test_an_unsigned_token_is_refused() -> None:
    """One algorithm only."""
    claims = jwt.decode(issued(), options={"verify_signature": False})
    assert TOKENS.read(jwt.encode(claims, "", algorithm="none")) is None


@pytest.mark.parametrize(
    ("algorithm", "key", "headers"),
    [
        ("HS256", None, {"kid": "../../dev/null"}),
        ("HS256", None, {"jku": "https://evil.example/keys"}),
        ("HS256", None, {"crit": ["b64"], "b64": False}),
        ("HS512", None, {}),
        ("HS384", None, {}),
        ("HS256", b"rtpacs", {}),
    ],
)
def test_forged_headers_algorithms_and_keys_are_refused(algorithm, key, headers) -> None:
    """Whatever the header names, one algorithm and one key count."""
    claims = jwt.decode(issued(), options={"verify_signature": False})
    signing = TOKENS._key if key is None else key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short keys
        token = jwt.encode(claims, signing, algorithm=algorithm, headers=headers)
    assert TOKENS.read(token) is None


@given(st.text())
def test_nonsense_is_no_token(text: str) -> None:
    """Whatever is sent, nothing breaks."""
    assert TOKENS.read(text) is None
