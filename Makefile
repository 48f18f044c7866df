# make demo and make test work in a fresh clone on Debian 12 with Rust, as root, and
# install what they need.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PACKAGES := build-essential debhelper dpkg-dev lintian libxml2-utils man-db systemd dbus polkitd shellcheck strace
# Which points the crash tests take changes with the commit.
export KAAPANA_COMMIT := $(shell git rev-parse HEAD 2>/dev/null)
NODE_TESTS := cargo test --locked --features node-tests,faults --test node -- --test-threads=1
DEB_OPTIONS := -b -us -uc --buildinfo-file=dist/kaapana-agent.buildinfo --changes-file=dist/kaapana-agent.changes \
	--buildinfo-option=-udist --changes-option=-udist

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: ready package ## boot the node, install the package, deploy the test platform, show it
	tests/demo

test: ready lint unit package check-package test-node ## everything, in the order of what fails fastest
	@tests/clock end

test-all: test ## make test, then the crash tests with every point; about an hour more
	@tests/clock crashes
	trap 'tests/node/node down' EXIT; KAAPANA_CRASHES=all KAAPANA_CHECKS=all $(NODE_TESTS) --nocapture crash:: checks::
	tests/node/node leftovers

lint: ## format, clippy, shellcheck, documents
	@tests/clock lint
	cargo fmt --check
	cargo clippy --locked --all-targets --features node-tests,faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	shellcheck --severity=warning tests/demo tests/clock tests/node/node tests/charts/build tests/charts/check packaging/check-package

unit: ## unit, scenario and D-Bus tests (private bus, real polkitd)
	@tests/clock unit
	cargo test --locked

package: ## build the package into dist/
	@tests/clock package
	mkdir -p dist
	rm -f dist/*
	KAAPANA_DIST=dist dpkg-buildpackage $(DEB_OPTIONS)

check-package: ## check what was built
	@tests/clock check-package
	packaging/check-package dist/kaapana-agent_*.deb

node: ## build and cache the parts of the test node
	@tests/clock node
	tests/node/node build

test-node: node ## the stories on the real node
	@tests/clock test-node
	trap 'tests/node/node down' EXIT; $(NODE_TESTS)
	tests/node/node leftovers

documents: ## write the documents that are made from the program
	cargo run --quiet -- generate introspection packaging/dbus-1/interfaces
	cargo run --quiet -- generate reference docs
	cargo run --quiet -- generate schema packaging/config
	cargo run --quiet -- generate example packaging/config

ready: ## install what the other targets need
	@tests/clock ready
	@missing=; for package in $(PACKAGES); do \
		dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then apt-get update -qq || true; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	@command -v cargo >/dev/null || { echo "cargo is not in PATH; install Rust 1.95 (rustup)" >&2; exit 1; }

clean: ## remove what was built here (not the node's cache)
	rm -rf target dist

.PHONY: help demo test test-all lint unit package check-package node test-node documents ready clean
