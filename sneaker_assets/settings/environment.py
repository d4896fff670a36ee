"""The settings of the environment: the only module that reads ``SNEAKER_...`` variables.

``load_settings`` reads the environment on each call. Lower layers take their settings as arguments, apart from the
registry of sites and the partitions, which need the Shopify stores, backbones and price bands when they are imported.
"""

import difflib
import functools
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sneaker_assets.crawl.settings import Contact
from sneaker_assets.market.fees import DEFAULT_FEES, Fees, parse_fees_by_site
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets.settings.model import SettingsError, reason
from sneaker_assets.vision.backbones.architectures import get_architecture

logger = logging.getLogger(__name__)

PREFIX = "SNEAKER_"

SourceName = Literal["demo", "archive", "saved", "live", "kicksdb"]
"""Where listings come from."""

DeviceName = Literal["auto", "cpu", "cuda"]

_WATCH_SECONDS = {"live": 900, "kicksdb": 43_200}
"""Seconds between two polls of release pages, by source; KicksDB counts requests."""

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_COLLECTION = re.compile(r"(?:[a-z]{2}(?:-[a-z]{2})?/)?collections/[\w%.-]+")
_CURRENCY = re.compile(r"[A-Z]{3}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")


def _from_text(parse: Callable[[str], Any]) -> BeforeValidator:
    """Parse text, and leave values that are already parsed to pydantic."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _parse_fees(text: str) -> Mapping[str, Fees]:
    return {**DEFAULT_FEES, **parse_fees_by_site(text)}


def _parse_bands(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(edge) for edge in text.split(","))
    except ValueError as error:
        raise ValueError("it must be prices in US dollars such as 500 or 200,500") from error


def _rising(bands: tuple[float, ...]) -> tuple[float, ...]:
    if not bands or not all(lower < upper for lower, upper in pairwise((0.0, *bands, float("inf")))):
        raise ValueError("it must be rising prices in US dollars above 0, such as 200,500")
    return bands


def _parse_stores(text: str) -> Mapping[str, str | None]:
    entries = [entry.strip().partition("=") for entry in text.split(",") if entry.strip()]
    stores: dict[str, str | None] = {}
    for host, separator, currency in entries:
        code = currency.strip().upper()
        name, slash, path = host.partition("/")
        if name.lower() in {address.partition("/")[0] for address in stores}:
            raise ValueError(f"{name} is named twice; without a collection all its products are crawled")
        if (
            not _HOST.fullmatch(name.lower())
            or (slash and not _COLLECTION.fullmatch(path))
            or (separator and not _CURRENCY.fullmatch(code))
        ):
            raise ValueError(
                f"{host + separator + currency!r} is not a host, or a host and its currency such as example.com=USD"
            )
        stores[f"{name.lower()}{slash}{path}"] = code or None
    return stores


def _parse_sources(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))


def _one_kind(sources: tuple[SourceName, ...]) -> tuple[SourceName, ...]:
    if not sources:
        raise ValueError("it names no source")
    if "demo" in sources and len(sources) > 1:
        raise ValueError("demo cannot be combined: drawn and real shoes must not mix")
    return sources


def _parse_sites(text: str) -> Mapping[str, str | None]:
    entries = [entry.partition("=") for entry in text.split(",") if entry.strip()]
    sites = [(site.strip().lower(), source.strip().lower() or None) for site, _, source in entries]
    names = [site for site, _ in sites]
    if repeated := next((site for site in names if names.count(site) > 1), None):
        raise ValueError(f"{repeated} is named twice")
    if not all(names):
        raise ValueError("each entry is a site, or a site and its source such as stockx=saved")
    return dict(sites)


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _registered(backbones: tuple[str, ...]) -> tuple[str, ...]:
    if not backbones:
        raise ValueError("it names no backbone")
    for backbone in backbones:
        get_architecture(backbone)
    if repeated := next((backbone for backbone in backbones if backbones.count(backbone) > 1), None):
        raise ValueError(f"{repeated} is named twice")
    return backbones


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("it must be a date such as 2020-10-01") from error


def _header_value(secret: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(secret.get_secret_value()):
        raise ValueError("it must consist of printable ASCII characters without spaces")
    return secret


_Credential = Annotated[SecretStr, AfterValidator(_header_value)]


class Settings(BaseSettings, AutomationSettings):
    """All settings of the environment; an empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        enable_decoding=False,
        validate_default=False,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    source: Annotated[tuple[SourceName, ...], _from_text(_parse_sources), AfterValidator(_one_kind)] = Field(
        default=("demo",),
        description="Sources of the listings, separated by commas: `archive` (tables), `saved` (pages saved from a "
        "browser), `live` (the real sites) and `kicksdb` (a catalogue with a key), or `demo` (the offline shop) alone.",
    )
    sites: Annotated[Mapping[str, SourceName | None], _from_text(_parse_sites)] = Field(
        default={},
        description="Sites to use, such as `goat,kith.com,stockx=saved`: names of the registry, Shopify hosts, and "
        "sites of the archive, each with its source if several have it. Default: `stockx,farfetch` and the Shopify "
        "stores for `live`, all sites of an archive, StockX and GOAT for `kicksdb`, all known sites for `saved`.",
    )
    archive: Path | None = Field(default=None, description="Table, or folder of tables and images, of the archive.")
    archive_currency: str | None = Field(
        default=None,
        pattern="^[A-Z]{3}$",
        description="ISO 4217 code of the archive's prices that are written without a currency, such as `EUR`.",
    )
    saved: Path | None = Field(
        default=None, description="Folder of saved pages: HTML, MHTML, JSON, HAR and WARC files."
    )
    fetch_images: bool = Field(
        default=False, description="Whether pictures that saved pages show but do not contain are fetched."
    )
    releases: Path | None = Field(
        default=None, description="Table of announced shoes of your own, which the release sensor prices."
    )
    lake: str = Field(
        default="data_lake",
        description="Folder or fsspec address of the lake, such as `s3://bucket/lake`.",
    )
    weights: Path | None = Field(
        default=None,
        description="Folder of weight files, named `<backbone>.pth`, `<backbone>-<anything>.safetensors` and so on.",
    )
    backbones: Annotated[tuple[str, ...], _from_text(_parse_list), AfterValidator(_registered)] = Field(
        default=("vgg16", "efficientnet_lite0"),
        description="Backbones to train price models on, such as `vgg16,mobilenet_v2`; each is a partition of the "
        "features and models.",
    )
    device: DeviceName = Field(
        default="auto", description="Device of the networks: `auto` (a GPU if there is one), `cpu` or `cuda`."
    )
    contact: Contact = ""
    stockx_key: _Credential | None = Field(
        default=None, description="Key of StockX's official API; with it, the live source reads StockX through the API."
    )
    stockx_token: _Credential | None = Field(
        default=None,
        description="Access token that belongs to the key. It expires after some hours; a crawl resumes with a new "
        "one.",
    )
    kicksdb_key: _Credential | None = Field(default=None, description="Key of KicksDB.")
    kicksdb_market: str = Field(
        default="US", pattern="^[A-Z]{2}$", description="Country whose prices KicksDB is asked for."
    )
    kicksdb_sales: bool = Field(
        default=False, description="Whether the sales at KicksDB are read too: a request per product, and a paid plan."
    )
    kicksdb_quota: int = Field(
        default=1000, gt=0, description="Requests a month at KicksDB at which a crawl pauses; 1,000 are free."
    )
    shopify_stores: Annotated[Mapping[str, str | None], _from_text(_parse_stores)] = Field(
        default={},
        description="Shopify stores to add as sites, with their currencies: `example.com=USD,other.com=EUR`. "
        "`example.com/collections/shoes=USD` starts at a collection, `.../shoes.atom` at its feed, which states the "
        "currency.",
    )
    footwear_categories: Annotated[tuple[str, ...], _from_text(_parse_list)] = Field(
        default=(),
        description="Product types and tags that are footwear although their names do not say so, separated by commas, "
        "such as `Lifestyle,Men's Running`. Listings that a site calls something else are not learned from.",
    )
    fees: Annotated[Mapping[str, Fees], _from_text(_parse_fees)] = Field(
        default=DEFAULT_FEES,
        description="Selling fees by site: commission and payment as shares of the price, and shipping in US dollars, "
        "such as `stockx=0.08,0.03,14; ebay=0.08,0,12`.",
    )
    bands: Annotated[tuple[float, ...], _from_text(_parse_bands), AfterValidator(_rising)] = Field(
        default=(500.0,),
        description="Edges between the price bands in US dollars, such as `200,500`; each band is a partition of the "
        "GAN.",
    )
    allow_loopback: bool = Field(
        default=False, description="Whether pictures of archives may be fetched from this machine's own addresses."
    )
    shop_today: Annotated[date, _from_text(_parse_day)] | None = Field(
        default=None,
        description="Date at the offline shop, such as `2020-10-01`; by default that of its clock in the lake.",
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @model_validator(mode="after")
    def _credentials_are_complete(self) -> Self:
        if (self.stockx_key is None) != (self.stockx_token is None):
            there, missing = ("KEY", "TOKEN") if self.stockx_key else ("TOKEN", "KEY")
            raise ValueError(f"{PREFIX}STOCKX_{there} is set without {PREFIX}STOCKX_{missing}: StockX's API needs both")
        return self

    @property
    def crawls(self) -> bool:
        """Whether a source sends requests to real sites."""
        return not {"live", "kicksdb"}.isdisjoint(self.source)

    @property
    def automation(self) -> AutomationSettings:
        """The settings of automation; real sites are polled less often than the offline shop."""
        values = {name: getattr(self, name) for name in AutomationSettings.model_fields}
        if self.crawls and "watch_seconds" not in self.model_fields_set:
            values["watch_seconds"] = max(_WATCH_SECONDS.get(name, 0) for name in self.source)
        return AutomationSettings.model_construct(**values)  # validated as part of these settings


def variable(field: str) -> str:
    """The environment variable that sets a field of ``Settings``."""
    return PREFIX + field.upper()


def load_settings() -> Settings:
    """Read and validate the settings of the environment.

    A variable with the prefix ``SNEAKER_`` that is not a setting is logged as a warning, once per process.

    Raises:
        SettingsError: Values are of the wrong type, out of bounds, unknown choices, or contradict each other.
    """
    return _load(tuple((name, text) for name, text in os.environ.items() if name.upper().startswith(PREFIX)))


@functools.lru_cache(maxsize=1)
def _load(variables: tuple[tuple[str, str], ...]) -> Settings:
    """The settings of these variables, which are those of the environment; parsing them takes 10 ms.

    Raises:
        SettingsError: As in :func:`load_settings`.
    """
    known = {variable(field) for field in Settings.model_fields}
    for name, _ in variables:
        if name.upper() not in known:
            _warn_unknown(name)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_lines(error))) from None


@functools.cache
def _warn_unknown(name: str) -> None:
    known = [variable(field) for field in Settings.model_fields]
    nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
    logger.warning("%s is not a setting and is ignored: did you mean %s?", name, nearest)


def _lines(error: ValidationError) -> Iterator[str]:
    """One line per setting that is invalid, or per conflict between settings."""
    reported = set()
    for details in error.errors():
        field = str(details["loc"][0]) if details["loc"] else None
        if field is None:
            yield reason(details)
        elif field not in reported:
            reported.add(field)
            yield f"{variable(field)}{_shown(field)}: {reason(details)}"


def _shown(field: str) -> str:
    """The value as it was given, unless it is a secret."""
    if "SecretStr" in str(Settings.model_fields[field].annotation):
        return ""
    given = {name.upper(): text for name, text in os.environ.items()}
    return f"={given.get(variable(field), '')!r}"
