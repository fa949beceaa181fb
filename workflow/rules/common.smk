import os
import shlex
import sys
from pathlib import Path

PACKAGE_ROOT = str(Path(workflow.basedir).resolve())
if not Path(PACKAGE_ROOT, "infoscope").is_dir():
    PACKAGE_ROOT = str(Path(PACKAGE_ROOT, "workflow"))
sys.path.insert(0, PACKAGE_ROOT)
# Snakemake interprets braces, Python splits its path at os.pathsep, and orbax writes
# checkpoints to another folder if there is a backslash
for folder, forbidden in ((PACKAGE_ROOT, "{}" + os.pathsep), (os.getcwd(), "\\")):
    if any(character in folder for character in forbidden):
        raise SystemExit(
            f"{folder}: the path must have none of {' '.join(forbidden)}; rename the folder"
        )

from snakemake.logging import logger

from infoscope.run import config_snapshot, progress
from infoscope.study import bounds, specs
from infoscope.study.checks import checked_study, refuse_templates, survey_of_reference
from infoscope.vocabulary import Split
from infoscope.run.costs import ON_GPU, Costs
from infoscope.errors import InfoscopeError
from infoscope.files.atomic import check_writable
from infoscope.run.jobs import jobs, warning

if workflow.is_main_process:
    os.environ["INFOSCOPE_CONFIG"] = str(config_snapshot.save(config))
else:
    config = config_snapshot.load(Path(os.environ["INFOSCOPE_CONFIG"]))


# passed to all jobs, also to those on other machines
envvars:
    "INFOSCOPE_CONFIG",


try:
    refuse_templates(map(Path, workflow.configfiles))
    STUDY, NZ, PATCHES = checked_study(config)
except InfoscopeError as error:
    raise SystemExit(str(error))
# not in every job
if workflow.is_main_process and (message := warning(STUDY)):
    logger.warning(message)

# this replaces the default prefix of Snakemake, which sets the strict mode
shell.prefix(
    "set -euo pipefail; "
    # modules in the working directory are not imported
    "export PYTHONSAFEPATH=1 PYTHONPATH=" + shlex.quote(PACKAGE_ROOT) + "; "
    "export JAX_COMPILATION_CACHE_DIR=.snakemake/jax-cache "
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.5 "
    f"INFOSCOPE_SNAKEMAKE={os.getpid()}; "
)

RESULTS = f"results/{STUDY.study}"
# output files of a study, to which the rules add
TARGETS = []
# used by the first page of the report
config["imported"] = specs.imported(STUDY)
config["summary"] = f"{RESULTS}/report/summary.html"
config["summarised"] = os.path.isfile(config["summary"])
SKY_FILE = f"{RESULTS}/skies/{{split}}/{{shard}}.h5"
CONSTANTS_FILE = f"{RESULTS}/constants/{{degradation}}.json"
DATASET_FILE = f"{RESULTS}/datasets/{{degradation}}.h5"
# survey after the operations of the reference, for attribution
SURVEY = survey_of_reference(STUDY, NZ)
COSTS = Costs.of(STUDY, NZ, PATCHES)
# file with the rules that make skies
SKIES = STUDY.simulator.rules
if workflow.is_main_process:
    listener = progress.Listener(
        path=progress.file_of(STUDY.study),
        expected=lambda rule, wildcards: COSTS.job(rule, wildcards).seconds,
        all_jobs=lambda: ((job.rule, job.wildcards) for job in jobs(STUDY)),
        write_line=logger.info,
    )
    logger.addHandler(listener)


onstart:
    try:
        check_writable(Path(RESULTS))
    except InfoscopeError as error:
        raise WorkflowError(str(error))


wildcard_constraints:
    split="|".join(Split),
    shard=r"\d{4}",
    degradation="|".join(STUDY.degradations),
    estimator="|".join(STUDY.estimators),
    seed=r"\d+",
    budget="|".join(specs.budgets(STUDY)),


def cost(name, wildcards):
    """Expected cost of a job, on a GPU if its rule requests one."""
    if name == "degrade_maps":
        return COSTS.longest_degrading
    requested = workflow.resource_settings.overwrite_resources.get(name, {})
    if name in ON_GPU and not {"gpu", "gres"}.isdisjoint(requested):
        return COSTS.on_gpu(name, dict(wildcards.items()))
    return COSTS.job(name, dict(wildcards.items()))


def mem_mb(name):
    """Memory that the jobs of a rule request, more in each attempt."""
    return lambda wildcards, attempt: attempt * cost(name, wildcards).requested_mb


