# Fengxiang. `make run` and `make test` do all their own set-up; the other targets are listed by `make help`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help run stop clean-data test lint lock setup setup-dev bench

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: setup ## start everything on this machine: make run [INPUT=file-or-folder]
	@$(BIN)/fengxiang up --sample $(if $(INPUT),--input "$(INPUT)")

stop: ## stop what `make run` started
	@if test -x $(BIN)/fengxiang; then $(BIN)/fengxiang stop; else echo "nothing to stop: run 'make run' first"; fi

clean-data: stop ## delete the local stack's data (var/)
	@rm -rf var && echo "var/ deleted"

test: setup-dev ## run all tests, two files at a time: most of them wait
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: setup-dev ## ruff and mypy --strict
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.python:
	@$(PYTHON) deploy/check_python.py
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.python
	@echo "installing (first run: a few minutes, later: nothing to do) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

lock: ## rewrite the lock files from pyproject.toml
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url pyproject.toml deploy/build.in -o requirements.lock
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --extra dev -c requirements.lock pyproject.toml deploy/build.in -o requirements-dev.lock
