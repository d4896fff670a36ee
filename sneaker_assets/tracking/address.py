"""The address that ``MLFLOW_TRACKING_URI`` sets: its check before a training, and messages without its credentials.

MLflow: https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
"""

import importlib.util
import os
import re
from urllib.parse import unquote, urlsplit

from sneaker_assets.errors import SneakerError, one_line

VARIABLE = "MLFLOW_TRACKING_URI"

_EXAMPLE = "a server's address is such as http://localhost:5000; without the variable, nothing is logged"

_DEFAULTS = {
    # MLflow's own are 120 s and 7 retries with growing pauses: half an hour for a host that does not answer.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    # Usage statistics would be sent to MLflow's makers.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The address printed after each run contains the credentials.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
"""Schemes of databases, which MLflow opens, and creates or waits for, when a client is made."""


class TrackingError(SneakerError, ValueError):
    """MLflow is not installed, or the address that is set is not one of MLflow's."""


def tracking_uri() -> str | None:
    """The value of ``MLFLOW_TRACKING_URI``; None where it is unset or empty."""
    return os.environ.get(VARIABLE, "").strip() or None


def set_client_defaults() -> None:
    """Set MLflow's variables that are not set; call it before MLflow is imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def check_address(uri: str) -> None:
    """Check that MLflow is installed and takes an address, without connecting to it.

    Args:
        uri: Value of ``MLFLOW_TRACKING_URI``.

    Raises:
        TrackingError: MLflow is not installed, or the address is invalid.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise TrackingError(
            f"{VARIABLE} is set, but MLflow is not installed: run pip install 'sneaker-assets[mlflow]', or unset the "
            "variable to train without logging"
        )
    problem = _problem(uri)
    if problem:
        raise TrackingError(f"{VARIABLE}={without_credentials(uri)} cannot be logged to ({problem}): {_EXAMPLE}")


def _problem(uri: str) -> str | None:
    """Why MLflow does not take the address, or None."""
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https"):
            return None if parts.hostname and parts.port != 0 else "it names no host"
    except ValueError as error:
        return redact(one_line(error), uri)
    if parts.scheme.partition("+")[0] in _DATABASES:
        return None
    set_client_defaults()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        MlflowClient(uri)
    except (MlflowException, OSError, ValueError) as error:
        return redact(one_line(error), uri)
    return None


def without_credentials(uri: str) -> str:
    """The address as it may be shown: without user name, password and query.

    Args:
        uri: Value of ``MLFLOW_TRACKING_URI``.
    """
    scheme, separator, rest = uri.partition("://") if "://" in uri else ("", "", uri)
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


def redact(text: str, uri: str) -> str:
    """A message with the credentials of the address and of MLflow's variables replaced by asterisks.

    Args:
        text: Message that may contain them.
        uri: Value of ``MLFLOW_TRACKING_URI``.
    """
    credentials = uri.partition("://")[2].rpartition("@")[0] or uri.rpartition("@")[0]
    password = credentials.partition(":")[2]
    variables = [os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN")]
    for secret in (credentials, password, unquote(password), *variables):
        if secret:
            text = text.replace(secret, "***")
    return re.sub(r"://[^/\s]*@", "://***@", text)
