import pytest

from sneaker_assets.settings.automation import ALL_SITES, AutomationSettings


def test_cron_of_a_site_falls_back_to_that_of_all_sites() -> None:
    settings = AutomationSettings(recrawl_cron={ALL_SITES: "15 2 * * *", "farfetch": "30 4 * * 1"})
    assert (settings.cron_of("stockx"), settings.cron_of("farfetch")) == ("15 2 * * *", "30 4 * * 1")


def test_cron_of_one_site_leaves_the_default_of_the_others() -> None:
    settings = AutomationSettings(recrawl_cron={"farfetch": "30 4 * * 1"})
    assert settings.cron_of("stockx") == AutomationSettings().cron_of("stockx") == "0 3 * * *"


@pytest.mark.parametrize("cron", ["every night", "0 25 * * *", "0 3 * *", "0 3 * * * *", "@daily"])
def test_cron_needs_five_valid_fields(cron: str) -> None:
    with pytest.raises(ValueError, match="is not a cron of five fields"):
        AutomationSettings(gan_cron=cron)
