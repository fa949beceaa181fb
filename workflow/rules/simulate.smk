rule tabulate_matter:
    output:
        f"{RESULTS}/matter.h5",
    log:
        f"{RESULTS}/logs/tabulate_matter.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_matter.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("tabulate_matter"),
        runtime=runtime("tabulate_matter"),
    params:
        spec=literal(specs.matter(STUDY)),
        code=specs.code("tabulate_matter"),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope tabulate-matter"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --output {output:q}"
        " > {log:q} 2>&1"


rule simulate_skies:
    input:
        nz=rules.tabulate_nz.output,
        matter=rules.tabulate_matter.output,
    output:
        kept(STUDY.storage.keep_skies, SKY_FILE),
    log:
        f"{RESULTS}/logs/simulate_skies/{{split}}_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_skies/{{split}}_{{shard}}.tsv"
    priority: len(STUDY.degradations) + 1
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("simulate_skies"),
        runtime=runtime("simulate_skies"),
        # with GPUs and the simulator nbody: --set-resources simulate_skies:gpu=1
        gpu=0,
    params:
        spec=simulate_spec,
        code=specs.simulate_code(STUDY),
    shell:
        "INFOSCOPE_GPUS={resources.gpu} NPROC={threads} OMP_NUM_THREADS={threads}"
        " python -m infoscope simulate-skies"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --nz-file {input.nz:q}"
        " --matter {input.matter:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"
