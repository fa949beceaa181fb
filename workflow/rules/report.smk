use rule figure as plot_widths with:
    input:
        table=rules.measure_widths.output.table,
        fisher=rules.forecast_fisher.output,
    output:
        png=report(
            f"{RESULTS}/figures/widths.png",
            category="Results",
            labels={"result": "Widths: figure"},
            caption="../report/widths.rst",
        ),
        pdf=f"{RESULTS}/figures/widths.pdf",
    log:
        f"{RESULTS}/logs/plot_widths.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_widths.tsv"
    localrule: True
    params:
        figure="widths",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("widths"),
        nuisance=specs.nuisance(STUDY),


TARGETS += rules.plot_widths.output


use rule figure as plot_scales with:
    input:
        table=rules.measure_widths.output.table,
        scales=rules.tabulate_scales.output,
    output:
        png=report(
            f"{RESULTS}/figures/scales.png",
            category="Results",
            labels={"result": "Scales: figure"},
            caption="../report/scales.rst",
        ),
        pdf=f"{RESULTS}/figures/scales.pdf",
    log:
        f"{RESULTS}/logs/plot_scales.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_scales.tsv"
    localrule: True
    params:
        figure="scales",
        spec=literal(specs.plot_scales(STUDY)),
        code=specs.figure_code("scales"),


if specs.shows_scales(STUDY):
    TARGETS += rules.plot_scales.output


use rule figure as plot_kappa_ranges with:
    input:
        table=rules.measure_widths.output.table,
    output:
        png=report(
            f"{RESULTS}/figures/kappa_ranges.png",
            category="Results",
            labels={"result": "Ranges of κ: figure"},
            caption="../report/kappa_ranges.rst",
        ),
        pdf=f"{RESULTS}/figures/kappa_ranges.pdf",
    log:
        f"{RESULTS}/logs/plot_kappa_ranges.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_kappa_ranges.tsv"
    localrule: True
    params:
        figure="kappa_ranges",
        spec=literal(specs.plot_kappa_ranges(STUDY)),
        code=specs.figure_code("kappa_ranges"),


if specs.cuts(STUDY):
    TARGETS += rules.plot_kappa_ranges.output


use rule figure as plot_claims with:
    input:
        table=rules.measure_claims.output.table,
        diagnostics=rules.measure_widths.output.diagnostics,
    output:
        png=report(
            f"{RESULTS}/figures/claims.png",
            category="Study",
            labels={"result": "Claims: figure"},
            caption="../report/claims_figure.rst",
        ),
        pdf=f"{RESULTS}/figures/claims.pdf",
    log:
        f"{RESULTS}/logs/plot_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_claims.tsv"
    localrule: True
    params:
        figure="claims",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("claims"),


if STUDY.claims:
    TARGETS += rules.plot_claims.output


use rule figure as plot_triangle with:
    input:
        # GetDist reads these files, which are beside the chains
        expand(
            [rules.export_chain.output.names, rules.export_chain.output.ranges],
            degradation=specs.contours(STUDY),
            allow_missing=True,
        ),
        chains=expand(
            rules.export_chain.output.chain,
            degradation=specs.contours(STUDY),
            allow_missing=True,
        ),
    output:
        png=report(
            f"{RESULTS}/figures/triangle_{{estimator}}.png",
            category="Results",
            labels={"result": "Posteriors: {estimator}"},
            caption="../report/triangle.rst",
        ),
        pdf=f"{RESULTS}/figures/triangle_{{estimator}}.pdf",
    log:
        f"{RESULTS}/logs/plot_triangle/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_triangle/{{estimator}}.tsv"
    localrule: True
    params:
        figure="triangle",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("triangle"),


TARGETS += expand(rules.plot_triangle.output, estimator=STUDY.estimators)


use rule figure as plot_calibration with:
    input:
        posteriors=expand(
            rules.infer_posterior.output,
            degradation=STUDY.degradations,
            estimator=STUDY.estimators,
        ),
    output:
        png=report(
            f"{RESULTS}/figures/calibration.png",
            category="Checks",
            labels={"result": "Calibration"},
            caption="../report/calibration.rst",
        ),
        pdf=f"{RESULTS}/figures/calibration.pdf",
    log:
        f"{RESULTS}/logs/plot_calibration.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_calibration.tsv"
    localrule: True
    params:
        figure="calibration",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("calibration"),


TARGETS += rules.plot_calibration.output


use rule figure as plot_tiles with:
    input:
        examples=expand(
            rules.collect_dataset.output.example, degradation=STUDY.degradations
        ),
    output:
        png=report(
            f"{RESULTS}/figures/tiles.png",
            category="Skies",
            labels={"result": "Tiles under each degradation"},
            caption="../report/tiles.rst",
        ),
        pdf=f"{RESULTS}/figures/tiles.pdf",
    log:
        f"{RESULTS}/logs/plot_tiles.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_tiles.tsv"
    localrule: True
    params:
        figure="tiles",
        spec=literal(specs.plot_tiles(STUDY)),
        code=specs.figure_code("tiles"),


TARGETS += rules.plot_tiles.output


use rule figure as plot_history with:
    input:
        histories=of_training_runs(rules.train_estimator.output.history),
    output:
        png=report(
            f"{RESULTS}/figures/history.png",
            category="Checks",
            labels={"result": "Training"},
            caption="../report/history.rst",
        ),
        pdf=f"{RESULTS}/figures/history.pdf",
    log:
        f"{RESULTS}/logs/plot_history.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_history.tsv"
    localrule: True
    params:
        figure="history",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("history"),


TARGETS += rules.plot_history.output


use rule figure as plot_learning_curves with:
    input:
        table=rules.measure_learning_curves.output,
    output:
        png=report(
            f"{RESULTS}/figures/learning_curves.png",
            category="Checks",
            labels={"result": "Learning curves: figure"},
            caption="../report/learning_curves.rst",
        ),
        pdf=f"{RESULTS}/figures/learning_curves.pdf",
    log:
        f"{RESULTS}/logs/plot_learning_curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_learning_curves.tsv"
    localrule: True
    params:
        figure="learning_curves",
        spec=literal(specs.plot(STUDY)),
        code=specs.figure_code("learning_curves"),


if STUDY.learning_curves.degradations:
    TARGETS += rules.plot_learning_curves.output
