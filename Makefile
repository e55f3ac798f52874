# One entry for everything: `make help` lists the targets. Nothing is installed outside this folder;
# a second call does only what has changed since the first.

PYTHON ?= python3
ISA_TESTS ?=
FP_VECTORS ?=
PYTEST_OPTIONS ?= --numprocesses auto --dist loadscope

VENV := .venv
BIN := $(VENV)/bin
STAMPS := build/stamps
RUST_SOURCES := $(shell find rust_core -name '*.rs' -o -name 'Cargo.toml') \
                Cargo.toml Cargo.lock

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: run
run: $(STAMPS)/core ## run the quickstart scenario and show its results
	$(BIN)/dcsim run scenarios/quickstart.yaml

.PHONY: test
test: test-rust test-python ## the whole default suite

.PHONY: test-rust
test-rust: ## the tests of the machine world
	cargo test --workspace --exclude dcsim-core

.PHONY: test-python
test-python: $(STAMPS)/dev $(STAMPS)/core ## the tests of the model world and of both together
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

.PHONY: lint
lint: lint-rust lint-python ## formatting, lints, types, stubs

.PHONY: lint-rust
lint-rust: ## rustfmt and clippy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

.PHONY: lint-python
lint-python: $(STAMPS)/dev $(STAMPS)/core ## ruff, mypy, and the stubs against the extension
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest dcsim._core

.PHONY: format
format: $(STAMPS)/dev ## format all sources
	cargo fmt --all
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: bench
bench: $(STAMPS)/dev $(STAMPS)/core ## speed beside qemu-system-riscv64, and of guests beside bare metal
	$(BIN)/python -m tests.bench.compare
	$(BIN)/python -m tests.bench.assisted

.PHONY: conformance
conformance: ## the hypervisor extension; with ISA_TESTS=<folder of ELF files>, FP_VECTORS=<folder of vectors>
	cargo test --release --quiet --package dcsim-hart --test hypervisor -- --format pretty
	$(if $(ISA_TESTS),cargo run --release --quiet --package dcsim-machine --example isa_tests -- $(ISA_TESTS))
	$(if $(FP_VECTORS),cargo run --release --quiet --package dcsim-hart --example float_vectors -- $(FP_VECTORS))

.PHONY: fuzz
fuzz: ## random sequences against QEMU, translated code beside bare metal, 10^9 instructions of hostile guests, 10^6 system calls
	cargo test --release --package dcsim-fuzz -- --nocapture
	DCSIM_TEST_LENGTH=20 cargo test --release --package dcsim-monitor --lib lockstep
	cargo run --release --quiet --package dcsim-fuzz --bin hostile
	DCSIM_TEST_CALLS=1000000 cargo test --release --package dcsim-linux --test random

.PHONY: lifetimes
lifetimes: $(STAMPS)/dev $(STAMPS)/core ## 10,000 VMs come and go on a host, and leave no frame, byte or block
	DCSIM_TEST_LIFETIMES=10000 $(BIN)/python -m pytest tests/model/test_lifetimes.py --timeout 3600

.PHONY: guest
guest: $(STAMPS)/dev ## build the guest kernel and its programs
	PYTHONPATH=. $(BIN)/python -m dcsim.guest.build

.PHONY: docs
docs: $(STAMPS)/docs $(STAMPS)/core ## the documentation, in docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html

.PHONY: clean
clean: ## remove everything that was built or installed here
	rm -rf $(VENV) build target docs/_build dcsim/*.so

# What the targets above stand on. A stamp is newer than all that it depends on.

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dcsim needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2'
	@mkdir -p $(@D) && touch $@

$(STAMPS)/core: $(STAMPS)/venv pyproject.toml $(RUST_SOURCES)
	PIP_QUIET=1 VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet
	@touch $@

# Installs one group of optional dependencies, which stand in pyproject.toml alone.
EXTRA = import sys, tomllib; \
        project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        print("\n".join(project["optional-dependencies"][sys.argv[1]]))
define install
$(BIN)/python -c '$(EXTRA)' $(1) > $(STAMPS)/$(1).txt
$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(STAMPS)/$(1).txt
@touch $@
endef

$(STAMPS)/dev: $(STAMPS)/venv pyproject.toml
	$(call install,dev)

$(STAMPS)/docs: $(STAMPS)/venv pyproject.toml
	$(call install,docs)
