# make demo   the whole graph from the offline shop        make test   lint, types and tests
# make ui     Dagster's UI on what the demo made           make bench  every benchmark
# make run    the same from any source, with ARGS="..."    make lock   resolve the dependencies anew
# make env    the environment alone (the others call it)   make docs   write the data dictionary
# make test-slow   the tests that take long: the daemon, several processes, fine-tuning

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

# One home for every command, so that the UI shows what the demo made.
export DAGSTER_HOME ?= $(CURDIR)/.dagster
export SNEAKER_LAKE ?= $(CURDIR)/data_lake
# Idle OpenMP threads that spin starve the others: measured ten times slower on a busy machine with two cores.
export OMP_WAIT_POLICY ?= passive

.PHONY: env demo run test test-slow lint types ui bench docs lock clean

env: $(VENV)/.ready $(DAGSTER_HOME)/dagster.yaml

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

# Small networks and batches at a high learning rate: shoe-like blobs after a minute instead of good shoes after hours.
DEMO_GAN := --gan-epochs 36 --gan-width 16 --gan-batch-size 16 --gan-learning-rate 0.001

demo: env
	SNEAKER_SOURCE=demo $(BIN)/sneaker-assets $(DEMO_GAN)

run: env
	$(BIN)/sneaker-assets $(ARGS)

# From its own home, since beside a second dagster.yaml Dagster warns that it will not read that one. The command is the
# documented one; its notice that `dg dev` supersedes it is left out.
ui: env
	cd $(DAGSTER_HOME) && PYTHONWARNINGS='ignore:Function' $(CURDIR)/$(BIN)/dagster dev -w $(CURDIR)/workspace.yaml

lint: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: env
	$(BIN)/mypy

test: lint types
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --cov --cov-report=term

test-slow: env
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow

bench: env
	@test -n "$(ARCHIVE)" || echo "without ARCHIVE=<folder> (and WEIGHTS=<folder>) the benchmarks on published data are left out"
	$(BIN)/python benchmarks/run_all.py $(if $(ARCHIVE),--archive $(ARCHIVE)) $(if $(WEIGHTS),--weights $(WEIGHTS))

docs: env
	$(BIN)/python -m sneaker_assets.data_dictionary > TABLES.md
	$(BIN)/python -m sneaker_assets.data_dictionary --columns > sneaker_assets/tables/columns.json

lock: env
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra dev \
		pyproject.toml --output-file requirements.lock --upgrade

clean:
	rm -rf $(VENV) .dagster .mypy_cache .pytest_cache .ruff_cache .coverage
