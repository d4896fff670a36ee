"""Pages that a site shows to a client it does not want, sent with any status, 200 included.

A refusal is an answer: it stops the crawl, and nothing is done to get around it.
"""

import re

_TITLES = (
    rb"access (to this page )?(has been )?denied|just a moment|attention required|pardon our interruption|"
    rb"(are|verify) (that )?you.{0,10} human|human verification|security check|request blocked"
)
_REFUSAL = re.compile(
    rb"<(title|h1|h2)\b[^>]*>[^<]{0,200}(" + _TITLES + rb")|id=.px-captcha|//geo\.captcha-delivery\.com/",
    re.IGNORECASE,
)
_LOOKED_AT = 65_536


def is_refusal(body: bytes) -> bool:
    """Whether an HTML page refuses the client in place of showing content."""
    return _REFUSAL.search(body[:_LOOKED_AT]) is not None
