include: "workflow/Snakefile"


# an included file does not set the default target
workflow.default_target = "all"
