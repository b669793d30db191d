# Every target does the set-up that it needs. The project's own environment is .venv; nothing is installed outside.

SHELL := bash
PYTHON ?= python3
ARGS ?=
RESULTS ?= results
VENV := .venv
RUN := $(VENV)/bin/python -m
CARGO := cargo --quiet
RUST := --manifest-path rust_impl/Cargo.toml
KERNELS := $(RESULTS)/kernels-python.json
CONTENDERS := $(if $(PEERS),--manifest peers/peers.toml)

# What bench needs, and what tests and checks, and workers and their scheduler, need besides.
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_MACHINES := $(VENV)/.ready-machines

.DEFAULT_GOAL := help
.PHONY: help setup build bench show plot report sweeps compare export join predict claims parts machines scheduler worker verify selfcheck kernels peers test test-peers test-machines check format clean cargo python FORCE

help: ## this list
	@echo "Usage: make TARGET [ARGS='...'] [BASE=REVISION] [RESULTS=FOLDER] [PEERS=1] [SCHEDULER=ADDRESS] [PYTHON=/path/to/python3]"
	@echo "ARGS goes to every target that takes options; for what they take: make bench ARGS=--help"
	@echo "PEERS=1 lets bench, verify and selfcheck take the peers in, as far as make peers has set them up"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An environment of another interpreter than the one that is asked for is made anew.
ifneq ($(origin PYTHON),file)
ifneq ($(shell command -v $(PYTHON)),$(shell cat $(VENV)/.python 2>/dev/null))
$(READY): FORCE
endif
endif

python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or later, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; install a later one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }

cargo:
	@command -v cargo >/dev/null || { echo "error: cargo is missing; install Rust 1.89 or later from https://rustup.rs" >&2; exit 1; }

setup: $(READY) ## the Python environment in .venv

