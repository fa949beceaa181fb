rule plot_widths:
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_widths"),
        runtime=runtime("plot_widths"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot_ratios"),
        nuisance=specs.nuisance(STUDY),
    shell:
        "python -m infoscope plot-widths"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --table {input.table:q}"
        " --fisher {input.fisher:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_scales:
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_scales"),
        runtime=runtime("plot_scales"),
    params:
        spec=literal(specs.plot_scales(STUDY)),
        code=specs.code("plot_ratios"),
    shell:
        "python -m infoscope plot-scales"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --table {input.table:q}"
        " --scales {input.scales:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_kappa_ranges:
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_kappa_ranges"),
        runtime=runtime("plot_kappa_ranges"),
    params:
        spec=literal(specs.plot_kappa_ranges(STUDY)),
        code=specs.code("plot_ratios"),
    shell:
        "python -m infoscope plot-kappa-ranges"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --table {input.table:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_claims:
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_claims"),
        runtime=runtime("plot_claims"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot_ratios"),
    shell:
        "python -m infoscope plot-claims"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --table {input.table:q}"
        " --diagnostics {input.diagnostics:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_triangle:
    input:
        chains=expand(
            rules.export_chain.output.chain,
            degradation=specs.contours(STUDY),
            allow_missing=True,
        ),
        # GetDist finds them beside the chains
        others=expand(
            [rules.export_chain.output.names, rules.export_chain.output.ranges],
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_triangle"),
        runtime=runtime("plot_triangle"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot"),
    shell:
        "python -m infoscope plot-triangle"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --chains {input.chains:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_calibration:
    input:
        expand(
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_calibration"),
        runtime=runtime("plot_calibration"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot"),
    shell:
        "python -m infoscope plot-calibration"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --posteriors {input:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_tiles:
    input:
        expand(rules.collect_dataset.output.example, degradation=STUDY.degradations),
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_tiles"),
        runtime=runtime("plot_tiles"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot"),
    shell:
        "python -m infoscope plot-tiles"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --examples {input:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_history:
    input:
        expand(
            rules.train_estimator.output.history,
            degradation=STUDY.degradations,
            estimator=STUDY.estimators,
            seed=range(STUDY.training.seeds),
        ),
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_history"),
        runtime=runtime("plot_history"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot"),
    shell:
        "python -m infoscope plot-history"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --histories {input:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"


rule plot_learning_curves:
    input:
        rules.measure_learning_curves.output,
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
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("plot_learning_curves"),
        runtime=runtime("plot_learning_curves"),
    params:
        spec=literal(specs.plot(STUDY)),
        code=specs.code("plot"),
    shell:
        "python -m infoscope plot-learning-curves"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --table {input:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"
