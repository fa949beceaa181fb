# The index is neither in params nor an input, because finished skies must not run again
# after the grid is extended or the root is moved. (With a separate rule for an `ancient`
# index, Snakemake 9.27 would ignore changed params of the skies whenever the index is
# written again.)
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
        mem_mb=mem_mb("simulate_skies"),
        runtime=runtime("simulate_skies"),
    params:
        spec=simulate_spec,
        index_code=specs.code("index_cosmogrid"),
        code=specs.code("read_cosmogrid"),
    shell:
        # the first job writes the index, and the other jobs use it
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
        " --root {ROOT:q}"
        " --output {output:q}"
        " >> {log:q} 2>&1"
