rule train_estimator:
    input:
        dataset=DATASET_FILE,
        # the data set refers to its shards, and changes when they change
        shards=ancient(dataset_shards),
    output:
        summaries=f"{RESULTS}/training/{{degradation}}/{{estimator}}/seed_{{seed}}/summaries.h5",
        history=f"{RESULTS}/training/{{degradation}}/{{estimator}}/seed_{{seed}}/history.csv",
        weights=f"{RESULTS}/training/{{degradation}}/{{estimator}}/seed_{{seed}}/weights.msgpack",
    log:
        f"{RESULTS}/logs/train_estimator/{{degradation}}_{{estimator}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_estimator/{{degradation}}_{{estimator}}_{{seed}}.tsv"
    priority: priority_of_degradation
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("train_estimator"),
        runtime=runtime("train_estimator"),
        # with GPUs: --set-resources train_estimator:gpu=1
        gpu=0,
    params:
        spec=train_spec,
        code=train_code,
    shell:
        "INFOSCOPE_GPUS={resources.gpu} NPROC={threads} OMP_NUM_THREADS={threads}"
        " python -m infoscope train-estimator"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --dataset {input.dataset:q}"
        " --output {output.summaries:q}"
        " > {log:q} 2>&1"


TARGETS += of_training_runs(rules.train_estimator.output)


use rule train_estimator as train_reduced with:
    output:
        summaries=f"{RESULTS}/learning_curves/{{degradation}}/{{estimator}}/{{budget}}/seed_{{seed}}/summaries.h5",
        history=f"{RESULTS}/learning_curves/{{degradation}}/{{estimator}}/{{budget}}/seed_{{seed}}/history.csv",
        weights=f"{RESULTS}/learning_curves/{{degradation}}/{{estimator}}/{{budget}}/seed_{{seed}}/weights.msgpack",
    log:
        f"{RESULTS}/logs/train_reduced/{{degradation}}_{{estimator}}_{{budget}}_{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_reduced/{{degradation}}_{{estimator}}_{{budget}}_{{seed}}.tsv"
    params:
        spec=budget_spec,
        code=train_code,


TARGETS += of_training_runs(
    rules.train_reduced.output, STUDY.learning_curves.degradations
)
