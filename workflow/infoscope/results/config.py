"""Config of comparisons and claims."""

from __future__ import annotations

from pydantic import (
    Field,
    model_validator,
)

from infoscope.models import Model
from infoscope.vocabulary import CostlyRule, Expectation, Metric


class Against(Model):
    """The width in the denominator of a ratio."""

    degradation: str = Field("reference", description="Name of a degradation.")
    estimator: str | None = Field(
        None, description="Name of an estimator; null is that of the comparison."
    )


class ComparisonConfig(Model):
    """Expectation of the ratio of two widths."""

    degradation: str = Field(description="Name of a degradation.")
    estimator: str = Field(description="Name of an estimator.")
    against: Against = Field(
        Against(), description="The width in the denominator of the ratio."
    )
    metric: Metric = Field(Metric.SIGMA_S8, description="Metric that is compared.")
    expect: Expectation = Field(
        description="Expected posterior, relative to `against`. Narrower posteriors "
        "have smaller `sigma_…` and `area…`, and larger `fom` and `information`."
    )
    by: float | None = Field(
        None,
        gt=1,
        description="Wider or narrower by more than this factor; null is any factor.",
    )
    within: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Margin of equivalence: the ratio is between 1 / (1 + within) and "
        "1 + within; null is posterior.equivalence.",
    )

    @property
    def compared(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Degradation and estimator of both widths."""
        other = self.against
        return (
            (self.degradation, self.estimator),
            (other.degradation, other.estimator or self.estimator),
        )

    @model_validator(mode="after")
    def _consistent(self) -> ComparisonConfig:
        if self.by is not None and self.expect == "equivalent":
            raise ValueError(
                "by: is for `wider` and `narrower` only; use `within` for `equivalent`"
            )
        if self.within is not None and self.expect != "equivalent":
            raise ValueError(
                "within: is for `equivalent` only; use `by` for `wider` and `narrower`"
            )
        if self.compared[0] == self.compared[1]:
            raise ValueError(
                "against: is the same width; name another degradation or estimator"
            )
        return self


class CostConfig(Model):
    """Expectation of the run time of one rule."""

    rule: CostlyRule = Field(description="Name of the rule.")
    share_above: float = Field(
        gt=0,
        lt=1,
        description="The jobs of the rule are expected to take more than this share "
        "of the run time of all jobs needed for the posteriors.",
    )


class Claim(Model):
    """A claim that the study tests, by comparisons of widths or by a cost."""

    claim: str = Field(min_length=1, description="The claim, one sentence.")
    source: str | None = Field(None, description="Source of the claim.")
    comparisons: list[ComparisonConfig] = Field(
        [], description="Comparisons of widths, all of which must hold."
    )
    cost: CostConfig | None = Field(
        None, description="Cost of a rule, instead of comparisons."
    )

    @model_validator(mode="after")
    def _tested(self) -> Claim:
        if bool(self.comparisons) == (self.cost is not None):
            raise ValueError("must have either comparisons or a cost; set one of them")
        return self
