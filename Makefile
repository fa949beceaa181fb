# make study   run the default study (CONFIG=file.yaml for another one)
# make plan    estimate the costs of a study (CONFIG=file.yaml, ARGS="--cores 64 --gpus 4")
# make status  print the progress of a study (CONFIG=file.yaml)
# make test    run all tests except those that need SLURM, conda, a browser or root
# make test-all  run all tests
# make lint    check style, types, the workflow, prose and the documentation
# make docs    write config/README.md and the JSON schema from the config models
# make site    build the documentation: build/site/index.html
# make gallery draw docs/figures/gallery.png: the effect of every operation on a sky
# make lock    update the pinned dependencies after an edit of pyproject.toml
# make clean   remove the virtual environment, caches and the site, but no results
#
# ARGS are passed to snakemake (study), infoscope (plan), pytest (test) or uv (lock):
#   make study CORES=8 ARGS=--dry-run
#   make lock ARGS=--upgrade

CORES ?= all
# number of processes that run tests
WORKERS ?= 2
CONFIG ?=
ARGS ?=

# Find the newest interpreter that works. A version manager's shim may be on PATH but fail
# to run, so each candidate is tried. Interpreters behind the shims are found in pyenv's
# own folder. Some pinned packages have no wheels for Python 3.14 yet.
find_python = \
	for version in 3.13 3.12 3.11 3; do \
		for python in python$$version \
			"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version*/bin/python$$version; do \
			"$$python" -c "import sys, venv, ensurepip; \
				assert (3, 11) <= sys.version_info < (3, 14)" 2>/dev/null && \
				echo "$$python" && exit; \
		done; \
	done
PYTHON ?= $(shell $(find_python))

# The rules call `python`, which must be that of the virtual environment.
in_venv = PATH="$$PWD/.venv/bin:$$PATH"

.PHONY: study plan status test test-all lint docs site gallery lock clean

study: .venv/run.stamp
	$(in_venv) snakemake --cores $(CORES) $(if $(CONFIG),--configfile "$(CONFIG)") $(ARGS)

plan: .venv/run.stamp
	PYTHONPATH=workflow .venv/bin/python -m infoscope plan \
		"$(or $(CONFIG),config/config.yaml)" $(ARGS)

status: .venv/run.stamp
	PYTHONPATH=workflow .venv/bin/python -m infoscope status \
		"$(or $(CONFIG),config/config.yaml)"

test: .venv/dev.stamp
	$(in_venv) pytest -n $(WORKERS) -m "not system" $(ARGS)

test-all: .venv/dev.stamp
	$(in_venv) pytest -n $(WORKERS) $(ARGS)

lint: .venv/dev.stamp
	$(in_venv) ruff check .
	$(in_venv) ruff format --check .
	$(in_venv) mypy
	$(in_venv) snakefmt --check Snakefile workflow
	$(in_venv) snakemake --lint
	$(in_venv) check-jsonschema --builtin-schema vendor.github-workflows \
		.github/workflows/*.yml
	$(in_venv) check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(in_venv) typos
	$(in_venv) proselint --config .proselintrc.json check README.md CONTRIBUTING.md \
		docs/*.md workflow/report/*.rst
	$(MAKE) site

docs: .venv/dev.stamp
	$(in_venv) PYTHONPATH=workflow python -m infoscope.study.document_config

# A broken link within a page or between pages is an error.
site: .venv/dev.stamp
	$(in_venv) sphinx-build --quiet --fresh-env --nitpicky --fail-on-warning \
		--keep-going --conf-dir docs --doctree-dir build/doctrees . build/site

gallery: .venv/run.stamp
	$(in_venv) snakemake --cores $(CORES) --configfile config/studies/gallery.yaml \
		-- results/gallery/figures/tiles.png
	.venv/bin/python -c "from PIL import Image; \
		Image.open('results/gallery/figures/tiles.png').convert('RGB') \
		.quantize(128).save('docs/figures/gallery.png', optimize=True)"

# Needs uv. One lock file holds for every supported Python version. The lock file for
# development only adds packages to it.
lock = uv pip compile --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet $(ARGS)

lock:
	$(lock) pyproject.toml --output-file requirements.txt >/dev/null
	$(lock) pyproject.toml --extra dev --constraints requirements.txt \
		--output-file requirements-dev.txt >/dev/null
	cd tests/workflow/conda && $(lock) requirements.in --no-deps \
		--output-file requirements.txt >/dev/null

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build docs/api
	find workflow tests -name __pycache__ -type d -prune -exec rm -rf {} +

# `make study` does not install the development tools. The stamps are inside the
# environment, so that a rebuilt or incomplete environment has none.
.venv/run.stamp: requirements.txt
	@python="$(PYTHON)"; \
	test -n "$$python" || { \
		echo "No working Python 3.11 to 3.13 found: install one or set PYTHON=..." >&2; \
		exit 1; }; \
	set -x; "$$python" -m venv --clear .venv
	.venv/bin/python -m pip install --require-hashes -r requirements.txt
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	.venv/bin/python -m pip install --require-hashes -r requirements-dev.txt
	touch $@
