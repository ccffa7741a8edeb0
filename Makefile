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
# librdkafka is compiled in and linked with the system's OpenSSL.
compiler := cc:build-essential pkg-config:pkg-config /usr/include/openssl/ssl.h:libssl-dev
driftlead := $(CARGO_TARGET_DIR)/release/driftlead

.PHONY: help build demo prepare test lint fixtures bench peers peers-vectors soak fuzz calibrate chaos

help:
	@echo 'make demo      build driftlead and replay half a year of real flights through its service'
	@echo 'make build     build the release binary'
	@echo 'make test      lints and all tests, on a bare machine too'
	@echo 'make lint      formatting, clippy, documentation, licences'
	@echo 'make bench     measures speed and memory against what limits them'
	@echo 'make peers     measures the service beside river, Evidently and whylogs on one topic'
	@echo 'make peers-vectors  measures a check of embeddings beside Evidently and numpy'
	@echo 'make chaos     kills the service at least a hundred times under load, and compares it with the rows'
	@echo 'make soak      150 million rows through the service, with power cuts: does memory grow?'
	@echo 'make fuzz      fuzzes decoders, codecs and settings, guided by coverage: a minute a target, or SECONDS=...'
	@echo 'make calibrate counts false alarms by simulation, all cells (about half an hour of CPU time)'
	@echo 'make fixtures  make the committed test data and its expected numbers anew'

build: prepare
	@$(stage) 'release build, with SQL (the first one: about 360 crates, 20 to 30 minutes on two cores)' \
	    cargo build --release --locked

# Without SQL for `where:`, which the demo does not use and which costs more than half of the first build's time
# (docs/decisions/0002-build-time.md). The flights travel inside the program.
demo: prepare
	@$(stage) 'release build (the first one: about 300 crates, 10 to 20 minutes on two cores)' \
	    cargo build --release --locked --no-default-features --features kafka
	@echo '==> on which days of half a year did the flights at Newark drift from January?'
	@echo '    driftlead demo'
	@$(driftlead) demo

prepare:
	@scripts/rust
	@scripts/need $(compiler)

# `cargo clippy` and `cargo doc` need no more of the dependencies than their metadata, and share it.
lint: prepare
	@scripts/rust rustfmt clippy
	@$(stage) 'formatting' cargo fmt --all --check
	@$(stage) 'clippy' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS='-D warnings' $(stage) 'documentation' \
	    cargo doc --quiet --locked --workspace --no-deps --document-private-items
	@$(stage) 'licences, sources and bans of all dependencies' scripts/deny

# The engine is tested twice: unoptimised, where an overflow panics, and optimised, as it is shipped. All else is
# compiled in the release profile only, which the demo shares.
test: lint
	@scripts/need git:git openssl:openssl python3:python3 node:nodejs npm:npm
	@$(stage) 'data sets' scripts/data
	@$(stage) 'tests of the engine, overflow checked' cargo test --quiet --locked --package driftlead-engine
	@$(stage) 'all tests, optimised' cargo test --quiet --locked --release --workspace

fixtures:
	@scripts/fixtures

bench: prepare
	@$(stage) 'data sets' scripts/data
	@$(stage) 'benches, optimised' cargo build --quiet --locked --release --workspace --bins
	@scripts/bench

peers: prepare
	@$(stage) 'service and bench, optimised' cargo build --quiet --locked --release --no-default-features \
	    --features kafka --package driftlead
	@$(stage) 'bench of the service, optimised' cargo build --quiet --locked --release --package driftlead-bench \
	    --bin serve
	@scripts/peers $(ROWS)

peers-vectors: prepare
	@$(stage) 'driftlead, optimised' cargo build --quiet --locked --release --no-default-features \
	    --features kafka --package driftlead
	@scripts/peers-vectors

# Without SQL, which has no part in it.
chaos: prepare
	@scripts/need git:git python3:python3
	@DRIFTLEAD_CHAOS_KILLS=$${DRIFTLEAD_CHAOS_KILLS:-100} $(stage) 'a hundred kills, and sixty interleavings' \
	    cargo test --quiet --locked --release --no-default-features --features kafka --package driftlead \
	    --test integration -- --nocapture serve::chaos serve::crash serve::interleave

soak: prepare
	@$(stage) 'service and soak, optimised' cargo build --quiet --locked --release --workspace --bins
	@scripts/soak $(ROWS)

fuzz: prepare
	@scripts/fuzz $(or $(SECONDS),60)

calibrate: prepare
	@$(stage) 'calibration suite, optimised' cargo build --quiet --locked --release --package driftlead-calibration
	@$(stage) 'all cells, 2,000 replicates' $(CARGO_TARGET_DIR)/release/calibrate 2000 '' \
	    benches/record/$$(date -u +%F)-calibration.md
