rule tabulate_scales:
    input:
        nz=rules.tabulate_nz.output,
    output:
        f"{RESULTS}/scales.csv",
    log:
        f"{RESULTS}/logs/tabulate_scales.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_scales.tsv"
    localrule: True
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("tabulate_scales"),
        runtime=runtime("tabulate_scales"),
    params:
        spec=literal(specs.scales(STUDY)),
        code=specs.code("tabulate_scales"),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope tabulate-scales"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --nz-file {input.nz:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


if specs.shows_scales(STUDY):
    TARGETS += rules.tabulate_scales.output


rule forecast_fisher:
    input:
        nz=rules.tabulate_nz.output,
        # `code` contains their digest, which comments do not change
        operation_files=ancient(specs.forecast_files(STUDY)),
    output:
        report(
            f"{RESULTS}/fisher.csv",
            category="Checks",
            labels={"result": "Forecast: CSV"},
            caption="../report/fisher.rst",
        ),
    log:
        f"{RESULTS}/logs/forecast_fisher.log",
    benchmark:
        f"{RESULTS}/benchmarks/forecast_fisher.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("forecast_fisher"),
        runtime=runtime("forecast_fisher"),
    params:
        spec=literal(specs.fisher(STUDY)),
        code=specs.fisher_code(STUDY),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope forecast-fisher"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --nz-file {input.nz:q}"
        " --operation-files {input.operation_files:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


TARGETS += rules.forecast_fisher.output
