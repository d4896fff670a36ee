"""Settings of schedules, conditions, sensors and alerts. Importing this module does not load Dagster."""

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, field_validator

from sneaker_assets.settings.model import SettingsModel

ALL_SITES = "*"
"""Key of ``recrawl_cron`` that holds for every site without a cron of its own."""

_NIGHTLY = "0 3 * * *"


def _valid_cron(text: str) -> str:
    from croniter import croniter  # noqa: PLC0415 - few processes set a cron

    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError(f"{text!r} is not a cron of five fields such as '0 3 * * *'")
    return text


def _valid_time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("it must be a time zone such as UTC or Europe/Berlin") from error


def _valid_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return url


Cron = Annotated[str, AfterValidator(_valid_cron)]


class AutomationSettings(SettingsModel):
    """Schedules, thresholds of automatic runs, and alerts."""

    recrawl_cron: Mapping[str, Cron] = Field(
        default={ALL_SITES: _NIGHTLY},
        description="Cron of the crawls, such as `0 3 * * *`; per site: `stockx=0 3 * * *; farfetch=30 4 * * 1`.",
    )
    time_zone: Annotated[str, AfterValidator(_valid_time_zone)] = Field(
        default="UTC", description="Time zone of every cron, such as `Europe/Berlin`."
    )
    recrawl_jitter: int = Field(
        default=30,
        ge=0,
        description="Maximum random delay of a crawl in minutes; 0 for crons without a single hour and minute.",
    )
    crawl_patience: float = Field(
        default=3.0,
        ge=0,
        allow_inf_nan=False,
        description="Hours that the data set waits for a site whose crawl is due.",
    )
    rates_cron: Cron = Field(
        default="0 16 * * 1-5",
        description="Cron of the exchange rates; the European Central Bank publishes them around 16:00 CET.",
    )
    retrain_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of changed training rows from which a model is retrained."
    )
    price_tolerance: float = Field(
        default=0.10,
        ge=0,
        allow_inf_nan=False,
        description="Relative price change up to which a training row counts as unchanged.",
    )
    retrain_days: float = Field(
        default=30.0, gt=0, allow_inf_nan=False, description="Age in days at which a model is retrained in any case."
    )
    gan_cron: Cron = Field(default="0 6 * * 0", description="Cron of the GANs' training.")
    watch_seconds: int = Field(
        default=60,
        ge=1,
        description="Minimum seconds between two polls of the release pages; by default 900 for the source `live` and "
        "43200 for `kicksdb`.",
    )
    alert_premium: float = Field(
        default=0.5,
        allow_inf_nan=False,
        description="Minimum predicted premium over the retail price that triggers an alert; 0.5 is 50 %.",
    )
    webhook: Annotated[SecretStr, AfterValidator(_valid_url)] | None = Field(
        default=None, description="URL that alerts are posted to; without it, they are appended to a file in the lake."
    )

    @field_validator("recrawl_cron", mode="before")
    @classmethod
    def _parse_crons(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = dict(_site_and_cron(entry) for entry in value.split(";") if entry.strip())
        return {ALL_SITES: _NIGHTLY, **value} if isinstance(value, Mapping) else value

    def cron_of(self, site: str) -> str:
        """The cron of a site's crawls."""
        return self.recrawl_cron.get(site, self.recrawl_cron[ALL_SITES])


def _site_and_cron(entry: str) -> tuple[str, str]:
    site, separator, cron = entry.rpartition("=")
    if separator and not site.strip():
        raise ValueError(f"{entry.strip()!r} names no site: write it as stockx=0 3 * * *")
    return site.strip() or ALL_SITES, cron.strip()
