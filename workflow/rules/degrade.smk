rule fit_constants:
    input:
        skies=SKY_FILE.format(split=Split.FIDUCIAL, shard="0000"),
        operation_files=ancient(operation_files),
    output:
        CONSTANTS_FILE,
    log:
        f"{RESULTS}/logs/fit_constants/{{degradation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_constants/{{degradation}}.tsv"
    # a range that contains nothing is found before the first training run
    priority: len(STUDY.degradations) + 2
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_constants"),
        runtime=runtime("fit_constants"),
    params:
        spec=fit_spec,
        code=fit_code,
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope fit-constants"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --skies {input.skies:q}"
        " --operation-files {input.operation_files:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


rule degrade_maps:
    input:
        skies=SKY_FILE,
        constants=constants,
        # `code` contains their digest, which comments do not change
        operation_files=ancient(operation_files),
    output:
        kept(
            STUDY.storage.keep_datasets,
            f"{RESULTS}/datasets/{{degradation}}/{{split}}/{{shard}}.h5",
        ),
    log:
        f"{RESULTS}/logs/degrade_maps/{{degradation}}_{{split}}_{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/degrade_maps/{{degradation}}_{{split}}_{{shard}}.tsv"
    priority: priority_of_degradation
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("degrade_maps"),
        runtime=runtime("degrade_maps"),
    params:
        spec=degrade_spec,
        code=degrade_code,
    shell:
        # memory of deleted maps is reused: page faults would take a tenth of the time
        "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000"
        " OMP_NUM_THREADS={threads} python -m infoscope degrade-maps"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --skies {input.skies:q}"
        " --constants {input.constants:q}"
        " --operation-files {input.operation_files:q}"
        " --output {output:q}"
        " > {log:q} 2>&1"


rule collect_dataset:
    input:
        dataset_shards,
    output:
        dataset=kept(STUDY.storage.keep_datasets, DATASET_FILE),
        example=f"{RESULTS}/examples/{{degradation}}.h5",
    log:
        f"{RESULTS}/logs/collect_dataset/{{degradation}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_dataset/{{degradation}}.tsv"
    priority: priority_of_degradation
    conda:
        "../../envs/analyse.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("collect_dataset"),
        runtime=runtime("collect_dataset"),
    params:
        spec="{}",
        code=specs.code("collect_dataset"),
    shell:
        "python -m infoscope collect-dataset"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --shards {input:q}"
        " --example {output.example:q}"
        " --output {output.dataset:q}"
        " > {log:q} 2>&1"


# targets, because Snakemake would not notice that one of them is deleted
TARGETS += expand(CONSTANTS_FILE, degradation=specs.fitted(STUDY))
# targets, because Snakemake would not notice that an example of a figure is deleted
TARGETS += expand(rules.collect_dataset.output.example, degradation=STUDY.degradations)
if STUDY.storage.keep_datasets:
    TARGETS += expand(DATASET_FILE, degradation=STUDY.degradations)
