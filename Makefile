# Every target does the set-up that it needs. The project's own environment is .venv; nothing is installed outside.

PYTHON ?= python3
ARGS ?=
RESULTS ?= results
override RESULTS := $(or $(RESULTS),results)
VENV := .venv
RUN := $(VENV)/bin/python -m
CARGO := cargo --quiet
RUST := --manifest-path rust_impl/Cargo.toml
KERNELS := $(RESULTS)/kernels-python.json
CRITERION := $(CURDIR)/rust_impl/target/criterion
CONTENDERS := $(if $(filter-out 0 no,$(PEERS)),--manifest peers/peers.toml)

# What bench needs, and what tests and checks, and workers and their scheduler, need besides.
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_MACHINES := $(VENV)/.ready-machines

# What a user's shell has for Python, pip, Cargo or git in general is not for this project.
NOT_OURS := PYTHON% PYTEST_% PY_COLORS MYPY% MPLBACKEND MATPLOTLIBRC CRITERION_HOME CARGO_INCREMENTAL CARGO_TERM_% \
	CARGO_TARGET_% CARGO_BUILD_% CARGO_PROFILE_% CARGO_UNSTABLE_% RUSTFLAGS RUSTDOCFLAGS RUSTC% GIT_% LD_PRELOAD \
	CFLAGS CPPFLAGS LDFLAGS FORCE_COLOR CLICOLOR_FORCE TTY_COMPATIBLE TTY_INTERACTIVE
# Of pip's only how it reaches packages.
PIPS_OWN := $(filter-out %_URL %_LINKS %_HOST %_CERT %_PROXY %_DIR %_TIMEOUT %_RETRIES PIP_CONFIG_FILE,$(filter PIP_%,$(.VARIABLES)))
$(foreach name,$(filter $(NOT_OURS),$(.VARIABLES)) $(PIPS_OWN),$(eval unexport $(name)))
# Whatever Cargo's own configuration says.
override CARGO_TARGET_DIR := $(CURDIR)/rust_impl/target
override CARGO_ENCODED_RUSTFLAGS :=
export CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS

.DEFAULT_GOAL := help
.PHONY: bench show plot sweeps compare predict article verify test check format help \
	join scheduler worker selfcheck kernels peers test-all clean build python cargo FORCE

# An environment of another interpreter than the one that is asked for, or than it was made with, is made anew.
ifneq ($(shell $(VENV)/bin/python -V 2>/dev/null | head -n 1),$(or $(shell sed -n 2p $(VENV)/.python 2>/dev/null),none))
$(READY): FORCE
endif
ifneq ($(origin PYTHON),file)
ifneq ($(shell command -v "$(PYTHON)" 2>/dev/null),$(shell sed -n 1p $(VENV)/.python 2>/dev/null))
$(READY): FORCE
endif
endif

python:
	@command -v "$(PYTHON)" >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or later, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; install a later one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }

cargo:
	@command -v cargo >/dev/null || { echo "error: cargo is missing; install Rust 1.89 or later from https://rustup.rs" >&2; exit 1; }

