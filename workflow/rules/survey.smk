rule tabulate_nz:
    input:
        specs.nz_files(STUDY),
    output:
        f"{RESULTS}/nz.txt",
    log:
        f"{RESULTS}/logs/tabulate_nz.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_nz.tsv"
    localrule: True
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("tabulate_nz"),
        runtime=runtime("tabulate_nz"),
    params:
        spec=literal(specs.nz(STUDY)),
        code=specs.code("tabulate_nz"),
    shell:
        "python -m infoscope tabulate-nz"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --sources {input:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"