$(READY): requirements.lock | python
	@rm -rf $(VENV) && mkdir $(VENV) || { echo "error: $(CURDIR) cannot be written; copy the project to where you may write" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	@$(call install,requirements.lock)
	@command -v $(PYTHON) >$(VENV)/.python
	@touch $@

$(READY_DEV): requirements-dev.lock $(READY)
	@$(call install,requirements-dev.lock)
	@touch $@

# What pip downloads is the progress; of its complaints the last error says most.
define install
set -o pipefail; echo "installing what $(1) lists into $(VENV)"; \
$(RUN) pip install --disable-pip-version-check --no-input --require-hashes -r $(1) 2>$(VENV)/pip.log | sed -n 's/-[^-]*-[^-]*-[^-]*\.whl//; /^ *\(Downloading\|Using\|Installing\)/p' \
|| { echo "error: $$(grep -e '^ERROR' $(VENV)/pip.log | tail -n 1 | cut -c 8-): is this machine online? $(VENV)/pip.log has all that pip said" >&2; exit 1; }
endef

build: cargo $(READY) ## both programs
	@$(RUN) harness build

bench: cargo $(READY) ## build, measure (about 3 minutes), write CSV files to results/, show tables
	@$(RUN) harness bench --results $(RESULTS) $(CONTENDERS) $(ARGS)

show: $(READY) ## the tables of a sweep again
	@$(RUN) harness show --results $(RESULTS) $(ARGS)

plot: $(READY) $(RESULTS)/runs.csv ## draw the pictures and write the page from what was measured; measure first if nothing was
	@$(RUN) harness plot --results $(RESULTS) $(ARGS)

report: $(READY) $(RESULTS)/runs.csv ## write report.html alone, one page to send to a colleague
	@$(RUN) harness report --results $(RESULTS) $(ARGS)

$(RESULTS)/runs.csv:
	@$(MAKE) --no-print-directory bench ARGS=

sweeps: $(READY) ## list what was measured; one case over all sweeps: ARGS="--case naive 10-5-1"
	@$(RUN) harness sweeps --results $(RESULTS) $(ARGS)

compare: $(READY) $(if $(BASE),cargo) ## what became faster or slower: ARGS="latest~1 latest", or BASE=REVISION measured against what is here
	@$(RUN) harness compare --results $(RESULTS) $(if $(BASE),--revisions $(BASE),) $(or $(ARGS),$(if $(BASE),,latest~1))

export: $(READY) ## a sweep for another tool: ARGS="latest --format hyperfine"
	@$(RUN) harness export --results $(RESULTS) $(ARGS)

join: $(READY) ## the sweeps of several machines in one table and picture: ARGS="FOLDER FOLDER"
	@$(RUN) harness join --results $(RESULTS) $(ARGS)

predict: $(READY) ## how long a shape takes that was not measured: ARGS=200-100-1; ARGS=--check measures how often that holds
	@$(RUN) harness predict --results $(RESULTS) $(CONTENDERS) $(ARGS)

claims: build ## hold the article's claims against the latest sweep; its seeds, flat and nested weights: half a minute
	@$(CARGO) build $(RUST) --release --locked --example storage
	@$(RUN) harness claims --results $(RESULTS) $(ARGS)

parts: build ## where the time of the article's run goes, for every contender (a minute)
	@$(RUN) harness parts --results $(RESULTS) $(CONTENDERS) $(ARGS)

machines: $(READY_MACHINES) ## what it takes to measure on several machines at once

$(READY_MACHINES): requirements-machines.lock $(READY)
	@$(call install,requirements-machines.lock)
	@touch $@

scheduler: $(READY_MACHINES) ## where the workers of several machines meet; others on the network can use it, see docs/machines.md
	@$(RUN) dask scheduler --no-dashboard $(ARGS)

worker: cargo $(READY_MACHINES) ## let this machine measure for a scheduler: SCHEDULER=tcp://host:8786
	@test -n "$(SCHEDULER)$(ARGS)" || { echo "error: SCHEDULER is missing; say where it is: make worker SCHEDULER=tcp://host:8786" >&2; exit 2; }
	@$(RUN) dask worker $(SCHEDULER) --resources measurement=1 --nthreads 1 --memory-limit 0 --no-dashboard $(ARGS)

verify: cargo $(READY) ## compare the losses of all contenders on random cases, without timing
	@$(RUN) harness verify $(CONTENDERS) $(ARGS)

selfcheck: cargo $(READY) ## measure whether intervals and verdicts hold on this machine (about 10 minutes)
	@$(RUN) harness selfcheck --results $(RESULTS) $(CONTENDERS) $(ARGS)

kernels: build $(READY_DEV) ## time the inner functions in process, in both languages; write results/kernels.csv and kernels.png
	@mkdir -p $(RESULTS)
	@$(RUN) pytest -p no:cacheprovider --benchmark-json=$(KERNELS) --benchmark-columns=median,iqr,rounds -q python_impl/benches
	@$(CARGO) bench $(RUST) --locked
	@$(RUN) harness kernels --results $(RESULTS) --pytest-benchmark python=$(KERNELS) --criterion rust=rust_impl/target/criterion

peers: cargo $(READY) ## what one would use instead of Rust, in an environment of its own (minutes, 1 GB)
	@$(MAKE) --no-print-directory -s -f peers/Makefile PYTHON=$(PYTHON)
	@$(RUN) harness build --manifest peers/peers.toml

test: build $(READY_DEV) ## all tests of both languages
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "note: no tests in a browser; install chromium (Debian, Ubuntu: chromium)"
	@$(CARGO) build $(RUST) --release --locked --example storage
	@$(CARGO) test $(RUST) --locked
	@$(RUN) pytest --numprocesses auto --ignore tests/test_machines.py

test-peers: build $(READY_DEV) ## the losses of the peers that are set up
	@$(RUN) pytest --numprocesses auto -rs peers

test-machines: build $(READY_DEV) $(READY_MACHINES) ## measuring on several machines, with a scheduler and workers on this one
	@$(RUN) pytest --numprocesses auto -rs tests/test_machines.py

check: cargo $(READY_DEV) ## formatters, linters and type checkers; reports only
	@$(RUN) ruff format --check .
	@$(RUN) ruff check --no-cache .
	@$(RUN) mypy --no-incremental harness python_impl tests docs peers
	@cargo fmt $(RUST) --check
	@cargo fmt --manifest-path peers/pyo3/Cargo.toml --check
	@$(CARGO) clippy $(RUST) --locked --all-targets -- -D warnings
	@$(CARGO) clippy --manifest-path peers/pyo3/Cargo.toml --locked -- -D warnings

format: cargo $(READY_DEV) ## what the formatters and linters can put right by themselves
	@$(RUN) ruff check --no-cache --fix .
	@$(RUN) ruff format .
	@cargo fmt $(RUST)
	@cargo fmt --manifest-path peers/pyo3/Cargo.toml

clean: ## remove everything that was built; results/ stays
	rm -rf $(VENV) .venv-peers rust_impl/target peers/*/build peers/pyo3/target peers/c/flatnet .mypy_cache .ruff_cache .hypothesis .benchmarks
	find harness python_impl peers tests -name __pycache__ -type d -prune -exec rm -rf {} +