$(READY): requirements.lock | python
	@rm -rf $(VENV) && mkdir $(VENV) || { echo "error: $(CURDIR) cannot be written; copy the project to where you may write" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "error: $(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	@$(call install,requirements.lock)
	@{ command -v "$(PYTHON)"; $(VENV)/bin/python -V | head -n 1; } >$(VENV)/.python
	@touch $@

$(READY_DEV): requirements-dev.lock $(READY)
	@$(call install,requirements-dev.lock)
	@touch $@

$(READY_MACHINES): requirements-machines.lock $(READY)
	@$(call install,requirements-machines.lock)
	@touch $@

# What pip downloads is the progress; of its complaints the last error says most.
define install
echo "installing what $(1) lists into $(VENV)"; rm -f $(VENV)/.failed; \
{ $(RUN) pip install --disable-pip-version-check --no-input --no-user --require-hashes -r $(1) 2>$(VENV)/pip.log || touch $(VENV)/.failed; } \
| sed -nE 's/-[^-]*-[^-]*-[^-]*\.whl//; /^ *(Downloading|Using|Installing)/p'; test ! -e $(VENV)/.failed \
|| { echo "error: $$(grep -e '^ERROR' $(VENV)/pip.log | tail -n 1 | cut -c 8-): is this machine online? $(VENV)/pip.log has all that pip said" >&2; exit 1; }
endef

build: cargo $(READY)
	@$(RUN) harness build

bench: cargo $(READY) ## build, measure for 3 minutes, write results/, show the tables
	@$(RUN) harness bench --results "$(RESULTS)" $(CONTENDERS) $(ARGS)

show: $(READY) ## tables of a sweep; for other tools: ARGS="--format hyperfine"
	@$(RUN) harness show --results "$(RESULTS)" $(ARGS)

plot: $(READY) ## pictures, and report.html with all; measures first if nothing was
	@test -e "$(RESULTS)/runs.csv" || $(MAKE) --no-print-directory bench ARGS=
	@$(RUN) harness plot --results "$(RESULTS)" $(ARGS)

sweeps: $(READY) ## list the sweeps; one case over all: ARGS="--case naive 10-5-1"
	@$(RUN) harness sweeps --results "$(RESULTS)" $(ARGS)

compare: $(READY) $(if $(BASE),cargo) ## what became faster or slower: ARGS="latest~1 latest", BASE=HEAD~1
	@$(RUN) harness compare --results "$(RESULTS)" $(if $(BASE),--revisions $(BASE),) $(or $(ARGS),$(if $(BASE),,latest~1))

predict: $(READY) ## time of a shape that was not run: ARGS=200-100-1; ARGS=--check
	@$(RUN) harness predict --results "$(RESULTS)" $(CONTENDERS) $(ARGS)

article: cargo $(READY) ## the article's claims, and where the time of its run goes
	@$(CARGO) build $(RUST) --release --locked --example storage
	@$(RUN) harness article --results "$(RESULTS)" $(CONTENDERS) $(ARGS)

verify: build ## compare losses on random cases, without timing
	@$(RUN) harness verify $(CONTENDERS) $(ARGS)

# Rust's tests have the program's profile: what it depends on is compiled once, and so are the examples.
test: build $(READY_DEV) ## all tests of both programs and of the harness
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "note: no tests in a browser; install chromium (Debian, Ubuntu: chromium)"
	@$(CARGO) test $(RUST) --release --locked
	@$(RUN) pytest --numprocesses auto --dist worksteal --ignore tests/test_machines.py

check: cargo $(READY_DEV) ## formatters, linters and type checkers; they only report
	@$(RUN) ruff format --check .
	@$(RUN) ruff check --no-cache .
	@$(RUN) mypy --no-incremental harness python_impl tests docs peers
	@cargo fmt $(RUST) --check
	@cargo fmt --manifest-path peers/pyo3/Cargo.toml --check
	@$(CARGO) clippy $(RUST) --locked --all-targets --all-features -- -D warnings
	@$(CARGO) clippy --manifest-path peers/pyo3/Cargo.toml --locked -- -D warnings

format: cargo $(READY_DEV) ## let formatters and linters fix what they can
	@$(RUN) ruff check --no-cache --fix .
	@$(RUN) ruff format .
	@cargo fmt $(RUST)
	@cargo fmt --manifest-path peers/pyo3/Cargo.toml

help: ## this list
	@echo "Usage: make TARGET [ARGS='...'] [RESULTS=FOLDER] [PEERS=1] [PYTHON=python3]"
	@echo "make bench ARGS=--help lists its options; PEERS=1 adds what make peers built"
	@awk -F ':.*## ' '/^## / { print "\n" substr($$0, 4) ":" } /^[a-z-]+:.*## / { printf "  %-9s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Less often

join: $(READY) ## sweeps of several machines in one table: ARGS="FOLDER FOLDER"
	@$(RUN) harness join --results "$(RESULTS)" $(ARGS)

scheduler: $(READY_MACHINES) ## where workers meet; others can use it, see docs/machines.md
	@$(RUN) dask scheduler --no-dashboard $(ARGS)

worker: cargo $(READY_MACHINES) ## measure here for a scheduler: SCHEDULER=tcp://host:8786
	@test -n "$(SCHEDULER)$(ARGS)" || { echo "error: SCHEDULER is missing; say where it is: make worker SCHEDULER=tcp://host:8786" >&2; exit 2; }
	@$(RUN) dask worker $(SCHEDULER) --resources measurement=1 --nthreads 1 --memory-limit 0 --no-dashboard $(ARGS)

selfcheck: cargo $(READY) ## how often intervals and verdicts are right here; 10 minutes
	@$(RUN) harness selfcheck --results "$(RESULTS)" $(CONTENDERS) $(ARGS)

kernels: build $(READY_DEV) ## time the inner functions in process; write results/kernels.csv
	@mkdir -p "$(RESULTS)"
	@$(RUN) harness.measure.lock $(RUN) pytest -p no:cacheprovider --benchmark-json="$(KERNELS)" --benchmark-columns=median,iqr,rounds -q python_impl/benches
	@rm -rf "$(CRITERION)"
	@for round in 1 2 3 4 5; do CRITERION_HOME="$(CRITERION)/$$round" $(RUN) harness.measure.lock $(CARGO) bench $(RUST) --locked --features bench -- --quiet || exit; done
	@$(RUN) harness kernels --results "$(RESULTS)" python="$(KERNELS)" rust="$(CRITERION)"

peers: cargo $(READY) ## NumPy, Numba, JAX, C and others, 1 GB; more: WITH="torch mojo"
	@$(MAKE) --no-print-directory -s -f peers/Makefile PYTHON="$(PYTHON)"
	@$(RUN) harness build --manifest peers/peers.toml

test-all: test $(READY_MACHINES) ## these tests, those of the peers, and those of several machines
	@$(RUN) pytest --numprocesses auto --dist worksteal -rs peers tests/test_machines.py

clean: ## remove what was built; results/ stays
	rm -rf $(VENV) .venv-peers .venv-torch rust_impl/target peers/*/build peers/pyo3/target peers/c/flatnet .mypy_cache .ruff_cache .hypothesis .benchmarks
	find harness python_impl peers tests -name __pycache__ -type d -prune -exec rm -rf {} +
