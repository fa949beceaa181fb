rule infer_posterior:
    input:
        summaries,
    output:
        f"{RESULTS}/posteriors/{{degradation}}/{{estimator}}.h5",
    log:
        f"{RESULTS}/logs/infer_posterior/{{degradation}}_{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/infer_posterior/{{degradation}}_{{estimator}}.tsv"
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("infer_posterior"),
        runtime=runtime("infer_posterior"),
    params:
        spec=infer_spec,
        code=specs.code("infer_posterior"),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope infer-posterior"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --summaries {input:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


TARGETS += expand(
    rules.infer_posterior.output,
    degradation=STUDY.degradations,
    estimator=STUDY.estimators,
)


use rule infer_posterior as infer_reduced with:
    input:
        budget_summaries,
    output:
        f"{RESULTS}/learning_curves/{{degradation}}/{{estimator}}/{{budget}}.h5",
    log:
        f"{RESULTS}/logs/infer_reduced/{{degradation}}_{{estimator}}_{{budget}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/infer_reduced/{{degradation}}_{{estimator}}_{{budget}}.tsv"


TARGETS += expand(
    rules.infer_reduced.output,
    degradation=STUDY.learning_curves.degradations,
    estimator=STUDY.estimators,
    budget=specs.budgets(STUDY),
)


rule export_chain:
    input:
        rules.infer_posterior.output,
    output:
        # with the dot, because {estimator}_2.txt would be a second chain of {estimator}
        chain=f"{RESULTS}/chains/{{degradation}}/{{estimator}}.1.txt",
        names=f"{RESULTS}/chains/{{degradation}}/{{estimator}}.paramnames",
        ranges=f"{RESULTS}/chains/{{degradation}}/{{estimator}}.ranges",
    log:
        f"{RESULTS}/logs/export_chain/{{degradation}}_{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_chain/{{degradation}}_{{estimator}}.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("export_chain"),
        runtime=runtime("export_chain"),
    params:
        spec=literal(specs.chain(STUDY)),
        code=specs.code("export_chain"),
    shell:
        "python -m infoscope export-chain"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --posterior {input:q}"
        " --output {output.chain:q}"
        " > {log:q} 2>&1"


TARGETS += expand(
    rules.export_chain.output,
    degradation=STUDY.degradations,
    estimator=STUDY.estimators,
)


rule measure_widths:
    input:
        expand(
            rules.infer_posterior.output,
            degradation=STUDY.degradations,
            estimator=STUDY.estimators,
        ),
    output:
        table=report(
            f"{RESULTS}/widths.csv",
            category="Results",
            labels={"result": "Widths: CSV"},
            caption="../report/table.rst",
        ),
        mocks=f"{RESULTS}/mocks.csv",
        diagnostics=report(
            f"{RESULTS}/diagnostics.csv",
            category="Checks",
            labels={"result": "Diagnostics: CSV"},
            caption="../report/diagnostics.rst",
        ),
        columns=f"{RESULTS}/columns.csv",
    log:
        f"{RESULTS}/logs/measure_widths.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_widths.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("measure_widths"),
        runtime=runtime("measure_widths"),
    params:
        spec=literal(specs.widths(STUDY)),
        code=specs.code("measure_widths"),
        nuisance=specs.nuisance(STUDY),
    shell:
        "python -m infoscope measure-widths"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --posteriors {input:q}"
        " --output {output.table:q}"
        " > {log:q} 2>&1"


TARGETS += rules.measure_widths.output


rule measure_claims:
    input:
        # all posteriors, from which the scatter between training runs is estimated
        rules.measure_widths.input,
    output:
        table=report(
            f"{RESULTS}/claims.csv",
            category="Study",
            labels={"result": "Claims: CSV"},
            caption="../report/claims.rst",
        ),
        columns=f"{RESULTS}/claims_columns.csv",
    log:
        f"{RESULTS}/logs/measure_claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_claims.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("measure_claims"),
        runtime=runtime("measure_claims"),
    params:
        spec=literal(specs.claims(STUDY)),
        code=specs.code("measure_claims"),
        # not an input, because a deleted benchmark would cause training to run again
        benchmarks=f"{RESULTS}/benchmarks",
    shell:
        "python -m infoscope measure-claims"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --posteriors {input:q}"
        " --benchmarks {params.benchmarks:q}"
        " --output {output.table:q}"
        " > {log:q} 2>&1"


if STUDY.claims:
    TARGETS += rules.measure_claims.output


rule measure_learning_curves:
    input:
        less=expand(
            rules.infer_reduced.output,
            degradation=STUDY.learning_curves.degradations,
            estimator=STUDY.estimators,
            budget=specs.budgets(STUDY),
        ),
        whole=expand(
            rules.infer_posterior.output,
            degradation=STUDY.learning_curves.degradations,
            estimator=STUDY.estimators,
        ),
    output:
        report(
            f"{RESULTS}/learning_curves.csv",
            category="Checks",
            labels={"result": "Learning curves: CSV"},
            caption="../report/learning_curves.rst",
        ),
    log:
        f"{RESULTS}/logs/measure_learning_curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_learning_curves.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("measure_learning_curves"),
        runtime=runtime("measure_learning_curves"),
    params:
        spec=literal(specs.learning_curves(STUDY)),
        code=specs.code("measure_learning_curves"),
    shell:
        "python -m infoscope measure-learning-curves"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --reduced {input.less:q}"
        " --whole {input.whole:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


if STUDY.learning_curves.degradations:
    TARGETS += rules.measure_learning_curves.output
