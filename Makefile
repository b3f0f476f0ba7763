# Everything lives in .venv; every target sets up what it needs. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo browse test check format histories kills benchmarks test-lowest clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## create .venv and install barlow with everything its tests need

$(STAMP): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "barlow needs Python 3.11 or newer, $$($(PYTHON) --version) is $(PYTHON). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Installing (PyTorch is large: a few minutes the first time) ..."
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## run the whole pipeline on the embedded example and open the browser app
	$(BIN)/barlow demo --run $(RUN)

browse: $(STAMP) ## open the app on RUN (default runs/demo)
	$(BIN)/barlow browse $(RUN)

check: $(STAMP) ## lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy barlow_core study apps benchmarks data

format: $(STAMP) ## let ruff format and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A file stays with one worker: its tests share fixtures, and some go on where the one before ended. One thread a worker: threads of several
# workers on the same cores wait for each other.
SUITE := -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: check ## lint, type-check and run the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python $(SUITE)

test-lowest: ## run the suite in .venv-lowest with the oldest versions that requirements.txt allows
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	OMP_NUM_THREADS=1 .venv-lowest/bin/python $(SUITE)

histories: $(STAMP) ## 1,000 random histories of answers and payments (minutes, with TMPDIR in memory)
	OMP_NUM_THREADS=1 BARLOW_HISTORIES=1000 $(BIN)/python -m pytest --timeout=0 tests/study/store/test_money_machine.py

kills: $(STAMP) ## kill a study 100 times while answers and payment files are written (minutes)
	OMP_NUM_THREADS=1 BARLOW_KILLS=100 $(BIN)/python -m pytest --timeout=0 -s tests/study/store/test_kills.py

benchmarks: $(STAMP) ## time the hot paths beside what one would use instead
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## remove .venv and everything that tools leave behind (not your runs)
	rm -rf $(VENV) .venv-lowest .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build *.egg-info
