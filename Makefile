# The two commands of README.md are `make demo` and `make test`. Both install the few Debian packages that they need,
# say so, and ask nothing.

SHELL := /bin/bash
.DELETE_ON_ERROR:

# Compiled code and data sets live outside of the checkout: a new clone, a second worktree and `git clean` then cost
# no second build of the dependencies.
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/driftlead
export CARGO_TARGET_DIR ?= $(cache)/target
export DRIFTLEAD_DATA ?= $(cache)/data
export CARGO_TERM_COLOR ?= auto

stage := scripts/stage
compiler := cc:build-essential
driftlead := $(CARGO_TARGET_DIR)/release/driftlead

.PHONY: help build demo test lint fixtures

help:
	@echo 'make demo      build driftlead and check two months of real flights for drift'
	@echo 'make build     build the release binary'
	@echo 'make test      lints and all tests, on a bare machine too'
	@echo 'make lint      formatting, clippy, documentation, licences'
	@echo 'make fixtures  make the committed test data and its expected numbers anew'

build:
	@scripts/rust
	@scripts/need $(compiler)
	@$(stage) 'release build (the first one compiles about 300 crates: 15 to 25 minutes on two cores)' \
	    cargo build --release --locked

demo: build
	@$(driftlead) demo

# `cargo clippy` and `cargo doc` need no more of the dependencies than their metadata, and share it.
lint:
	@scripts/rust rustfmt clippy
	@scripts/need $(compiler)
	@$(stage) 'formatting' cargo fmt --all --check
	@$(stage) 'clippy' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(stage) 'documentation' \
	    cargo doc --quiet --locked --workspace --no-deps --document-private-items
	@$(stage) 'licences, sources and bans of all dependencies' scripts/deny

# The engine is tested twice: unoptimised, where an overflow panics, and optimised, as it is shipped. All else is
# compiled in the release profile only, which the demo shares.
test: lint
	@$(stage) 'data sets' scripts/data
	@$(stage) 'tests of the engine, overflow checked' cargo test --quiet --locked --package driftlead-engine
	@$(stage) 'all tests, optimised' cargo test --quiet --locked --release --workspace

fixtures:
	@scripts/fixtures
