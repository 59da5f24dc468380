# `make` alone prints what there is. Variables: PYTHON, EXTRAS, INTERFACE, PORT, ARGS.
PYTHON ?= python3
# server: sensor, worker and API. sensor: no database, no web. dev: server, and what the tests need.
EXTRAS ?= server
PORT ?= 8080
INTERFACE ?=
ARGS ?=

BIN := .venv/bin
LOCKS := requirements-sensor.lock requirements-server.lock requirements-dev.lock
UV := build/lock/bin/uv
RESOLVE := --python-version 3.11 --python-platform linux --generate-hashes --quiet \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench warm lock clean

help: ## print this
	@echo "spanwatch: network traffic and web-filter monitoring from a mirror port"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make run INTERFACE=eth1 PORT=8080     the mirror port on eth1 instead of the bundled capture (as root)"
	@echo "  make setup EXTRAS=sensor              a host that only captures: no database, no web server"

setup: .venv/stamp-$(EXTRAS) ## prepare .venv with .venv/bin/spanwatch in it

# A larger set holds the smaller ones, so its stamp stands for them too.
.venv/stamp-%: requirements-%.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is missing or older than 3.11; install it: apt-get install python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module; install it: apt-get install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setup: installing the $* packages of requirements-$*.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/stamp-sensor
	@if [ $* != sensor ]; then touch .venv/stamp-server; fi
	@touch $@

run: setup ## the bundled capture through everything, pages on 127.0.0.1:8080
	@$(BIN)/spanwatch warm
ifeq ($(strip $(INTERFACE)),)
	@$(BIN)/spanwatch demo --port $(PORT) $(ARGS)
else
	@$(BIN)/spanwatch up --interface $(INTERFACE) --port $(PORT) $(ARGS)
endif

warm: setup ## compile the kernels into the cache
	@$(BIN)/spanwatch warm

bench: setup ## packets a second of the sensor on a generated capture
	@$(BIN)/spanwatch bench $(ARGS)

# The compiler keeps one core busy, what lint does another.
test: .venv/stamp-dev ## everything that needs neither root nor minutes
	@$(MAKE) --no-print-directory --output-sync --jobs 2 warm lint
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not service" $(ARGS)

lint: .venv/stamp-dev ## ruff, the import contract, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: .venv/stamp-dev ## let ruff write the files anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(UV):
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check uv

# The build backend is pinned too: the project itself is built without an environment of its own.
lock: $(UV) ## resolve the dependencies anew: versions and hashes for Python 3.11 on Linux
	echo 'setuptools>=75' | $(UV) pip compile pyproject.toml - --all-extras $(RESOLVE) --upgrade -o requirements-dev.lock
	echo 'setuptools>=75' | $(UV) pip compile pyproject.toml - --extra server $(RESOLVE) -c requirements-dev.lock -o requirements-server.lock
	echo 'setuptools>=75' | $(UV) pip compile pyproject.toml - --extra sensor $(RESOLVE) -c requirements-dev.lock -o requirements-sensor.lock
	@! grep -n '://' $(LOCKS)

clean: ## remove .venv and what was built
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
