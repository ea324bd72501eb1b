# Needs Python 3.11 or newer and make; everything else is installed into .venv.
.DEFAULT_GOAL := help
.PHONY: help run test packages lint types wheel docs clean

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export OMP_NUM_THREADS := 1

help:
	@echo "make run    install, train a small grid, draw its figures"
	@echo "make test   install, run the tests"
	@echo "make docs   install, build the documentation into site/; a warning is an error"
	@echo "make packages   install, make the environments of public packages, compare and probe them; needs the network, long"
	@echo "make lint   ruff, and the direction of imports;  make types: mypy;  make wheel: build the wheel and try it;  make clean"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mibench needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@

run: $(STAMP)
	$(BIN)/mibench run quick-saturation
	$(BIN)/mibench report all
	@echo "The figures lie in $(CURDIR)/reports: open saturation.png first."

# The variables keep glibc from giving tensors back to the system at once: the page faults take a fifth of the tests' time.
test: $(STAMP)
	MALLOC_MMAP_THRESHOLD_=16777216 MALLOC_TRIM_THRESHOLD_=1073741824 $(BIN)/python -m pytest -n 2

# What the tests leave out where no package is installed; the rows of docs/packages.md are made anew.
packages: $(STAMP)
	$(BIN)/mibench packages install all
	$(BIN)/python -m pytest tests/packages
	$(BIN)/mibench packages probe all ksg gaussian-copula --keep results/packages
	$(BIN)/python -m benchmarks.packages

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(STAMP)
	$(BIN)/mypy

wheel: $(STAMP)
	.ci/wheel $(BIN)/python

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict  # the variable silences a notice on other software
	@echo "The documentation lies in $(CURDIR)/site: open index.html."

clean:
	rm -rf .venv site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
