# `make demo` and `make test` set everything up themselves: all they need is Python 3.11 or newer, pip and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint bench train clean

demo: .venv/installed  ## from the embedded generator to runs/demo/report.html
	$(BIN)/geomgan analyze digits-dcgan --distance lpips-alex --codes 16 --top 8 --seed 0 --out runs/demo

test: lint  ## everything but the slow tests
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

test-slow: .venv/installed-test  ## full-size parity, hundreds of kills, thousands of damaged files
	$(BIN)/python -m pytest -m slow

lint: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/installed-test  ## the table of the README
	$(BIN)/python -m benchmarks.metric

train: .venv/installed  ## train the embedded models again: make train DATA=path/to/mnist.npz
	$(BIN)/python -m geomgan.training.digits --data $(DATA) --out runs/digits

clean:
	rm -rf .venv runs .jax_cache .pytest_cache .mypy_cache .ruff_cache

.venv/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "geomgan needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/created pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) --editable '.[test]'
	touch $@
