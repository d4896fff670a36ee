"""When things run by themselves: every threshold, cron and address in one object, read from the environment.

The definitions are built from it, so a change counts from the next reload of the code location on. What a setting does
is said in the README.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sneaker_assets.automation.dagster_internals import is_valid_cron_string
from sneaker_assets.errors import SneakerError


class SettingError(SneakerError, ValueError):
    """A setting cannot be used; the message names it and says what it must be."""


@dataclass(frozen=True, slots=True)
class AutomationSettings:
    """When things run by themselves.

    Attributes:
        recrawl_cron: When a site is crawled again, unless ``recrawl_crons`` says otherwise.
        recrawl_crons: The same for single sites, by name.
        time_zone: In which all crons are read, such as ``Europe/Berlin``.
        jitter: Minutes; a crawl begins up to so much later than its cron, each time another moment.
        crawl_patience: Hours for which a site that is due, and was not crawled, holds up what is made of all sites.
        retrain_share: Share of the training rows that must have changed before a model is trained again.
        retrain_days: Age in days at which a model is trained again in any case.
        price_tolerance: Relative change of a price below which its row counts as unchanged.
        rates_cron: When the day's exchange rates are fetched; the European Central Bank publishes about 16:00 CET.
        gan_cron: When the GANs are trained on what has come since.
        watch_seconds: Least time between two looks at the sites' release pages.
        alert_premium: Predicted premium over the retail price from which a release is worth an alert; 0.5 is 50 %.
        webhook: Where alerts are posted; a log file in the lake where it is empty.
    """

    recrawl_cron: str = "0 3 * * *"
    recrawl_crons: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    jitter: int = 30
    crawl_patience: float = 3.0
    retrain_share: float = 0.05
    retrain_days: float = 30.0
    price_tolerance: float = 0.10
    rates_cron: str = "0 16 * * 1-5"
    gan_cron: str = "0 6 * * 0"
    watch_seconds: int = 60
    alert_premium: float = 0.5
    webhook: str = ""

    def cron_of(self, site: str) -> str:
        """When this site is crawled again."""
        return self.recrawl_crons.get(site, self.recrawl_cron)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "AutomationSettings":
        """The settings that are set, the defaults for the others.

        Raises:
            SettingError: one of them cannot be used.
        """
        given = os.environ if environment is None else environment
        fields: dict[str, Any] = {"watch_seconds": 900} if given.get("SNEAKER_SOURCE") == "live" else {}
        for name, (variable, convert) in _VARIABLES.items():
            text = given.get(variable, "").strip()
            try:
                if text:
                    fields[name] = convert(text)
            except (ValueError, ZoneInfoNotFoundError) as error:
                raise SettingError(f"{variable}={text!r}: {error}") from error
        crons = fields.pop("recrawl_crons", {})
        if "" in crons:
            fields["recrawl_cron"] = crons.pop("")
        return cls(**fields, recrawl_crons=crons)


def _crons(text: str) -> dict[str, str]:
    """``0 3 * * *`` for all sites, or ``stockx=0 3 * * *; farfetch=30 4 * * 1``; the key of "all" is empty."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    pairs = [part.split("=", 1) if "=" in part else ["", part] for part in parts]
    return {site.strip(): _cron(cron.strip()) for site, cron in pairs}


def _cron(text: str) -> str:
    if not is_valid_cron_string(text):
        raise ValueError(f"{text!r} is no cron of five fields, such as '0 3 * * *'")
    return text


def _time_zone(text: str) -> str:
    return ZoneInfo(text).key


def _number(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError("it must not be negative")
    return number


def _whole(text: str) -> int:
    return int(_number(text))


def _seconds(text: str) -> int:
    return max(1, _whole(text))


def _positive(text: str) -> float:
    if not _number(text):
        raise ValueError("it must be more than 0")
    return _number(text)


def _share(text: str) -> float:
    if _number(text) > 1:
        raise ValueError("it must be a share between 0 and 1, such as 0.05")
    return _number(text)


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must be an address that begins with http:// or https://")
    return text


_VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "recrawl_crons": ("SNEAKER_RECRAWL_CRON", _crons),
    "time_zone": ("SNEAKER_TIME_ZONE", _time_zone),
    "jitter": ("SNEAKER_RECRAWL_JITTER", _whole),
    "crawl_patience": ("SNEAKER_CRAWL_PATIENCE", _number),
    "retrain_share": ("SNEAKER_RETRAIN_SHARE", _share),
    "retrain_days": ("SNEAKER_RETRAIN_DAYS", _positive),
    "price_tolerance": ("SNEAKER_PRICE_TOLERANCE", _number),
    "rates_cron": ("SNEAKER_RATES_CRON", _cron),
    "gan_cron": ("SNEAKER_GAN_CRON", _cron),
    "watch_seconds": ("SNEAKER_WATCH_SECONDS", _seconds),
    "alert_premium": ("SNEAKER_ALERT_PREMIUM", float),
    "webhook": ("SNEAKER_WEBHOOK", _address),
}
"""Field to the environment variable that sets it, and how its text is read."""
