# `make demo` and `make test` set everything up themselves: all they need is Python 3.11 or newer, pip and make.
PYTHON ?= python3
GPU_PYTHON ?= $(PYTHON)
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP) --constraint constraints.txt
# Two processes, a file of tests in one of them, long files first (tests/heavy_first.py).
PYTEST := -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# What `make test-newest` runs with: a newer Python, if there is one, with the newest JAX and Flax and without torch.
NEWEST := .venv-newest/bin
NEWEST_PYTHON ?= $(shell .ci/newest-python)
ONLY_IN_TEST := weights_convert test_notebooks.py

.PHONY: demo test test-slow test-gpu test-newest lint docs bench train clean

demo: .venv/installed  ## from the embedded generator to runs/demo/report.html
	$(BIN)/geomgan analyze digits-dcgan --distance lpips-alex --resize 64 --codes 16 --top 8 --seed 0 --out runs/demo

test: lint  ## everything but the slow tests
	$(BIN)/python $(PYTEST) -m "not slow"

test-slow: .venv/installed-test  ## full-size parity, hundreds of kills, thousands of damaged files
	$(BIN)/python $(PYTEST) -m slow

test-gpu:  ## a minute of small networks on a GPU, with a Python that has JAX for it; without pytest: python3 -m tests.gpu
	GEOMGAN_GPU_TESTS=gpu $(GPU_PYTHON) -m pytest tests/gpu -v

test-newest:  ## what needs no torch, on the newest Python (3.12 or later), JAX and Flax that are there
ifeq ($(NEWEST_PYTHON),)
	@echo "test-newest: skipped, because no Python 3.12 or later was found; NEWEST_PYTHON=path/to/python names one"
else
	$(MAKE) .venv-newest/installed
	$(NEWEST)/python -c 'import sys, jax, flax; print("Python", sys.version.split()[0], "jax", jax.__version__, "flax", flax.__version__)'
	$(NEWEST)/python $(PYTEST) -m "not slow" $(addprefix --ignore=tests/,$(ONLY_IN_TEST))
endif

lint: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/installed-docs  ## the site, in build/site: fails on a dead link, a public name without an entry, a docstring without shapes
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: .venv/installed-test  ## one metric of the small models against jax.hessian and torch
	$(BIN)/python -m benchmarks.metric

train: .venv/installed  ## train the embedded models again: make train DATA=path/to/mnist.npz
	$(BIN)/python -m geomgan.training.digits --data $(DATA) --out runs/digits
	$(BIN)/geomgan train vae --data $(DATA) --epochs 6 --batch 64 --samples 1 --decay 0.6 --option precision_epochs=2 --out runs/digits-vae
	$(BIN)/geomgan train bigan --data $(DATA) --epochs 8 --batch 64 --decay 0.75 --average 0.998 --out runs/digits-bigan

clean:
	rm -rf .venv .venv-newest build runs .pytest_cache .mypy_cache .ruff_cache

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

.venv/installed-docs: .venv/installed
	$(INSTALL) --editable '.[docs]'
	touch $@

.venv-newest/installed: pyproject.toml
	$(NEWEST_PYTHON) -m venv --clear .venv-newest
	$(NEWEST)/python $(PIP) --editable '.[test-no-torch]'
	touch $@
