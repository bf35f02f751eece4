# SPDX-License-Identifier: GPL-2.0
#
# The main entry point. Targets create what they need in a cache outside the clone.

# A kernel of the archive: stock is the newest, 7.2 the newest of a series, or a release as
# uname -r prints it. debug is our own build of the newest source. Tests run on both unless one is
# selected.
TESTED := $(or $(KERNEL),stock debug)
# bench is our own build, too, without debug options.
BENCHED := $(or $(KERNEL),stock bench)
# Install for the running kernel by default.
INSTALLED := $(or $(KERNEL),$(shell uname -r))
KERNEL ?= stock
SAMPLE ?= cpumask_walk syscall_count psi_top

SAMPLES := $(notdir $(wildcard samples/*))
unknown := $(filter-out $(SAMPLES),$(SAMPLE))
$(if $(unknown),$(error there is no sample '$(unknown)': there are $(SAMPLES)))

$(if $(LISTING),$(if $(filter-out stock,$(KERNEL)),$(error the listing is of the stock kernel's module, not of KERNEL=$(KERNEL))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test soak check coverage bench doc rustdoc rust-analyzer root module tools percpuctl install uninstall sign deb clean

# $(call build,PROGRAM...): some of the programs for user space. With the workspace's features of what they
# share, so that what they need is built once.
define build
BPF_PERCPU_VMLINUX=/src/build/$(KERNEL) scripts/cargo build --release --workspace $(addprefix --bin=,$1)
mkdir -p build/bin
ln -f $(addprefix build/cargo/release/,$1) build/bin/
endef

help: ## list the targets
	@echo 'bpf_percpu: make TARGET [KERNEL=stock | debug | bench | a series like 7.2 | $$(uname -r)]'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 16

run: module ## boot the stock kernel, load the module, run SAMPLE='NAME...' (samples/)
	$(call build,percpuctl $(SAMPLE))
	scripts/vm --kernel $(KERNEL) --check-log $(SAMPLE:%=--file build/bin/%) -- \
		"uname -r; lsmod; $$(cat $(SAMPLE:%=samples/%/demo.sh))"

test: ## run all tests, or SUITES='NAME NAME/WHERE...', or their cases with CASE in the name
	tests/run $(TESTED)

soak: ## run what can take long for long: stress, random programs, damaged objects
	tests/run --soak $(TESTED)

check: module ## check format, lints and docs
	scripts/check $(TESTED)

coverage: module ## measure which lines of tools and samples the unit tests execute, and test targets SUITES='NAME...'
	scripts/coverage $(KERNEL)

bench: module tools ## compare the module with its alternatives; LISTING=1: write Documentation/kfunc_code.txt
ifdef LISTING
	scripts/in-root build/bin/bench listing build/stock/bpf_percpu.ko >build/kfunc_code.txt
	mv build/kfunc_code.txt Documentation/
else
	bench/run $(BENCHED)
endif

doc: ## write build/doc: the documentation as HTML
	scripts/doc

rustdoc: ## write build/rustdoc: documentation of the module's crate
	scripts/doc --rustdoc $(KERNEL)

rust-analyzer: module ## write build/rust-project.json, which tells editors how the module is built
	scripts/rust-analyzer $(KERNEL)

root: ## create the root with toolchain and kernel; other targets do this when it is missing
	scripts/root $(KERNEL)

module: ## build build/$(KERNEL)/bpf_percpu.ko
	scripts/module $(KERNEL)

tools: module ## build the programs for user space into build/bin
	BPF_PERCPU_VMLINUX=/src/build/$(KERNEL) scripts/cargo build --release --workspace
	mkdir -p build/bin
	for dir in bench samples/* tools/*; do [ ! -f $$dir/src/main.rs ] || ln -f build/cargo/release/$${dir##*/} build/bin/; done

# What is installed of the tools
percpuctl:
	$(call build,$@)

install: export KERNEL = $(INSTALLED)
install: module percpuctl ## install module, tools and headers; for the running KERNEL; PREFIX=/usr/local DESTDIR=, KEY and CERT
	scripts/install $(KERNEL)

uninstall: ## remove the installed files; needs the same PREFIX and DESTDIR
	scripts/install --remove

sign: export KERNEL = $(INSTALLED)
sign: module ## sign the module with KEY=FILE and its certificate CERT=FILE; for the running KERNEL
	scripts/sign $(KERNEL)

deb: ## build the Debian packages into build/deb
	scripts/deb

clean: ## remove the build output of the clone; the cache stays
	rm -rf build
