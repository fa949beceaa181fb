# The base of all figures, which inherit from it with `use rule figure as plot_… with`.
# A figure defines its inputs, outputs, log, benchmark, spec and code. Its inputs have the
# names of the parameters of `draw` in its module of infoscope/figures; inputs without a
# name must exist but are not passed to `draw`.
rule figure:
    log:
        f"{RESULTS}/logs/figure.log",
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("figure"),
        runtime=runtime("figure"),
    params:
        spec="{}",
        files=named_inputs,
    shell:
        "python -m infoscope plot {params.figure}"
        " --spec {params.spec:q}"
        " --code {params.code}"
        " {params.files:q}"
        " --output {output.png:q}"
        " > {log:q} 2>&1"
