rule summarise_study:
    input:
        widths=rules.measure_widths.output.table,
        diagnostics=rules.measure_widths.output.diagnostics,
        fisher=rules.forecast_fisher.output,
        pairs=rules.validate_skies.output.pairs,
        claims=rules.measure_claims.output.table if STUDY.claims else [],
    output:
        summary=report(
            f"{RESULTS}/report/summary.html",
            category="Study",
            labels={"result": "Summary"},
            caption="../report/summary.rst",
        ),
        widths=report(
            f"{RESULTS}/report/widths.html",
            category="Results",
            labels={"result": "Widths: table"},
            caption="../report/table.rst",
        ),
        diagnostics=report(
            f"{RESULTS}/report/diagnostics.html",
            category="Checks",
            labels={"result": "Diagnostics: table"},
            caption="../report/diagnostics.rst",
        ),
        claims=report(
            f"{RESULTS}/report/claims.html",
            category="Study",
            labels={"result": "Claims: table"},
            caption="../report/claims.rst",
        ),
        fisher=report(
            f"{RESULTS}/report/fisher.html",
            category="Checks",
            labels={"result": "Forecast: table"},
            caption="../report/fisher.rst",
        ),
        pairs=report(
            f"{RESULTS}/report/skies_pairs.html",
            category="Skies",
            labels={"result": "Skies against theory: table"},
            caption="../report/skies_pairs.rst",
        ),
    log:
        f"{RESULTS}/logs/summarise_study.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_study.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise_study"),
        runtime=runtime("summarise_study"),
    params:
        spec=literal(specs.summarise(STUDY, NZ.mean.tolist(), COSTS.n_tile)),
        code=specs.summarise_code(),
        nuisance=specs.nuisance(STUDY),
        # not an input, as in measure_claims
        benchmarks=f"{RESULTS}/benchmarks",
    shell:
        "python -m infoscope summarise-study"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --widths {input.widths:q}"
        " --diagnostics {input.diagnostics:q}"
        " --fisher {input.fisher:q}"
        " --pairs {input.pairs:q}"
        " --claims {input.claims:q}"
        " --benchmarks {params.benchmarks:q}"
        " --output {output.summary:q}"
        " > {log:q} 2>&1"


TARGETS += rules.summarise_study.output
