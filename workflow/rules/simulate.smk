rule simulate_skies:
    input:
        nz=STUDY.survey.nz_file,
    output:
        f"{RESULTS}/skies/{{split}}/{{shard}}.h5",
    log:
        f"{RESULTS}/logs/simulate_skies/{{split}}_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_skies/{{split}}_{{shard}}.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=round(400 + 15 * SKY_MB),
        runtime=120,
    params:
        spec=simulate_spec,
        code=specs.code("simulate"),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope simulate"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --nz-file {input.nz:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"
