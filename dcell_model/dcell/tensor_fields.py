"""Dataclasses of tensors, which operators take and give as lists."""

from dataclasses import fields

from torch import Tensor


class TensorFields:
    """Base of dataclasses whose fields are all tensors."""

    __slots__ = ()

    def to_list(self) -> list[Tensor]:
        """All tensors in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
