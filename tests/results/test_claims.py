"""Claims, from the config to the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from infoscope.errors import InfoscopeError
from infoscope.results.claims import columns, judge, p_values
from infoscope.results.comparison import Ratio
from infoscope.results.config import Claim, ComparisonConfig
from infoscope.results.data_processing import Bounds
from infoscope.stages import measure_claims as stage
from infoscope.study.config import parse_study
from infoscope.vocabulary import METRICS, Metric

from .test_comparison import measurement
from .test_widths import write

ROOT = Path(__file__).parents[2]
NOTHING_TIMED: dict[str, list[float]] = {"train_estimator": [], "degrade_maps": []}


def claim(*comparisons, **keys) -> Claim:
    defaults = {"degradation": "cut", "estimator": "cnn"}
    given = [defaults | comparison for comparison in comparisons]
    return Claim.model_validate({"claim": "It is so.", "comparisons": given} | keys)


def study(scale: float, error: float = 0.01, **keys):
    """Return a reference, and a cut with `scale` times its width and a given error."""
    rows = [measurement("reference", sky_scatter=0.0), measurement("cut", scale)]
    noise = np.random.default_rng(1).standard_normal((1, 200, 1))
    noise /= noise.std(ddof=1)
    rows[1].bootstrap[:] = rows[1].width[:, None] * np.exp(error * noise)
    return rows


def verdict(rows, *comparisons) -> str:
    table = judge([claim(*comparisons)], rows, 0.05, NOTHING_TIMED, {})
    assert len(table) == len(comparisons)
    (found,) = set(table.claim_verdict)
    return found


@pytest.mark.parametrize(
    ("scale", "comparison", "expected"),
    [
        (1.10, {"expect": "wider"}, "supported"),
        (1.00, {"expect": "wider"}, "contradicted"),
        (0.90, {"expect": "wider"}, "contradicted"),
        (1.04, {"expect": "wider", "metric": "area95"}, "supported"),
        (0.90, {"expect": "narrower"}, "supported"),
        (1.10, {"expect": "narrower"}, "contradicted"),
        # more information means narrower
        (1.10, {"expect": "narrower", "metric": "information"}, "supported"),
        (1.10, {"expect": "wider", "by": 1.05}, "supported"),
        (1.10, {"expect": "wider", "by": 1.1}, "undecided"),
        (1.10, {"expect": "wider", "by": 1.15}, "contradicted"),
        (0.80, {"expect": "narrower", "by": 1.2}, "supported"),
        (1.01, {"expect": "equivalent"}, "supported"),
        (1.05, {"expect": "equivalent"}, "undecided"),
        (1.10, {"expect": "equivalent"}, "contradicted"),
        (1.10, {"expect": "equivalent", "within": 0.2}, "supported"),
    ],
)
def test_verdicts(scale, comparison, expected):
    assert verdict(study(scale), comparison) == expected


@pytest.mark.parametrize(
    ("comparison", "low", "high"),
    [
        ({"expect": "wider"}, 1, np.nan),
        ({"expect": "wider", "by": 1.25}, 1.25, np.nan),
        ({"expect": "narrower", "by": 1.25}, np.nan, 0.8),
        ({"expect": "wider", "by": 1.25, "metric": "fom"}, np.nan, 0.8),
        ({"expect": "narrower", "metric": "information"}, 1, np.nan),
        ({"expect": "equivalent"}, 1 / 1.05, 1.05),
        ({"expect": "equivalent", "within": 0.25}, 0.8, 1.25),
    ],
)
def test_limits_enclose_what_is_expected(comparison, low, high):
    for scale in (0.5, 0.999, 1.001, 2.0):
        table = judge([claim(comparison)], study(scale, 1e-4), 0.05, NOTHING_TIMED, {})
        row = table.iloc[0]
        np.testing.assert_allclose([row.expected_low, row.expected_high], [low, high])
        outside = row.ratio < low or row.ratio > high
        assert (row.verdict == "supported") != outside


def test_large_errors_decide_nothing():
    for comparison in ({"expect": "wider"}, {"expect": "equivalent"}):
        assert verdict(study(1.03, error=0.1), comparison) == "undecided"


def test_all_comparisons_have_to_hold():
    wider, same = {"expect": "wider"}, {"expect": "equivalent", "within": 0.2}
    assert verdict(study(1.1), wider, same) == "supported"
    assert verdict(study(1.3), wider, same) == "contradicted"
    assert verdict(study(1.1), wider, {"expect": "wider", "by": 1.1}) == "undecided"


def test_other_degradations_and_estimators_are_compared():
    rows = [
        measurement("reference"),
        measurement("cut", 1.5),
        measurement("reference", 1.5, estimator="power_spectrum"),
    ]
    against = {"estimator": "power_spectrum"}
    table = judge(
        [claim({"expect": "equivalent", "against": against})],
        rows,
        0.05,
        NOTHING_TIMED,
        {},
    )
    row = table.iloc[0]
    assert row.claim_verdict == "supported" and row.ratio == pytest.approx(1)
    assert (row.against_degradation, row.against_estimator) == (
        "reference", "power_spectrum",
    )  # fmt: skip


def test_withheld_widths_decide_nothing():
    rows = [measurement("reference"), measurement("cut", 2.0, calibration="withheld")]
    table = judge([claim({"expect": "wider"})], rows, 0.05, NOTHING_TIMED, {})
    assert list(table.claim_verdict) == ["undecided"]
    assert "cut / cnn: withheld" in table.note[0] and np.isnan(table.ratio[0])


def test_impossible_scores_decide_nothing():
    rows = [measurement("reference"), measurement("cut", 1.5)]
    rows[1].score[:] += 0.1 + 0.001 * np.arange(64)
    bounds = {"cnn": Bounds([("cut", "reference")])}
    for expect in ("wider", "equivalent"):
        table = judge([claim({"expect": expect})], rows, 0.05, NOTHING_TIMED, bounds)
        assert list(table.claim_verdict) == ["undecided"]
        assert table.ratio[0] == pytest.approx(1.5)
        assert table.note[0].startswith("cut / cnn: impossible, scores above reference")


def test_shared_training_runs_are_noted():
    rows = [measurement("reference"), measurement("cut", same_as="reference")]
    table = judge([claim({"expect": "equivalent"})], rows, 0.05, NOTHING_TIMED, {})
    assert list(table.claim_verdict) == ["supported"] and table.ratio[0] == 1
    assert table.note[0] == "the same inputs and training runs"


def test_unfinished_training_runs_are_noted():
    rows = [measurement("reference"), measurement("cut", 2.0, final_drop=0.1)]
    table = judge([claim({"expect": "wider"})], rows, 0.05, NOTHING_TIMED, {})
    assert table.note[0] == "cut / cnn: training falling"


@pytest.mark.parametrize(
    ("true", "keys"),
    [
        (1.0, {"expect": "wider"}),
        (1.2, {"expect": "wider", "by": 1.2}),
        (1.05, {"expect": "equivalent"}),
    ],
)
def test_what_is_just_false_is_rarely_supported(true, keys):
    """At the edge of the hypothesis, this happens in one of twenty studies."""
    comparison = ComparisonConfig(degradation="cut", estimator="cnn", **keys)
    noise = 0.02 * np.random.default_rng(1).standard_normal(3000)
    p = [
        p_values(Ratio("sigma_s8", true * np.exp(x), 0.02, np.inf), comparison, 0.05)
        for x in noise
    ]
    supported, contradicted = (np.array(p) < 0.05).mean(axis=0)
    assert supported == pytest.approx(0.05, abs=0.013)
    # of what is tested against another edge, contradictions are rarer or sure
    if keys != {"expect": "wider"}:
        assert contradicted == pytest.approx(0.05, abs=0.013)


def test_cost_is_a_share_of_all_seconds():
    costly = Claim(
        claim="It costs.", cost={"rule": "train_estimator", "share_above": 0.6}
    )
    for train, expected in (([30.0, 40.0], "supported"), ([20.0], "contradicted")):
        seconds = {"train_estimator": train, "degrade_maps": [30.0]}
        table = judge([costly], [], 0.05, seconds, {})
        assert list(table.claim_verdict) == [expected]
        assert table.ratio[0] == pytest.approx(sum(train) / (sum(train) + 30))
    table = judge(
        [costly], [], 0.05, {"train_estimator": [1.0], "degrade_maps": []}, {}
    )
    assert list(table.claim_verdict) == ["undecided"]
    assert "degrade_maps" in table.note[0]


def test_columns_are_all_explained():
    table = judge([claim({"expect": "wider"})], study(1.1), 0.05, NOTHING_TIMED, {})
    assert list(columns().column) == list(table)


def test_stage_reads_posteriors_and_benchmarks(tmp_path):
    rows = [measurement("reference"), measurement("cut", 2.0)]
    paths = [write(tmp_path / f"{row.degradation}.h5", row) for row in rows]
    for rule, seconds in (
        ("train_estimator", 8), ("simulate_skies", 1), ("degrade_maps", 1),
        ("collect_dataset", 0), ("infer_posterior", 0),
    ):  # fmt: skip
        (tmp_path / "benchmarks" / rule).mkdir(parents=True)
        text = f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t9\n"
        (tmp_path / "benchmarks" / rule / "one.tsv").write_text(text)
    cost = {"rule": "train_estimator", "share_above": 0.5}
    claims = [claim({"expect": "wider"}), Claim(claim="It costs.", cost=cost)]
    spec = {
        "claims": [one.model_dump(mode="json") for one in claims],
        "labels": {"reference": "Reference", "cut": "Cut"},
        "equivalence": 0.05,
        "bounds": {},
    }
    stage.run(spec, paths, tmp_path / "benchmarks", tmp_path / "claims.csv")
    table = pd.read_csv(tmp_path / "claims.csv")
    assert list(table.claim_verdict) == ["supported", "supported"]
    assert list(table.ratio) == [2.0, 0.8]
    assert (tmp_path / "claims_columns.csv").exists()


CI = yaml.safe_load((ROOT / "config/studies/ci.yaml").read_text())
COMPARISON = {"degradation": "shuffle_pixels", "estimator": "cnn", "expect": "wider"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradation": "shuffled"}, "comparisons.0.degradation: 'shuffled' is not"),
        ({"estimator": "cmm"}, "claims.0.comparisons.0.estimator: 'cmm' is not"),
        ({"against": {"degradation": "ref"}}, "0.against.degradation: 'ref' is not"),
        ({"metric": "sigma"}, "claims.0.comparisons.0.metric"),
        ({"within": 0.1}, "within: is for `equivalent` only"),
        ({"expect": "equivalent", "by": 2}, "by: is for `wider` and `narrower` only"),
        ({"degradation": "reference"}, "against: is the same width"),
        ({"factor": 2}, "factor: unknown key"),
    ],
)
def test_mistakes_are_named(changes, message):
    claims = [{"claim": "It is so.", "comparisons": [COMPARISON | changes]}]
    with pytest.raises(InfoscopeError, match=message):
        parse_study(CI | {"claims": claims})


def test_a_claim_is_tested_in_one_way():
    for keys in (
        {},
        {
            "comparisons": [COMPARISON],
            "cost": {"rule": "train_estimator", "share_above": 0.5},
        },
    ):
        with pytest.raises(InfoscopeError, match="either comparisons or a cost"):
            parse_study(CI | {"claims": [{"claim": "It is so."} | keys]})


def test_metrics_of_the_config_are_those_of_posteriors():
    assert tuple(Metric) == METRICS


@pytest.mark.parametrize("name", ["config", "studies/claims"])
def test_claims_of_studies_are_about_what_they_have(name):
    parsed = parse_study(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    assert len(parsed.claims) == {"config": 4, "studies/claims": 8}[name]
