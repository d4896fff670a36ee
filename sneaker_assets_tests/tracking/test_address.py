"""The check of MLflow's address, and messages without credentials."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.tracking.address import TrackingError, check_address, redact, tracking_uri, without_credentials


class Without:
    """A finder of modules that finds all but MLflow."""

    def __init__(self, finder: Any) -> None:
        self.finder = finder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == "mlflow":
            return None
        found: ModuleSpec | None = self.finder.find_spec(name, path, target)
        return found


def hide_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an environment in which MLflow is not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Without(finder) for finder in sys.meta_path])


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://localhost:5000", "http://localhost:5000"),
        ("https://ann:secret@mlflow.example.com/path", "https://mlflow.example.com/path"),
        ("https://ann:s/e@cret@mlflow.example.com", "https://mlflow.example.com"),
        ("https://token@mlflow.example.com?key=secret", "https://mlflow.example.com"),
        ("postgresql://ann:secret@db/mlflow", "postgresql://db/mlflow"),
        ("sqlite:///runs.db", "sqlite:///runs.db"),
        ("ann:secret@localhost:5000", "localhost:5000"),
        ("runs", "runs"),
    ],
)
def test_address_is_shown_without_credentials(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


@settings(max_examples=60, deadline=None)
@given(
    st.text("abc./:@%+-ä ", min_size=1, max_size=12),
    st.text("XYZ019!/:@%?#&=ß ", min_size=4, max_size=20).filter(str.strip),
)
def test_no_message_contains_a_password(user: str, password: str) -> None:
    secret = f"<{password}>"
    for uri in (f"https://{quote(user)}:{quote(secret, safe='')}@host:5000/p", f"http://{quote(user)}:{secret}@host/p"):
        message = redact(f"request to {uri} failed for {secret}", uri)
        assert secret not in message + without_credentials(uri)
        assert quote(secret, safe="") not in message + without_credentials(uri)
        assert "host" in message


def test_credentials_of_mlflows_variables_are_no_part_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "first-secret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "second-secret")
    assert redact("401 for first-secret, second-secret", "http://h") == "401 for ***, ***"


@pytest.mark.parametrize("uri", ["", "  "])
def test_empty_variable_counts_as_unset(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_uri() is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:5000",
        "https://ann:secret@mlflow.example.com/path",
        "sqlite:///runs.db",
        "postgresql+psycopg2://ann:secret@db/mlflow",
    ],
)
def test_addresses_are_accepted_without_connecting(uri: str) -> None:
    check_address(uri)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("localhost:5000", "localhost:5000"),
        ("ann:secret@localhost:5000", "localhost:5000"),
        ("ftp://ann:secret@host", "ftp"),
        ("http://", "no host"),
        ("http://:5000", "no host"),
        ("http://localhost:5000x", "5000x"),
        ("https://ann:secret@host:port", "port"),
        ("http://[::1", "IPv6"),
    ],
)
def test_invalid_address_is_named_in_one_line_with_what_to_do(uri: str, reason: str) -> None:
    with pytest.raises(TrackingError) as raised:
        check_address(uri)
    message = str(raised.value)
    assert message.startswith("MLFLOW_TRACKING_URI=")
    assert reason in message
    assert "such as http://localhost:5000" in message
    assert "secret" not in message
    assert "\n" not in message


def test_folder_needs_mlflows_own_consent(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_address(store)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE")
    with pytest.raises(TrackingError, match="MLFLOW_ALLOW_FILE_STORE=true"):
        check_address(f"{store}-without")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_mlflow(monkeypatch)
    with pytest.raises(TrackingError, match=r"pip install 'sneaker-assets\[mlflow\]', or unset"):
        check_address("http://localhost:5000")
