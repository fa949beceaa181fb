# Neither params nor input: a longer grid and a moved root leave finished skies alone.
# (An `ancient` index made by a rule of its own would hide changed params of the skies
# from Snakemake 9.27 in every run that renews the index.)
INDEX = f"{RESULTS}/cosmogrid.csv"
INDEX_SPEC = specs.canonical(specs.index_cosmogrid(STUDY))
ROOT = STUDY.simulator.root


rule simulate_skies:
    input:
        nz=rules.tabulate_nz.output,
    output:
        kept(STUDY.storage.keep_skies, SKY_FILE),
    log:
        f"{RESULTS}/logs/simulate_skies/{{split}}_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate_skies/{{split}}_{{shard}}.tsv"
    priority: len(STUDY.degradations) + 1
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        # the maps on disk may be larger than those of the study
        mem_mb=mem_mb("simulate_skies"),
        runtime=runtime("simulate_skies"),
    params:
        spec=simulate_spec,
        index_code=specs.code("index_cosmogrid"),
        code=specs.code("read_cosmogrid"),
    shell:
        # the first job makes the index, the others find it
        "python -m infoscope index-cosmogrid"
        " --spec {INDEX_SPEC:q}"
        " --code {params.index_code}"
        " --root {ROOT:q}"
        " --output {INDEX:q}"
        " > {log:q} 2>&1\n"
        "OMP_NUM_THREADS={threads} python -m infoscope read-cosmogrid"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --nz-file {input.nz:q}"
        " --index {INDEX:q}"
        " --output {output:q}"
        " >> {log:q} 2>&1"
