"""Base class of all settings: frozen pydantic models whose fields carry their description and bounds."""

from copy import copy
from typing import Any, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

from sneaker_assets.errors import SneakerError

Unset = Literal["recipe"]
UNSET: Unset = "recipe"
"""A choice among names that is left to the recipe."""


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


def optional_field(model: type[BaseModel], name: str, description: str = "") -> Any:
    """A field of a model as a field of another one in which it may be unset: None by default, with the same bounds.

    Choices have :data:`UNSET` in place of None, since Dagster takes no optional ones.

    Args:
        model: The model that defines the field.
        name: The field's name.
        description: Its description in the other model; by default the same.
    """
    field = copy(model.model_fields[name])
    field.default = UNSET if get_origin(field.annotation) is Literal else None
    field.description = description or field.description
    return field


def given(values: BaseModel, model: type[BaseModel]) -> dict[str, Any]:
    """The values of a model's fields that are set in another one.

    Args:
        values: A model with some of the fields of ``model``, made by :func:`optional_field`.
        model: The model that defines the fields.
    """
    found = {name: getattr(values, name, None) for name in model.model_fields}
    return {name: value for name, value in found.items() if value not in (None, UNSET)}


def reason(details: ErrorDetails) -> str:
    """Why a value is invalid: pydantic's message as a requirement, or the message of the field's own validator.

    Args:
        details: One entry of ``pydantic.ValidationError.errors()``.
    """
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    return details["msg"].split(", unable")[0].replace("Input should be", "it must be")
