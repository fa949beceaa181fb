"""Choices of the config: models that register themselves under a name.

A direct subclass of `Choice` has a registry. Each of its subclasses is registered under
the literal value of a field, such as ``operation: Literal["lowpass"] = "lowpass"``. The
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
    """Models by their names in the config.

    Parameters
    ----------
    key
        Name of the field whose literal value is the name of a model.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.models: dict[str, type[T]] = {}

    def add(self, model: type[T]) -> None:
        """Register a model.

        Raises
        ------
        ValueError
            If the model has no name, or the name of another model.
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
        """Return the model with a name."""
        return self.models[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.models)

    def union(self) -> Any:
        """Return the type of a field that holds any of the models.

        Its schema and error messages contain the models that are registered when this
        method is called. Models that are registered later are accepted too.
        """
        members: Any = Union[tuple(self.models.values())]  # noqa: UP007

        def validate(value: Any, built_in: ValidatorFunctionWrapHandler) -> Any:
            name = value.get(self.key) if isinstance(value, Mapping) else None
            model = self.models.get(name) if isinstance(name, str) else None
            return built_in(value) if model is None else model.model_validate(value)

        return Annotated[
            Annotated[members, Field(discriminator=self.key)], WrapValidator(validate)
        ]


class Choice(Model):
    """Base class of models that a key of the config chooses from.

    A direct subclass defines `registry`. Classes that are `abstract`, or whose name
    starts with an underscore, are base classes and cannot be chosen.
    """

    registry: ClassVar[Registry[Any]]
    abstract: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        """Register a subclass."""
        super().__pydantic_init_subclass__(**keywords)
        has_registry = "registry" in cls.__dict__
        is_base = cls.__name__.startswith("_") or cls.__dict__.get("abstract", False)
        if not has_registry and not is_base:
            cls.registry.add(cls)

    @property
    def name_in_config(self) -> str:
        """Name of the model in the config."""
        return str(getattr(self, self.registry.key))


def import_all(package: str, path: list[str]) -> None:
    """Import all modules of a package, which registers their models."""
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")
