"""Choices of the config: models that register themselves under a name.

A subclass of `Choice` opens a registry, and each of its own subclasses joins it under
the literal value of the key, such as `operation: Literal["lowpass"] = "lowpass"`. The
config, its schema and documentation, costs and figures follow from the registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, ClassVar, Generic, TypeVar, Union

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from infoscope.models import Model, file_of

T = TypeVar("T", bound="Choice")


class Registry(Generic[T]):
    """Models by the name that chooses them in the config.

    Parameters
    ----------
    key
        Field whose literal value is the name.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.models: dict[str, type[T]] = {}

    def add(self, model: type[T]) -> None:
        """Register a model.

        Raises
        ------
        ValueError
            If it has no name, or another one has the same.
        """
        field = model.model_fields.get(self.key)
        if field is None or not isinstance(field.default, str):
            raise ValueError(
                f"{model.__name__} has no name; give it a field such as "
                f'`{self.key}: Literal["clip"] = "clip"`'
            )
        name = field.default
        other = self.models.get(name)
        if other is not None and file_of(other) != file_of(model):
            raise ValueError(f"there is already a {self.key} `{name}`; rename it")
        self.models[name] = model

    def __getitem__(self, name: str) -> type[T]:
        """Return the model of a name."""
        return self.models[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.models)

    def union(self) -> Any:
        """Type of a field that holds any of the models.

        The schema and the messages are those of the models that are registered by now;
        later ones are accepted too.
        """
        members: Any = Union[tuple(self.models.values())]  # noqa: UP007

        def chosen(value: Any, built_in: ValidatorFunctionWrapHandler) -> Any:
            name = value.get(self.key) if isinstance(value, Mapping) else None
            model = self.models.get(name) if isinstance(name, str) else None
            return built_in(value) if model is None else model.model_validate(value)

        return Annotated[
            Annotated[members, Field(discriminator=self.key)], WrapValidator(chosen)
        ]


class Choice(Model):
    """One of several models, chosen by a key of the config.

    A direct subclass sets `registry`. Classes that are `abstract`, or whose name begins
    with an underscore, are bases of others and cannot be chosen.
    """

    registry: ClassVar[Registry[Any]]
    abstract: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Register a subclass."""
        super().__pydantic_init_subclass__(**keywords)
        opens = "registry" in cls.__dict__
        base = cls.__name__.startswith("_") or cls.__dict__.get("abstract", False)
        if not opens and not base:
            cls.registry.add(cls)

    @property
    def name_in_config(self) -> str:
        """Value of the key that chooses this model."""
        return str(getattr(self, self.registry.key))


def import_all(package: str, path: list[str]) -> None:
    """Import the modules of a package, so that their models are registered."""
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")
