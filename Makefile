# After a clone: "make demo" runs the main job, "make test" the tests. Both make .venv and install into it first.
PYTHON ?= python3
BIN := .venv/bin
MAKEFLAGS += --no-print-directory
.PHONY: demo test lint check clean
.NOTPARALLEL:

demo: .venv/.installed
	$(BIN)/hidiff demo --force

test: .venv/.installed
	$(BIN)/python -m pytest

lint: .venv/.installed
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

check: lint test

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 12) else f"hidiff needs Python 3.11 or 3.12, $(PYTHON) is {v[0]}.{v[1]}; name another: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis hidiff-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
