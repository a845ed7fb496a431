# Everything a developer does. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
INSTALLED := $(STAMPS)/installed
RUNTIME_LIBRARIES := $(STAMPS)/runtime-libraries
TEST_LIBRARIES := $(STAMPS)/test-libraries
COMPILED := $(STAMPS)/compiled
MUTATION := $(STAMPS)/mutation
NOT_COMPILED := /(STU3|faker|mypy|mypyc|moto|pip|prompt_toolkit|pygments|setuptools|testing|tests)/
TOWNS ?= $(shell echo $$((2 * $$(nproc))))
# Empty: Python keeps its bytecode. Else every program of every test compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=
MAKEFLAGS += --jobs=2
PYTEST_ARGS ?= -n 5 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUNTIME_LIBRARIES) $(INSTALLED) ## Watch a study become a report; ONCE=1 ends when it has arrived
	@$(BIN)/consilium demo $(if $(filter-out 0,$(ONCE)),--once)

.PHONY: run
run: $(RUNTIME_LIBRARIES) $(INSTALLED) ## Start the gateway here, with its data in ./consilium-data
	@$(BIN)/consilium up

.PHONY: test
test: $(TEST_LIBRARIES) $(INSTALLED) $(COMPILED) ## Run the whole suite; PYTEST_ARGS chooses, as in PYTEST_ARGS=tests/unit
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: check
check: types lint ## Both of the next two: what CI runs beside the tests

.PHONY: types
types: $(INSTALLED) ## Check the types
	@$(BIN)/mypy

.PHONY: lint
lint: $(INSTALLED) ## Check the style, the layering and the hooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.hooks
	@$(BIN)/python -m tests.exits

.PHONY: format
format: $(INSTALLED) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(TEST_LIBRARIES) $(INSTALLED) ## Compare with peers; ONLY=delivery, or the name of one measurement
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

.PHONY: soak
soak: $(TEST_LIBRARIES) $(INSTALLED) $(MUTATION) ## What takes longer: SCHEDULES=1000, SEED=1, SETTING=embedded|distributed, RACES=1000, TOWNS
	@SCHEDULES=$(or $(SCHEDULES),1000) SEED=$(or $(SEED),1) SETTING=$(SETTING) TOWNS=$(TOWNS) \
		$(BIN)/python -m pytest -v --exitfirst tests/acceptance/faults
	@$(if $(SETTING),,SOAK=1 $(BIN)/python -m pytest -v -n 2 --dist loadfile tests/acceptance/test_killed_to_reviewer.py \
		tests/acceptance/test_killed_to_clinic.py tests/soak/test_killed_edges.py tests/soak/test_scaled_out.py \
		tests/soak/test_broken_broker.py tests/soak/test_killed_ringing.py tests/integration/store/test_killed_commands.py \
		tests/integration/store/test_killed_by_time.py)
	@$(if $(SETTING),,RACES=$(or $(RACES),1000) $(BIN)/python -m pytest -v -n 2 tests/integration/store/test_races.py)
	@$(if $(SETTING),,OUTAGE_S=$(or $(OUTAGE_S),600) $(BIN)/python -m pytest -v -n 5 tests/soak/test_unplugged.py)
	@$(if $(SETTING),,$(BIN)/python -m tests.soak.mutation)
	@$(if $(SETTING),,$(BIN)/python -m benchmarks --only at-length --strict)

.PHONY: clean
clean: ## Remove the environment, caches and build products; data stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# System packages first: on Debian and Ubuntu the venv module is one of them.
$(RUNTIME_LIBRARIES): tools/system-packages.sh
	@PYTHON=$(PYTHON) sh tools/system-packages.sh runtime
	@mkdir -p $(@D) && touch $@

$(TEST_LIBRARIES): tools/system-packages.sh | $(RUNTIME_LIBRARIES)
	@PYTHON=$(PYTHON) sh tools/system-packages.sh test
	@mkdir -p $(@D) && touch $@

$(INSTALLED): requirements.lock pyproject.toml | $(RUNTIME_LIBRARIES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p $(@D) && touch $@

# What changes the decision is needed by nothing else, and one part of it comes as a source alone.
$(MUTATION): tests/soak/mutation/requirements.lock $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --require-hashes -r $<
	@mkdir -p $(@D) && touch $@

# The tests start many programs at once: each would compile the same thousands of modules before it answers.
$(COMPILED): $(INSTALLED)
	@echo "compiling the dependencies"
	@$(BIN)/python -m compileall -q -j 0 -x '$(NOT_COMPILED)' $(VENV)/lib
	@mkdir -p $(@D) && touch $@
