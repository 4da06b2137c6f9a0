"""What protects every answer: origin check of changes, response headers, and the declared need."""

from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from rtpacs.errors import AccessDeniedError
from webui import recording
from webui.callers import bearer, desk, identify, is_api, is_monitor, receive
from webui.policy import Need, need_of, require

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Pico draws its check marks and arrows as data: images.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
PASSWORD_ENDPOINTS = frozenset({"auth.password", "auth.sign_out"})


def protect(app: Flask) -> None:
    """Check every request before its view and dress every answer."""
    app.before_request(admit)
    app.after_request(dress)
    app.after_request(recording.note)


def admit() -> AnyResponse | None:
    """Let a request pass, send the browser to sign in, or raise a refusal."""
    view = current_app.view_functions.get(request.endpoint or "")
    need = need_of(view)
    if need is not None and request.endpoint == "static":
        return None
    receive(identify())
    require_same_origin()
    if view is None or need is Need.PUBLIC:
        return None
    if need is Need.METRICS and is_monitor():
        return None
    if need is None:
        raise AccessDeniedError("This address declares nobody who may use it.")
    return _admit_signed_in(need)


def _admit_signed_in(need: Need) -> AnyResponse | None:
    if g.account is None:
        if is_api():
            raise Unauthorized("Sign in, or send a valid bearer token.")
        if "HX-Request" in request.headers:
            # A part of a page must not become the sign-in form: the whole page is loaded again.
            return Response(status=401, headers={"HX-Refresh": "true"})
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.sign_in", next=target))
    if g.account.must_change_password and request.endpoint not in PASSWORD_ENDPOINTS:
        if is_api():
            raise AccessDeniedError("Change your password on the web page first.")
        return redirect(url_for("auth.password"))
    require(desk(), need)
    recording.require_log()
    return None


def require_same_origin() -> None:
    """Refuse a change that another site makes with this browser's cookie.

    Browsers send Sec-Fetch-Site or Origin with every POST. A request with neither comes from a
    script, which has no business with a cookie.

    Raises
    ------
    AccessDeniedError
        The change does not come from our own pages.
    """
    if request.method in SAFE_METHODS or bearer() is not None:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = urlsplit(origin).netloc == request.host
    else:
        ours = "name" not in session
    if not ours:
        raise AccessDeniedError("This change did not come from a page of this server.")


def dress(response: Response) -> Response:
    """Add the security headers; nothing but static files may be kept by caches."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
