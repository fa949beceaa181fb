"""Config of the effects: each is a key of `survey` and of degradations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, create_model

from infoscope.effects import kinds
from infoscope.effects.effect import EFFECTS, Effect
from infoscope.models import Model

assert kinds  # imported because it registers them


def _summary(effect: type[Effect]) -> str:
    """Return the first line of the docstring of an effect."""
    return (effect.__doc__ or "").partition("\n")[0]


if TYPE_CHECKING:

    class SurveyEffects(Model):
        """All effects of a survey."""

    class DegradationEffects(Model):
        """Effects with which a degradation overrides those of the survey, or None."""

else:
    # a survey has all effects, switched off by default
    SurveyEffects = create_model(
        "SurveyEffects",
        __base__=Model,
        **{
            key: (effect, Field(effect(), description=_summary(effect)))
            for key, effect in EFFECTS.items()
        },
    )
    DegradationEffects = create_model(
        "DegradationEffects",
        __base__=Model,
        **{
            key: (
                effect | None,
                Field(
                    None, description=f"Overrides survey.{key} for this degradation."
                ),
            )
            for key, effect in EFFECTS.items()
        },
    )


def stored_effects() -> list[type[Effect]]:
    """Return the effects for which skies store maps, in the order of these maps."""
    return [effect for effect in EFFECTS.values() if effect.n_terms]


def effects_of(*models: Model) -> dict[str, Effect]:
    """Return effects by key; those of later models override those of earlier models."""
    effects: dict[str, Effect] = {}
    for model in models:
        for key in EFFECTS:
            if (effect := getattr(model, key)) is not None:
                effects[key] = effect
    return effects


def dumped(effects: dict[str, Effect]) -> dict[str, dict[str, object]]:
    """Convert the effects that are not switched off to a part of a spec."""
    return {
        key: effect.model_dump(mode="json")
        for key, effect in effects.items()
        if not effect.is_off
    }


def parse_effects(spec: dict[str, dict[str, object]]) -> list[Effect]:
    """Parse the effects in the spec of a job."""
    return [EFFECTS[key].model_validate(values) for key, values in spec.items()]
