# Needs Python 3.11 or later, make and a package index; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
PIP_INSTALL = -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-lowest test-slow test-nightly lint format docs clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

demo: $(VENV)/.demo ## Train on real purchases and print the scores beside simple baselines
	@$(BIN)/python -m sklearn_din

test: $(VENV)/.test ## Run the tests and doctests, with coverage
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --cov --cov-report=term

test-slow: $(VENV)/.test ## Run the tests that take minutes
	@$(BIN)/python -m pytest -q -m slow tests

test-nightly: $(VENV)/.test ## Run the fuzz tests with many random examples
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m nightly tests

test-lowest: $(LOWEST)/.ready ## Run the tests with the lowest versions that pyproject.toml allows
	@OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -n 2

lint: $(VENV)/.lint ## Check style, types, the layers and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

format: $(VENV)/.lint ## Format the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.docs ## Build the documentation into docs/_build/html
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

clean: ## Remove everything that can be made again, the environments too
	@rm -rf $(VENV) $(LOWEST) dist docs/_build docs/auto_examples docs/generated htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find sklearn_din tests docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The files .venv/.NAME say what is installed; each is out of date when pyproject.toml is newer.
$(VENV)/.demo: pyproject.toml | $(VENV)/.torch
	@echo "Installing sklearn_din ..."
	@$(BIN)/python $(PIP_INSTALL) -e ".[pandas]" --group runtime
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.dev: $(VENV)/.%: pyproject.toml | $(VENV)/.torch
	@echo "Installing sklearn_din and the tools for '$*' ..."
	@$(BIN)/python $(PIP_INSTALL) -e ".[all]" --group $*
	@touch $@

$(VENV)/.torch: pyproject.toml
	$(call create,$(VENV))
	@touch $@

$(LOWEST)/.ready: pyproject.toml
	$(call create,$(LOWEST))
	@$(LOWEST)/bin/python -c '$(LOWEST_BOUNDS)' > $(LOWEST)/requirements.txt
	@$(LOWEST)/bin/python $(PIP_INSTALL) -r $(LOWEST)/requirements.txt --group pytest
	@$(LOWEST)/bin/python $(PIP_INSTALL) --no-deps -e .
	@touch $@

define create
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed, but $(PYTHON) is missing or older: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@echo "Preparing $(1), PyTorch first (some minutes the first time) ..."
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python $(PIP_INSTALL) --upgrade "pip>=25.1"
	@$(1)/bin/python $(PIP_INSTALL) --group torch
endef

define LOWEST_BOUNDS
import tomllib; \
project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
extras = sum(project["optional-dependencies"].values(), []); \
print(*(each.replace(">=", "==") for each in project["dependencies"] + extras if ">=" in each), sep="\n")
endef
