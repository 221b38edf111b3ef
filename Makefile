# Four verbs: run, check, test, and test-slow for the long ones. Everything else is a step of these.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run install check test test-slow packages test-packages clean

run: install
	@$(BIN)/strongroom init --samples samples/documents
	@$(BIN)/strongroom serve

install: $(VENV)/.installed

# Installed once, and again only when the pins change. The packages go first, because making the venv may need one.
# torch goes before the rest: its CPU build keeps gigabytes of CUDA out. Which build the pin means is up to the registry:
# where that is the CUDA build, name one that holds the CPU build, with make run TORCH_INDEX='--index-url ADDRESS'.
# pip would compile on one core, for a minute: so all cores do it afterwards. Some files are for an older Python, and fail.
$(VENV)/.installed: constraints.txt pyproject.toml | packages
	@echo "Installing Strongroom into $(VENV) (some minutes, the first time)..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile -c constraints.txt $(TORCH_INDEX) torch
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e .
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.installed
	@$(BIN)/pip install -qq --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $@

# The tests of single sign-on talk to a certified identity provider, which is written in JavaScript.
$(VENV)/.provider-installed: tests/identity_provider/package-lock.json | $(VENV)/.installed test-packages
	@npm ci --silent --no-audit --no-fund --prefix tests/identity_provider || \
		echo "No identity provider for the tests: install Node.js 18 or newer, with npm. Without it the tests of single sign-on fail." >&2
	@touch $@

packages:
	@PYTHON=$(PYTHON) sh deploy/debian-packages.sh run

test-packages:
	@sh deploy/debian-packages.sh test

check: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy bench
	$(BIN)/lint-imports

test: $(VENV)/.dev-installed $(VENV)/.provider-installed test-packages
	sh tests/run.sh

test-slow: $(VENV)/.dev-installed $(VENV)/.provider-installed test-packages
	sh tests/run.sh --slow

clean:
	rm -rf $(VENV) artefacts .mypy_cache .ruff_cache .pytest_cache .hypothesis
