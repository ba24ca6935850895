"""What all that an operator declares has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from podwright.model.fields import SALVAGE, salvaged


class Declared(BaseModel):
    """Whatever an operator declares: immutable, and no key that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, value: Any, info: ValidationInfo) -> Any:
        """Where we salvage: the keys that we know, None for those that are missing."""
        if info.context != SALVAGE:
            return value
        declared = value if isinstance(value, dict) else {}
        return {
            key: declared.get(key) for key, field in cls.model_fields.items() if key in declared or field.is_required()
        }

    @field_validator("*", mode="wrap")
    @classmethod
    def _salvage(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        result = salvaged(value, read, info)
        if result is None and info.context == SALVAGE and info.field_name:
            empty: dict[Any, Any] = {Mapping: {}, tuple: ()}
            return empty.get(get_origin(cls.model_fields[info.field_name].annotation))
        return result