def runtime(name):
    """Minutes that the jobs of a rule request, more in each attempt."""
    return lambda wildcards, attempt: attempt * cost(name, wildcards).requested_minutes


def kept(keep, path):
    """Mark an output for deletion once no job needs it, unless `keep` is true."""
    return path if keep else temp(path)


def priority_of_degradation(wildcards):
    """Priority with which one degradation finishes before the next one starts.

    This keeps the number of data sets on disk small.
    """
    names = list(STUDY.degradations)
    return len(names) - names.index(wildcards.degradation)


def named_inputs(wildcards, input):
    """Command-line options for the inputs that have a name."""
    options = []
    for name, files in input.items():
        options.append(f"--{name.replace('_', '-')}")
        options += [files] if isinstance(files, str) else files
    return options


def literal(spec):
    """Return a spec as a function.

    In a string, Snakemake would interpret braces in labels as wildcards.
    """
    text = specs.canonical(spec)
    return lambda wildcards: text


def shard_files(pattern):
    """Files of all shards of all splits, in order."""
    return [
        pattern.format(split=split, shard=shard)
        for split, shard in specs.all_shards(STUDY)
    ]


def simulate_spec(wildcards):
    return specs.canonical(specs.simulate(STUDY, wildcards.split, int(wildcards.shard)))


def degrade_spec(wildcards):
    return specs.canonical(
        specs.degrade(STUDY, wildcards.degradation, wildcards.split, PATCHES)
    )


def fit_spec(wildcards):
    return specs.canonical(
        specs.degrade(STUDY, wildcards.degradation, Split.FIDUCIAL, PATCHES)
    )


def fit_code(wildcards):
    return specs.fit_code(STUDY, wildcards.degradation)


def constants(wildcards):
    """File with the constants of a degradation, if it has any."""
    fitted = wildcards.degradation in specs.fitted(STUDY)
    return [CONSTANTS_FILE.format(**wildcards)] if fitted else []


def train_code(wildcards):
    return specs.train_code(STUDY, wildcards.estimator)


def attribute_code(wildcards):
    return specs.attribute_code(STUDY, wildcards.estimator)


def degrade_code(wildcards):
    return specs.degrade_code(STUDY, wildcards.degradation)


def operation_files(wildcards):
    return [str(path) for path in specs.operation_files(STUDY, wildcards.degradation)]


def dataset_shards(wildcards):
    return shard_files(
        f"{RESULTS}/datasets/{wildcards.degradation}/{{split}}/{{shard}}.h5"
    )


def train_spec(wildcards):
    return specs.canonical(
        specs.train(
            STUDY, wildcards.degradation, wildcards.estimator, int(wildcards.seed)
        )
    )


def trained_on(wildcards):
    """Degradation whose training runs are used."""
    degradation, estimator = wildcards.degradation, wildcards.estimator
    return bounds.same_inputs(STUDY, degradation, estimator) or degradation


def of_training_runs(outputs, degradations=None):
    """Outputs of all training runs, for degradations with different inputs."""
    return [
        file
        for degradation, estimator in bounds.training_runs(STUDY, degradations)
        for file in expand(
            outputs,
            degradation=degradation,
            estimator=estimator,
            budget=specs.budgets(STUDY),
            seed=range(STUDY.training.seeds),
        )
    ]


def summaries(wildcards):
    return expand(
        f"{RESULTS}/training/{{degradation}}/{{w.estimator}}/seed_{{seed}}/summaries.h5",
        w=[wildcards],
        degradation=trained_on(wildcards),
        seed=range(STUDY.training.seeds),
    )


def budget_spec(wildcards):
    return specs.canonical(
        specs.train(
            STUDY,
            wildcards.degradation,
            wildcards.estimator,
            int(wildcards.seed),
            wildcards.budget,
        )
    )


def budget_summaries(wildcards):
    return expand(
        f"{RESULTS}/learning_curves/{{degradation}}/{{w.estimator}}/{{w.budget}}/seed_{{seed}}/summaries.h5",
        w=[wildcards],
        degradation=trained_on(wildcards),
        seed=range(STUDY.training.seeds),
    )


def attribute_spec(wildcards):
    return specs.canonical(specs.attribute(STUDY, wildcards.estimator, SURVEY))


def agreement_spec(wildcards):
    return specs.canonical(specs.agreement(STUDY, wildcards.estimator, SURVEY))


def infer_spec(wildcards):
    return specs.canonical(
        specs.infer(STUDY, wildcards.degradation, wildcards.estimator)
    )
