# Every target does the set-up that it needs. The project's own environment is .venv; nothing is installed outside.

PYTHON ?= python3
ARGS ?=
RESULTS ?= results
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
CARGO := cargo --quiet
RUST := --manifest-path rust_impl/Cargo.toml

.DEFAULT_GOAL := help
.PHONY: help setup build bench plot verify kernels test check format clean cargo

help: ## this list
	@echo "Usage: make TARGET [ARGS='...'], where ARGS goes to bench, plot and verify, and RESULTS=FOLDER is used instead of results/; see .venv/bin/python -m harness bench --help"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## the Python environment in .venv

$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or later, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; install a later one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: python3-venv)"; exit 1; }
	@echo "installing the Python packages into $(VENV)"
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@touch $@

cargo:
	@command -v cargo >/dev/null || { echo "error: cargo is missing; install Rust 1.89 or later from https://rustup.rs"; exit 1; }

build: $(READY) cargo ## both programs
	@$(RUN) harness build

bench: build ## measure (about 3 minutes), write CSV files to results/, show tables
	@$(RUN) harness bench --results $(RESULTS) $(ARGS)
	@$(RUN) pytest -p no:cacheprovider --benchmark-json=$(RESULTS)/kernels-python.json --benchmark-columns=median,iqr,rounds -q python_impl/benches
	@$(RUN) harness kernels --results $(RESULTS) --pytest-benchmark python=$(RESULTS)/kernels-python.json

plot: $(READY) $(RESULTS)/runs.csv ## draw the pictures from the CSV files in results/; measure first if there are none
	@$(RUN) harness plot --results $(RESULTS) $(ARGS)

$(RESULTS)/runs.csv:
	@$(MAKE) --no-print-directory bench

verify: build ## compare the losses of all contenders on random cases, without timing
	@$(RUN) harness verify $(ARGS)

kernels: build ## time the inner functions in process, in both languages; write results/kernels.csv and kernels.png
	@mkdir -p $(RESULTS)
	@$(RUN) pytest -p no:cacheprovider --benchmark-json=$(RESULTS)/kernels-python.json --benchmark-columns=median,iqr,rounds -q python_impl/benches
	@$(CARGO) bench $(RUST) --locked
	@$(RUN) harness kernels --results $(RESULTS) --pytest-benchmark python=$(RESULTS)/kernels-python.json --criterion rust=rust_impl/target/criterion

test: build ## all tests of both languages
	@$(CARGO) test $(RUST) --locked
	@$(RUN) pytest

check: $(READY) cargo ## formatters, linters and type checkers; reports only
	@$(RUN) ruff format --check .
	@$(RUN) ruff check --no-cache .
	@$(RUN) mypy --no-incremental harness python_impl tests
	@cargo fmt $(RUST) --check
	@$(CARGO) clippy $(RUST) --locked --all-targets -- -D warnings

format: $(READY) cargo ## what the formatters and linters can put right by themselves
	@$(RUN) ruff check --no-cache --fix .
	@$(RUN) ruff format .
	@cargo fmt $(RUST)

clean: ## remove everything that was built; results/ stays
	rm -rf $(VENV) rust_impl/target .mypy_cache .ruff_cache .hypothesis .benchmarks
	find harness python_impl tests -name __pycache__ -type d -prune -exec rm -rf {} +
