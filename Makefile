# A thin front for Meson and the scripts; each target says in one line what it does.
BUILD ?= build
PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
BENCH_SIZE ?= 1G
BENCH_LARGE ?= 5G
BENCH_MORE ?=

.PHONY: all deps demo test check format coverage fuzz fault bench soak scale mutate interop deb install clean help

all: $(BUILD)/build.ninja        ## build $(BUILD)/waybill
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

deps:                            ## install what the build needs (Debian; root or sudo)
	scripts/install-deps.sh build console

demo: deps                       ## two gateways exchange files over TLS on this machine
	$(MAKE) all
	WAYBILL_BINARY=$(BUILD)/waybill scripts/demo.sh

test:                            ## everything: unit, replay, integration, fault, sanitizers, checks
	scripts/install-deps.sh build console browser test check
	$(PYTHON) scripts/run-tests.py

check:                           ## format, folder rule, warnings, checklist, paths
	scripts/install-deps.sh build test check
	$(PYTHON) scripts/run-tests.py build checks

format:                          ## lay out all C files with clang-format
	scripts/install-deps.sh check
	scripts/check-format.sh --fix

coverage:                        ## lines and branches that tests run; writes docs/coverage.md
	scripts/install-deps.sh build test coverage
	$(PYTHON) scripts/coverage.py

fuzz:                            ## run each fuzz target for FUZZ_SECONDS
	scripts/install-deps.sh build fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzz.sh

fault:                           ## fail every system call of a scripted run, cut the power at every sync
	scripts/install-deps.sh build test
	$(MAKE) all
	WAYBILL_FAULTS=all WAYBILL_BINARY=$(BUILD)/waybill $(PYTHON) -m pytest -q -s tests/fault

bench: deps                      ## measure against the limits of this machine; writes docs/benchmarks.md
	$(MAKE) all
	WAYBILL_BINARY=$(BUILD)/waybill $(PYTHON) bench/run.py --size $(BENCH_SIZE) --large $(BENCH_LARGE) $(BENCH_MORE)

mutate:                          ## put deliberate faults into a copy, one by one: a test must notice each
	scripts/install-deps.sh build test
	$(PYTHON) tests/mutation/run.py

soak: deps                       ## two gateways trade for SOAK_MINUTES; books must balance, nothing grow
	scripts/install-deps.sh soak
	$(MAKE) all
	WAYBILL_BINARY=$(abspath $(BUILD)/waybill) $(PYTHON) tests/soak/run.py

scale: deps                      ## thousands of connections, fairness, floods: figures in build/scale
	$(MAKE) all
	WAYBILL_BINARY=$(abspath $(BUILD)/waybill) $(PYTHON) tests/scale/run.py

interop:                         ## exchange messages with other people's programs; writes docs/interop.md
	scripts/install-deps.sh build test interop
	$(MAKE) all
	WAYBILL_BINARY=$(BUILD)/waybill $(PYTHON) tests/interop/run.py

deb: deps                        ## make the Debian package build/waybill_VERSION_ARCH.deb
	$(MAKE) all
	scripts/make-deb.sh $(BUILD)

install: all                     ## install (DESTDIR and meson's prefix apply)
	meson install -C $(BUILD) --no-rebuild

clean:                           ## remove all build directories
	rm -rf build build-asan build-tsan build-coverage build-fuzz

help:                            ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
