# What each target does stands beside it; `make help` prints this list.
# Needs git, make, python3 (3.11 or newer) and python3-venv; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What `make test` runs: `make test T=tests/plan`, `make test T="-k renew"`.
T ?= tests
# These parts decide what is signed, so nearly every branch of them is tested.
DECIDING := pkiplan/model/*,pkiplan/plan/*,pkiplan/manifest/*,pkiplan/x509/*,pkiplan/render/*,pkiplan/report/*
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help quickstart dev test format lint coverage check live check-full golden bench crash planted-faults clean

help:        ## show this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

quickstart: $(VENV)/runtime  ## install into .venv, make a small PKI in build/quickstart, and show it
	rm -rf build/quickstart
	mkdir -p build
	cp -R examples/quickstart build/quickstart
	@echo; echo '$$ pkiplan plan'
	@$(BIN)/pkiplan -C build/quickstart plan
	@echo; echo '$$ pkiplan apply --yes'
	@$(BIN)/pkiplan -C build/quickstart apply --yes
	@echo; echo '$$ pkiplan status'
	@$(BIN)/pkiplan -C build/quickstart status
	@echo; echo 'Look around in build/quickstart, change its site.yaml, and run:'
	@echo '  $(BIN)/pkiplan -C build/quickstart plan'

dev: $(VENV)/dev  ## install pkiplan and its tools into .venv

test: $(VENV)/dev  ## run the test suite; a part of it with T=path
	$(BIN)/pytest -q -n auto $(T)

format: $(VENV)/dev  ## format the code
	$(BIN)/ruff check -q --fix pkiplan tests bench || true
	$(BIN)/ruff format pkiplan tests bench

lint: $(VENV)/dev  ## format, lint rules, types, import layers, spelling
	$(BIN)/ruff format --check pkiplan tests bench
	$(BIN)/ruff check pkiplan tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell pkiplan tests bench docs examples schemas *.md

coverage: $(VENV)/dev  ## judge the coverage of the last test run that measured it
	$(BIN)/coverage report --skip-covered --fail-under=95 --include='$(DECIDING)'

check: lint  ## everything that CI checks
	PYTEST_ADDOPTS='--cov --cov-report=' $(MAKE) test
	$(MAKE) coverage

live: $(VENV)/dev  ## run the slow tests: live servers of many kinds
	$(BIN)/pytest -q -n auto -m slow $(T)

check-full: check live  ## everything, the slow tests too: what a schedule and a release run

golden: $(VENV)/dev  ## write the golden files anew; review the diff like code
	PKIPLAN_WRITE_GOLDEN=1 $(BIN)/pytest -q -n auto $(T)

crash: $(VENV)/dev  ## kill and fail apply at every call to the file system; writes docs/crash-safety.md
	$(BIN)/python -m tests.apply.crash

bench: $(VENV)/dev  ## measure against the bare cost of the same work; a part of it with B="--only plan"
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m bench $(B)

planted-faults: $(VENV)/dev  ## break each promise of SECURITY.md, and see the test that guards it fail
	$(BIN)/python -m tests.security.planted

clean:       ## remove .venv and everything built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/runtime: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

# pkilint judges what we make. It lies apart: where it is installed, pkiplan asks it before every certificate.
$(VENV)/dev: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip install --quiet --upgrade --target $(VENV)/pkilint 'pkilint>=0.13'
	touch $@ $(VENV)/runtime
