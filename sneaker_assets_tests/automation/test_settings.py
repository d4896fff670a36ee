import pytest

from sneaker_assets.automation.settings import AutomationSettings, SettingError


def test_what_is_not_set_is_the_default() -> None:
    assert AutomationSettings.from_environment({}) == AutomationSettings()


def test_every_setting_is_read() -> None:
    settings = AutomationSettings.from_environment(
        {
            "SNEAKER_RECRAWL_CRON": "15 2 * * *; farfetch=30 4 * * 1",
            "SNEAKER_TIME_ZONE": "Europe/Berlin",
            "SNEAKER_RECRAWL_JITTER": "5",
            "SNEAKER_CRAWL_PATIENCE": "1.5",
            "SNEAKER_RETRAIN_SHARE": "0.1",
            "SNEAKER_RETRAIN_DAYS": "7",
            "SNEAKER_PRICE_TOLERANCE": "0",
            "SNEAKER_RATES_CRON": "0 17 * * *",
            "SNEAKER_GAN_CRON": "0 5 * * 6",
            "SNEAKER_WATCH_SECONDS": "30",
            "SNEAKER_ALERT_PREMIUM": "1",
            "SNEAKER_WEBHOOK": "https://hooks.example.org/secret",
        }
    )
    assert settings == AutomationSettings(
        "15 2 * * *", {"farfetch": "30 4 * * 1"}, "Europe/Berlin", 5, 1.5, 0.1, 7.0, 0.0, "0 17 * * *", "0 5 * * 6",
        30, 1.0, "https://hooks.example.org/secret",
    )  # fmt: skip
    assert (settings.cron_of("stockx"), settings.cron_of("farfetch")) == ("15 2 * * *", "30 4 * * 1")


def test_real_sites_are_looked_at_less_often_than_the_offline_shop() -> None:
    assert AutomationSettings.from_environment({"SNEAKER_SOURCE": "live"}).watch_seconds == 900
    watched = {"SNEAKER_SOURCE": "live", "SNEAKER_WATCH_SECONDS": "300"}
    assert AutomationSettings.from_environment(watched).watch_seconds == 300


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("SNEAKER_RECRAWL_CRON", "every night", "no cron of five fields"),
        ("SNEAKER_GAN_CRON", "0 25 * * *", "no cron of five fields"),
        ("SNEAKER_TIME_ZONE", "Mars/Olympus", "Mars/Olympus"),
        ("SNEAKER_RECRAWL_JITTER", "-1", "must not be negative"),
        ("SNEAKER_RETRAIN_SHARE", "5", "a share between 0 and 1"),
        ("SNEAKER_RETRAIN_DAYS", "0", "more than 0"),
        ("SNEAKER_ALERT_PREMIUM", "half", "could not convert"),
        ("SNEAKER_WEBHOOK", "hooks.example.org", "begins with http"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(name: str, text: str, why: str) -> None:
    with pytest.raises(SettingError, match=why) as raised:
        AutomationSettings.from_environment({name: text})
    assert str(raised.value).startswith(f"{name}={text!r}: ")
    assert "\n" not in str(raised.value)
