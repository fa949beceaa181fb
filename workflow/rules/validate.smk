FIDUCIAL_SKIES = expand(
    SKY_FILE,
    split="fiducial",
    shard=[f"{i:04d}" for i in range(len(specs.shards(STUDY, "fiducial")))],
)


rule validate_skies:
    input:
        skies=FIDUCIAL_SKIES,
        nz=rules.tabulate_nz.output,
    output:
        bands=f"{RESULTS}/skies.csv",
        pairs=report(
            f"{RESULTS}/skies_pairs.csv",
            category="Skies",
            labels={"result": "Skies against theory: CSV"},
            caption="../report/skies_pairs.rst",
        ),
        moments=f"{RESULTS}/skies_moments.csv",
        histograms=f"{RESULTS}/skies_histograms.csv",
    log:
        f"{RESULTS}/logs/validate_skies.log",
    benchmark:
        f"{RESULTS}/benchmarks/validate_skies.tsv"
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("validate_skies"),
        runtime=runtime("validate_skies"),
    params:
        spec=literal(specs.validate(STUDY)),
        code=specs.code("validate_skies"),
    shell:
        "OMP_NUM_THREADS={threads} python -m infoscope validate-skies"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " --skies {input.skies:q}"
        " --nz-file {input.nz:q}"
        " --output {output.bands:q}"
        " > {log:q} 2>&1"


TARGETS += rules.validate_skies.output


use rule figure as plot_skies with:
    input:
        bands=rules.validate_skies.output.bands,
        pairs=rules.validate_skies.output.pairs,
        moments=rules.validate_skies.output.moments,
        histograms=rules.validate_skies.output.histograms,
    output:
        png=report(
            f"{RESULTS}/figures/skies.png",
            category="Skies",
            labels={"result": "Skies against theory: figure"},
            caption="../report/skies.rst",
        ),
        pdf=f"{RESULTS}/figures/skies.pdf",
    log:
        f"{RESULTS}/logs/plot_skies.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_skies.tsv"
    localrule: True
    params:
        figure="skies",
        code=specs.figure_code("skies"),


TARGETS += rules.plot_skies.output


use rule figure as plot_sky_map with:
    input:
        skies=FIDUCIAL_SKIES[0],
    output:
        png=report(
            f"{RESULTS}/figures/sky_map.png",
            category="Skies",
            labels={"result": "Map of a sky"},
            caption="../report/sky_map.rst",
        ),
        pdf=f"{RESULTS}/figures/sky_map.pdf",
    log:
        f"{RESULTS}/logs/plot_sky_map.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_sky_map.tsv"
    localrule: True
    resources:
        mem_mb=mem_mb("plot_sky_map"),
        runtime=runtime("plot_sky_map"),
    params:
        figure="sky_map",
        code=specs.figure_code("sky_map"),


TARGETS += rules.plot_sky_map.output
