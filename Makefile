PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

# One DAGSTER_HOME for every command, so that the UI shows the demo's runs.
export DAGSTER_HOME ?= $(CURDIR)/.dagster
export SNEAKER_LAKE ?= $(CURDIR)/data_lake

.DEFAULT_GOAL := help
.PHONY: help env demo run ui lint types test test-fast test-slow coverage bench docs site hooks lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.ready $(DAGSTER_HOME)/dagster.yaml ## create the environment (the other targets do it when needed)

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, and $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/uv --version 2>/dev/null | grep -qF "uv $(UV_VERSION)" || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR)/dagster.yaml $@ && touch -h $@

# Small networks for few epochs: shoes after a minute. Materializing gan_checkpoints in the UI continues their training.
DEMO_GAN := --gan-recipe small --gan-epochs 32

demo: env ## run the whole graph on the offline shop
	SNEAKER_SOURCE=demo $(BIN)/sneaker-assets $(DEMO_GAN)

run: env ## run the whole graph on any source, with ARGS="..."
	$(BIN)/sneaker-assets $(ARGS)

# Started in DAGSTER_HOME, since Dagster warns about a second dagster.yaml in the working directory. The filter hides the
# notice that `dg dev` supersedes `dagster dev`.
ui: env ## serve Dagster's UI on what the demo or a run has made
	cd $(DAGSTER_HOME) && PYTHONWARNINGS='ignore:Function' $(CURDIR)/$(BIN)/dagster dev -w $(CURDIR)/workspace.yaml

lint: env ## check formatting and lint rules (ruff)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: env ## check types (mypy, strict)
	$(BIN)/mypy

# The coverage floor applies to both together: each only collects, and `coverage` enforces it.
COVERAGE := --cov --cov-report= --cov-fail-under=0

# The types are checked beside the tests, since mypy uses one core.
test: env ## lint, types and the fast tests
	@$(MAKE) --no-print-directory --jobs 2 lint types test-fast

test-fast: env ## the fast tests alone
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile $(COVERAGE)

test-slow: env ## the tests that take minutes: the daemon, several processes, fine-tuning
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow $(COVERAGE) --cov-append

coverage: env ## report the coverage of test and test-slow, and fail below the floor
	$(BIN)/coverage report

bench: env ## run every benchmark, with ARCHIVE=<folder> and WEIGHTS=<folder> also those on published data
	@test -n "$(ARCHIVE)" || echo "without ARCHIVE=<folder> (and WEIGHTS=<folder>) the benchmarks on published data are skipped"
	$(BIN)/python benchmarks/run_all.py $(if $(ARCHIVE),--archive $(ARCHIVE)) $(if $(WEIGHTS),--weights $(WEIGHTS))

docs: env ## update what is generated from the code: TABLES.md and the settings in README.md
	$(BIN)/python -m sneaker_assets.data_dictionary > TABLES.md
	$(BIN)/python -m sneaker_assets.data_dictionary --columns > sneaker_assets/tables/columns.json
	$(BIN)/python -m sneaker_assets.settings.reference README.md

site: env ## build the documentation site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

hooks: env ## install the pre-commit hooks
	$(BIN)/pre-commit install

lock: env ## resolve the dependencies again and write requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev \
		pyproject.toml --output-file requirements.lock --upgrade

clean: ## remove the environment, caches and Dagster's state; the lake is kept
	rm -rf $(VENV) .dagster .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.* site
