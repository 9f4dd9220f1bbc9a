# What people run. Everything else is `kith --help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)

# Tests of whole stacks one after the other, the rest beside them (tests/conftest.py); ABREAST= for all in one row.
ABREAST ?= -n 2 --dist loadfile

# What runs on whichever servers there are: the suites of the services, and journeys through all of them.
ON_SERVERS ?= $(addprefix integration/,messaging alerts care_plan intake scheduler dashboard http) \
	e2e/test_a_crisis.py e2e/test_a_whole_course.py

.PHONY: help demo up test test-containers compose bench sbom chaos soak check format lock clean doctor

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: .venv/run doctor ## play whole courses of care on real servers (REFERRALS=file.csv for your own)
	@$(BIN)/kith demo $(if $(REFERRALS),--referrals "$(REFERRALS)") $(ARGS)

up: .venv/run doctor ## start the development stack and keep it running
	@$(BIN)/kith up $(ARGS)

test: .venv/dev doctor ## run every test
	@$(BIN)/python -m pytest $(ABREAST) $(ARGS)

test-containers: .venv/dev ## the same tests on Apache Kafka and MongoDB in containers, and the image
	@KITH_TEST_SERVERS=containers $(BIN)/python -m pytest -q $(ON_SERVERS:%=tests/%) $(ARGS)
	@$(BIN)/python -m pytest -q tests/integration/containers

compose: ## Apache Kafka, MongoDB, all services and the page in containers
	@$(PYTHON) -m deploy.compose secrets && docker compose up -d --build --wait

bench: .venv/run .venv/rivals/installed doctor ## measure Kith against other ways to do it (ARGS="consume --quick")
	@$(BIN)/python -m benchmarks $(ARGS)

check: .venv/dev doctor ## the whole gate: format, lint, types, import contracts, published contracts, tests
	@echo "Format and lint"; $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@echo "Types"; $(BIN)/mypy --no-error-summary
	@echo "Import contracts"; $(BIN)/lint-imports --no-logo
	@echo "Published contracts"; $(BIN)/python -m deploy.contracts --check
	@echo "Tests"; $(BIN)/python -m pytest -q $(ABREAST) --ignore=tests/integration/containers $(ARGS)

sbom: .venv/dev ## bill of materials, licences, image lint, audit where an index of advisories is reachable
	@$(BIN)/python -m deploy.supply_chain

chaos: .venv/dev doctor ## faults under load, about nine minutes: nothing lost, doubled or stuck (ARGS=--all: every fault)
	@$(BIN)/python -m tests.chaos $(ARGS)

soak: .venv/dev doctor ## random faults and pairs for an hour (ARGS="--minutes 30")
	@$(BIN)/python -m tests.chaos --soak $(ARGS)

format: .venv/dev ## put the code into its format
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

lock: .venv/bin/python ## resolve the requirement files anew
	@echo "Resolving requirements"
	@$(BIN)/python -m venv .venv/lock && .venv/lock/bin/pip install --quiet uv
	@echo 'setuptools>=70' > .venv/lock/build.in
	@cd requirements && for set in run:embedded "dev:embedded --extra dev"; do \
		../.venv/lock/bin/uv pip compile --quiet ../pyproject.toml ../.venv/lock/build.in --extra $${set#*:} \
			--universal --python-version 3.11 --generate-hashes --strip-extras --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links --output-file $${set%%:*}.txt; done
	@cd requirements && ../.venv/lock/bin/uv pip compile --quiet --group ../pyproject.toml:bench \
		--universal --python-version 3.11 --generate-hashes --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file bench.txt

clean: ## remove what was built or downloaded here (not the data in .kith)
	@echo "Removing .venv and caches"
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

doctor:
	@$(BIN)/kith doctor --quiet --skip-ports

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Kith needs Python 3.11 or newer; this machine has $$(python3 --version 2>&1 || true)." \
		"Install one (Debian 12: apt-get install -y python3 python3-venv) or name it: make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing:" \
		"apt-get install -y python3-venv" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/run: requirements/run.txt pyproject.toml | .venv/bin/python
	@echo "Installing what it takes to run"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt pyproject.toml | .venv/bin/python
	@echo "Installing what it takes to run and to test"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ .venv/run

.venv/rivals/installed: requirements/bench.txt | .venv/bin/python
	@echo "Installing what Kith is measured against, in an environment of its own"
	@$(BIN)/python -m venv .venv/rivals
	@.venv/rivals/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/bench.txt && touch $@ || { rm -rf .venv/rivals; echo "Not installed: left out, and said"; }
