"""Config of comparisons and claims."""

from __future__ import annotations

from pydantic import (
    Field,
    model_validator,
)

from infoscope.models import Model
from infoscope.vocabulary import CostlyRule, Expectation, Metric


class Against(Model):
    """The width that another one is compared with."""

    degradation: str = Field("reference", description="Name of a degradation.")
    estimator: str | None = Field(
        None, description="Name of an estimator; null is the one that is compared."
    )


class ComparisonConfig(Model):
    """What is expected of the ratio of two widths."""

    degradation: str = Field(description="Name of a degradation.")
    estimator: str = Field(description="Name of an estimator.")
    against: Against = Field(Against(), description="What it is compared with.")
    metric: Metric = Field(Metric.SIGMA_S8, description="Width that is compared.")
    expect: Expectation = Field(
        description="What the posterior is expected to be. (`narrower`: less of "
        "`sigma_…` and `area…`, more of `fom` and `information`.)"
    )
    by: float | None = Field(
        None,
        gt=1,
        description="Wider, or narrower, by more than this factor; null is any factor.",
    )
    within: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Equivalent within 1 + this and its inverse; null is "
        "posterior.equivalence.",
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
            raise ValueError("by: is for wider and narrower; equivalent has `within`")
        if self.within is not None and self.expect != "equivalent":
            raise ValueError("within: is for equivalent; wider and narrower have `by`")
        if self.compared[0] == self.compared[1]:
            raise ValueError(
                "against: is the same width; name another degradation or estimator"
            )
        return self


class CostConfig(Model):
    """What is expected of the time that one rule takes."""

    rule: CostlyRule = Field(description="Name of the rule.")
    share_above: float = Field(
        gt=0,
        lt=1,
        description="Its jobs are expected to take more than this share of the "
        "seconds of all jobs that lead to posteriors.",
    )


class Claim(Model):
    """A statement that the study tests: by comparisons of widths, or by a cost."""

    claim: str = Field(min_length=1, description="The statement, one sentence.")
    source: str | None = Field(None, description="Where the statement is from.")
    comparisons: list[ComparisonConfig] = Field(
        [], description="All of them have to hold."
    )
    cost: CostConfig | None = Field(None, description="Instead of comparisons.")

    @model_validator(mode="after")
    def _tested(self) -> Claim:
        if bool(self.comparisons) == (self.cost is not None):
            raise ValueError("a claim has either comparisons or a cost")
        return self
