"""Responses by which a host asks a client to wait: throttling statuses and challenge pages.

A challenge asks the browser for a proof of work or a captcha, with any status, 200 and 202 included. It is treated like
a 429 and never taken for the resource; no attempt is made to solve it.

AWS WAF: https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-actions.html
Cloudflare: https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
DataDome: https://docs.datadome.co/docs/challenge-page
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

THROTTLE_STATUSES = frozenset({202, 418, 428, 429})
"""Registered statuses that mean "not now"; for a GET a 202 stands for a challenge that is computed in the browser."""

ORIGIN_ERRORS = frozenset({*range(520, 528), 530})
"""Cloudflare's statuses of a server behind it that fails or cannot be reached."""

_KNOWN_STATUSES = frozenset(int(status) for status in HTTPStatus) | ORIGIN_ERRORS
_MAX_SEARCHED_BYTES = 65_536
_CHALLENGE_ACTIONS = {"x-amzn-waf-action": ("challenge", "captcha"), "cf-mitigated": ("challenge",)}
"""Response headers that announce a challenge, with their values."""

_TITLES = (
    rb"just a moment|attention required|pardon our interruption|verifying (your connection|you are human)|"
    rb"your connection needs to be verified|(are|verify) (that )?you.{0,10} human|human verification|"
    rb"challenge validation|ddos.guard|checking your browser"
)
_MARKUP = (
    rb"id=.px-captcha|captcha\.px-(cdn|cloud)\.net|window\._pxUuid|"  # PerimeterX
    rb"//(geo|ct|interstitial)\.captcha-delivery\.com/|"  # DataDome
    rb"_cf_chl_opt|/cdn-cgi/challenge-platform/[^\"']{0,80}/orchestrate/|"  # Cloudflare
    rb"sec-if-cpt-container|/_sec/cp_challenge/|triggerInterstitialChallenge|[?&]bm-verify=|"  # Akamai
    rb"window\.(gokuProps|awsWafCookieDomainList)\b"  # AWS WAF
)
_CHALLENGE_PAGE = re.compile(
    rb"<(?:title|h1|h2)\b[^>]*>[^<]{0,200}(?:" + _TITLES + rb")|(?:" + _MARKUP + rb")", re.IGNORECASE
)
_CHALLENGE_JSON = re.compile(
    rb"\"sec-cp-challenge\"\s*:|\"url\"\s*:\s*\"https?:(?:\\?/){2}(?:geo|ct|interstitial)\.captcha-delivery\.com"
)
_PERIMETERX_JSON = (re.compile(rb"\"appId\"\s*:\s*\"PX\w+\""), re.compile(rb"\"(?:blockScript|jsClientSrc)\"\s*:"))
_BEFORE_CONTENT = b"\xef\xbb\xbf \t\r\n"


def is_throttle_status(status: int) -> bool:
    """Whether a status asks the client to wait.

    Error statuses outside the HTTP registry do so too, such as 420, 430 (Shopify), 529 and 999.

    https://www.iana.org/assignments/http-status-codes
    """
    return status in THROTTLE_STATUSES or (status >= 400 and status not in _KNOWN_STATUSES)


def announces_challenge(headers: Mapping[str, str]) -> bool:
    """Whether response headers announce a challenge; their names must be case-insensitive."""
    return any(headers.get(name, "").strip().lower() in values for name, values in _CHALLENGE_ACTIONS.items())


def is_challenge(body: bytes) -> bool:
    """Whether a body is a challenge page or, as answered to a script, a challenge in JSON."""
    start = body[:_MAX_SEARCHED_BYTES]
    if is_markup(start):
        return _CHALLENGE_PAGE.search(start) is not None
    if not start.lstrip(_BEFORE_CONTENT).startswith(b"{"):
        return False
    return _CHALLENGE_JSON.search(start) is not None or all(sign.search(start) for sign in _PERIMETERX_JSON)


def is_markup(body: bytes) -> bool:
    """Whether a body starts like HTML or XML."""
    return body[:_MAX_SEARCHED_BYTES].lstrip(_BEFORE_CONTENT).startswith(b"<")
