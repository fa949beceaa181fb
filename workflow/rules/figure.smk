# What all figures share: a figure is `use rule figure as plot_… with`. It states its
# inputs, under the names of the parameters of `draw` in its module of infoscope/figures
# (inputs without a name are only waited for), its outputs, log, benchmark, spec and code.
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
