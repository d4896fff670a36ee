"""Base class of all settings: frozen pydantic models whose fields carry their description and bounds."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

from sneaker_assets.errors import SneakerError


class SettingsError(SneakerError, ValueError):
    """Settings are invalid; the message has one line per mistake with the setting, its value and what is allowed."""


class SettingsModel(BaseModel):
    """Immutable, validated settings; unknown names are rejected.

    Subclasses stay importable without torch and Dagster. A Dagster config inherits from one of them and from
    ``dg.Config``, so that names, defaults, bounds and descriptions are defined once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def part_of(cls, other: BaseModel) -> Self:
        """The fields of these settings taken from a model that has them all, such as a config derived from them.

        Args:
            other: A model with at least the fields of this class.

        Raises:
            pydantic.ValidationError: A value is out of bounds.
        """
        return cls(**{name: getattr(other, name) for name in cls.model_fields})

    def with_changes(self, **changes: Any) -> Self:
        """A validated copy with some fields changed; unlike ``model_copy``, which does not validate.

        Args:
            **changes: New values by field name.

        Raises:
            pydantic.ValidationError: A name is unknown, or a value is of the wrong type or out of bounds.
        """
        return type(self)(**{**self.model_dump(), **changes})


def reason(details: ErrorDetails) -> str:
    """Why a value is invalid: pydantic's message as a requirement, or the message of the field's own validator.

    Args:
        details: One entry of ``pydantic.ValidationError.errors()``.
    """
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    return details["msg"].split(", unable")[0].replace("Input should be", "it must be")
