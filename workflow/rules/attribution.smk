rule attribute_estimates:
    input:
        dataset=DATASET_FILE.format(degradation=specs.REFERENCE),
        shards=ancient(
            shard_files(f"{RESULTS}/datasets/{specs.REFERENCE}/{{split}}/{{shard}}.h5")
        ),
        weights=expand(
            rules.train_estimator.output.weights,
            degradation=specs.REFERENCE,
            seed=range(STUDY.training.seeds),
            allow_missing=True,
        ),
    output:
        f"{RESULTS}/attribution/{{estimator}}.h5",
    log:
        f"{RESULTS}/logs/attribute_estimates/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attribute_estimates/{{estimator}}.tsv"
    # runs before the next degradation, so that the data set can be deleted
    priority: len(STUDY.degradations)
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("attribute_estimates"),
        runtime=runtime("attribute_estimates"),
        # with GPUs: --set-resources attribute_estimates:gpu=1
        gpu=0,
    params:
        spec=attribute_spec,
        code=attribute_code,
    shell:
        "INFOSCOPE_GPUS={resources.gpu} NPROC={threads} OMP_NUM_THREADS={threads}"
        " python -m infoscope attribute-estimates"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --dataset {input.dataset:q}"
        " --weights {input.weights:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


rule compare_attribution:
    input:
        attribution=rules.attribute_estimates.output,
        widths=rules.measure_widths.output.table,
    output:
        shares=report(
            f"{RESULTS}/attribution/{{estimator}}/shares.csv",
            category="Attribution",
            labels={"result": "Shares of the response, {estimator}: CSV"},
            caption="../report/attribution_shares.rst",
        ),
        agreement=report(
            f"{RESULTS}/attribution/{{estimator}}/agreement.csv",
            category="Attribution",
            labels={"result": "Agreement with ablation, {estimator}: CSV"},
            caption="../report/attribution_agreement.rst",
        ),
    log:
        f"{RESULTS}/logs/compare_attribution/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_attribution/{{estimator}}.tsv"
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare_attribution"),
        runtime=runtime("compare_attribution"),
    params:
        spec=agreement_spec,
        code=specs.code("compare_attribution"),
    shell:
        "python -m infoscope compare-attribution"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --attribution {input.attribution:q}"
        " --widths {input.widths:q}"
        " --output {output.shares:q}"
        " > {log:q} 2>&1"


TARGETS += expand(rules.compare_attribution.output, estimator=specs.attributed(STUDY))


use rule figure as plot_attribution with:
    input:
        shares=rules.compare_attribution.output.shares,
        agreement=rules.compare_attribution.output.agreement,
    output:
        png=report(
            f"{RESULTS}/figures/attribution_{{estimator}}.png",
            category="Attribution",
            labels={"result": "Attribution beside ablation, {estimator}: figure"},
            caption="../report/attribution.rst",
        ),
        pdf=f"{RESULTS}/figures/attribution_{{estimator}}.pdf",
    log:
        f"{RESULTS}/logs/plot_attribution/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_attribution/{{estimator}}.tsv"
    localrule: True
    params:
        figure="attribution",
        code=specs.figure_code("attribution"),


TARGETS += expand(rules.plot_attribution.output, estimator=specs.attributed(STUDY))
