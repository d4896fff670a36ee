"""Settings of the HTTP client that fetches pages and images."""

from typing import Annotated

from pydantic import Field

from sneaker_assets.settings.model import SettingsModel

AGENT = "sneaker-assets"

Contact = Annotated[
    str,
    Field(
        description="E-mail address or web page in the user agent, by which a site's owner can reach you; required "
        "for a live crawl."
    ),
]
Delay = Annotated[float, Field(ge=0, description="Minimum seconds between two requests to one host.")]


class FetchSettings(SettingsModel):
    """How pages and images are fetched."""

    contact: Contact = ""
    delay: Delay = 2.0
    attempts: int = Field(default=5, gt=0, description="Maximum number of attempts per address.")
    backoff: float = Field(
        default=1.0, ge=0, description="Seconds before the second attempt; doubled with each further one."
    )
    hold_cap: float = Field(
        default=300.0,
        ge=0,
        description="Longest Retry-After in seconds that is waited for; a longer one pauses the crawl.",
    )
    timeout: float = Field(default=20.0, gt=0, description="Seconds without data after which a request fails.")
    deadline: float = Field(default=60.0, gt=0, description="Maximum seconds for a whole response.")
    max_page_bytes: int = Field(default=20_000_000, gt=0, description="Maximum size of a decompressed page in bytes.")
    max_image_bytes: int = Field(default=20_000_000, gt=0, description="Maximum size of an image file in bytes.")
    recheck: float = Field(
        default=20 * 3600.0,
        ge=0,
        description="Seconds during which an image, usable or not, is not requested again.",
    )
    threads: int = Field(
        default=8, gt=0, description="Number of download threads; requests to one host remain sequential."
    )
    allow_loopback: bool = Field(
        default=False, description="Allow this machine's own addresses, as the offline shop needs."
    )

    @property
    def user_agent(self) -> str:
        """The User-Agent header."""
        return f"{AGENT} (+{self.contact})" if self.contact else AGENT
