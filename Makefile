# SPDX-License-Identifier: MIT
#
# make demo     see it work: sets up what it needs, then shows varve draining a real server
# make test     sets up the rest and runs every test; ends with "N passed, N failed"
# make          build/varve, one static binary; `make V=1` shows the commands
# make install  PREFIX=/usr/local DESTDIR=
# make release  a tarball of the binary and what belongs to it, for hosts without a compiler: for
#               this machine and all others; MACHINES= for this one alone
# make deb      the same as a Debian package
# make dist     a source tarball that builds without a network
# make CROSS=aarch64|armv7|riscv64|i686|s390x
#               the same for another machine: build/MACHINE/varve
# make sim      10,000 simulated histories; SEED=n tells one of them
# make reproduced
#               build it in another folder, and compare; reproduced-all: for each machine
# make file-systems
#               drain to F2FS, FAT, exFAT, NFS and others in a guest with a kernel that has them
# make bench    what it costs beside others, one table; SCALE=0.1 ROUNDS=1 for a quick look
# make lint | unit | asan | tsan | fuzz | soak | clean

VERSION := 0.1.0
# The machine to build for: this one, or one of MACHINES.
CROSS ?=
MACHINES := aarch64 armv7 riscv64 i686 s390x
BUILD ?= build$(CROSS:%=/%)
PREFIX ?= /usr/local
DESTDIR ?=
# To work on a part while others don't compile: make unit FOLDERS='base nats' BUILD=/tmp/mine
FOLDERS ?= *
# The folders whose unit tests are linked: for other machines a choice of them is built in less time.
TESTED ?= $(FOLDERS)
# Seconds of CPU for each fuzz target; the widest get thrice as many.
FUZZ_SECONDS ?= 60
FUZZED_LONGER := nats_client payload verify

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
Q := $(if $(filter 1,$(V)),,@)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

include vendor/rules.mk

# ---- compilers -----------------------------------------------------------------------------------

# One compiler for all other machines, with musl in it, from the Python package index (pinned in
# tests/requirements.txt): `tools/setup cross` installs it.
ifeq ($(CROSS),)
TOOLS := build
# Else gcc names a header of vendor/ by its whole path where that is the shorter one, and what the
# debugger reads, whose checksum is in the binary, depends on how deep this folder lies.
MUSL_CC := musl-gcc -fno-canonical-system-headers
AR := ar
else
ifeq ($(filter $(CROSS),$(MACHINES)),)
$(error CROSS=$(CROSS) is none of $(MACHINES))
endif
TARGET_aarch64 := aarch64-linux-musl
TARGET_armv7 := arm-linux-musleabihf -mcpu=generic+v7a
TARGET_riscv64 := riscv64-linux-musl
TARGET_i686 := x86-linux-musl -mcpu=pentium4
TARGET_s390x := s390x-linux-musl
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/build/zig
export ZIG_LOCAL_CACHE_DIR := $(CURDIR)/build/zig
TOOLS := cross
ZIG := $(firstword $(wildcard build/venv/lib/python3*/site-packages/ziglang/zig))
MUSL_CC := $(ZIG) cc -target $(TARGET_$(CROSS))
AR := $(ZIG) ar
endif

# ---- sources -------------------------------------------------------------------------------------

MAIN := src/cli/main.c
SOURCES := $(filter-out $(MAIN),$(sort $(foreach f,$(FOLDERS),$(wildcard src/$(f)/*.c src/$(f)/*/*.c))))
HEADERS := $(sort $(wildcard src/*/*.h src/*/*/*.h))
TESTS := $(sort $(filter-out %_test.c,$(wildcard tests/unit/*.c tests/bucket/*.c)) \
    $(foreach f,$(TESTED),$(wildcard tests/unit/$(f)_*_test.c)) \
    $(if $(filter *,$(TESTED)),$(wildcard tests/fake/*.c)))
LOADER := $(wildcard tools/gen.c tools/gen/*.c)
# Programs that the tests run: build/interop/NAME from tests/interop/NAME.c, and so on.
PROGRAMS := $(patsubst tests/%.c,%,$(wildcard $(addprefix tests/,bench/*.c fault/*.c interop/*.c watch/*.c)))
# The simulation of tests/sim, one program.
SIM := $(wildcard tests/sim/*.c tests/bucket/*.c)
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))

GEN := $(BUILD)/gen
PROTOS := $(patsubst proto/%.proto,$(GEN)/%.pb-c,$(wildcard proto/*.proto))
GENERATED := $(GEN)/version.c $(GEN)/licenses.c $(GEN)/embedded.c $(GEN)/simulation.c $(PROTOS:=.c)

# ---- flags ---------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
    -Wformat=2 -Wswitch-enum $(if $(filter 1,$(WERROR)),-Werror)
INCLUDES := -Isrc -I$(GEN) $(VENDOR_INCLUDES)
CFLAGS ?= -O2 -g
# Only what is used is linked, and the binary does not depend on the folder that it is built in.
ALL_CFLAGS := -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=.
OUR_CFLAGS = -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(INCLUDES) $(ALL_CFLAGS) -pthread
GENERATED_CFLAGS := -std=c11 -O2 -g -w $(INCLUDES) $(ALL_CFLAGS)

# ---- one set of objects for each way to compile: $(BUILD)/obj/VARIANT/ ---------------------------

# What each source file is compiled to.
objects = $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(basename $(2)))
generated_objects = $(patsubst $(GEN)/%.c,$(BUILD)/obj/$(1)/gen/%.o,$(GENERATED))
# All of varve but main(), and what it links in.
library = $(BUILD)/obj/$(1)/libvarve.a $(BUILD)/obj/$(1)/libvendor.a

# $(call variant,NAME,COMPILER,FLAGS FOR ALL,FLAGS FOR OURS,LINKER FLAGS)
define variant
$(BUILD)/obj/$(1)/vendor/%.o: vendor/%.c Makefile vendor/rules.mk $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $(VENDOR_CFLAGS) $$(VENDOR_CFLAGS_$$(word 2,$$(subst /, ,$$<))) $(ALL_CFLAGS) $(3) \
	    -c -o $$@ $$<

$(BUILD)/obj/$(1)/vendor/%.o: vendor/%.S Makefile $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,AS,$$@)
	$(Q)$(2) $(ALL_CFLAGS) $(3) -c -o $$@ $$<

$(BUILD)/obj/$(1)/gen/%.o: $(GEN)/%.c Makefile $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $(GENERATED_CFLAGS) $(3) -c -o $$@ $$<

$(BUILD)/obj/$(1)/%.o: %.c Makefile vendor/rules.mk $(BUILD)/vendor.stamp | $(PROTOS:=.h)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $$(OUR_CFLAGS) $(3) $(4) -MMD -MP -c -o $$@ $$<

$(BUILD)/obj/$(1)/libvarve.a: $$(call objects,$(1),$(SOURCES)) $$(call generated_objects,$(1))
$(BUILD)/obj/$(1)/libvendor.a: $$(call objects,$(1),$(VENDOR_SOURCES))
$(BUILD)/obj/$(1)/libvarve.a $(BUILD)/obj/$(1)/libvendor.a:
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $(AR) rcs $$@ $$^

link_$(1) = $(2) $(CFLAGS) $(3) $(4) -pthread -Wl,--gc-sections $(5)
-include $$(patsubst %.o,%.d,$$(filter $(BUILD)/obj/$(1)/%,\
    $$(call objects,$(1),$(SOURCES) $(MAIN) $(TESTS) $(LOADER) $(SIM) $(PROGRAMS:%=tests/%.c) $(FUZZERS:%=tests/fuzz/%_fuzz.c))))
endef

say = @$(if $(filter 1,$(V))$(findstring s,$(firstword -$(MAKEFLAGS))),:,echo "  $(1)      $(patsubst $(BUILD)/%,%,$(2))")

ASAN := -fsanitize=address -fno-omit-frame-pointer
UBSAN := -fsanitize=undefined -fno-sanitize-recover=all
# What an attacker who can write somewhere meets: addresses that differ in each process (musl-gcc has
# no -static-pie of its own), tables that can't be written after the start, guards on the stack.
# tools/hardened looks whether the binary has it. musl has no _FORTIFY_SOURCE, and its own objects
# lack the marks of CET and BTI without which the linker drops those of ours.
GUARDS := -fstack-protector-strong -fPIE
# Nothing is thrown in C: the tables for that, an eighth of the binary, are left to the debugger's.
GUARDS += -fno-asynchronous-unwind-tables -fno-unwind-tables
# The compiler for other machines knows no such probes for armv7.
GUARDS += $(if $(filter armv7,$(CROSS)),,-fstack-clash-protection)
ifeq ($(CROSS),)
MUSL_LIB := $(dir $(firstword $(wildcard /usr/lib/*-linux-musl/rcrt1.o /usr/lib/musl/lib/rcrt1.o /usr/lib/rcrt1.o)))
STATIC := -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,-z,noexecstack \
    $(addprefix $(MUSL_LIB),rcrt1.o crti.o) $(shell gcc -print-file-name=crtbeginS.o)
STATIC_END := $(shell gcc -print-file-name=crtendS.o) $(MUSL_LIB)crtn.o
else
# The tests need no symbols, and are built for each machine each time.
$(BUILD)/obj/musl/tests/unit/%.o: CFLAGS := -O1
# The code of s390x is a third larger, that of i686 somewhat: to stay below SIZE_MAX all but base and
# parquet is built for size there.
ifneq ($(filter $(CROSS),i686 s390x),)
SMALL := $(filter-out base parquet,$(patsubst src/%/,%,$(wildcard src/*/)))
$(SMALL:%=$(BUILD)/obj/musl/src/%/%.o): CFLAGS := -Os -g
endif
STATIC := -static -pie -Wl,-z,relro,-z,now,-z,noexecstack
endif
$(eval $(call variant,musl,$(MUSL_CC),$(GUARDS),,$(STATIC)))
$(eval $(call variant,asan,gcc,$(ASAN),$(UBSAN),))
$(eval $(call variant,tsan,gcc,-fsanitize=thread,,))
$(eval $(call variant,fuzz,clang,$(ASAN) -fsanitize=fuzzer-no-link,$(UBSAN),))

# ---- what is built -------------------------------------------------------------------------------

.PHONY: all programs
all: $(BUILD)/varve

programs: $(BUILD)/varve $(BUILD)/varve-gen $(BUILD)/varve-fault $(BUILD)/varve-sim \
    $(PROGRAMS:%=$(BUILD)/%)

# A debugger finds the symbols beside the binary. (Not for other machines: the link has a checksum of
# the symbols, in which paths of the compiler's own cache would keep two builds from being equal.)
$(BUILD)/varve: $(BUILD)/varve.debug
	$(Q)$(if $(CROSS),llvm-objcopy --strip-all,objcopy --strip-all --add-gnu-debuglink=$<) $< $@

$(BUILD)/varve.debug: $(call objects,musl,$(MAIN)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

$(BUILD)/varve-gen: $(call objects,musl,$(LOADER)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

# For tests/fault: varve with faults on demand (src/object/fault.h). It takes the one object that
# differs before the library's.
FAULTY := $(BUILD)/obj/fault/fault.o

$(FAULTY): src/object/fault.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(MUSL_CC) $(OUR_CFLAGS) $(GUARDS) -DVARVE_FAULT_INJECTION -c -o $@ $<

$(BUILD)/varve-fault: $(call objects,musl,$(MAIN)) $(FAULTY) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

$(BUILD)/varve-sim: $(call objects,musl,$(SIM)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

$(BUILD)/varve-sim-asan: $(call objects,asan,$(SIM)) $(call library,asan)
	$(call say,LINK,$@)
	$(Q)$(link_asan) -o $@ $^

$(BUILD)/unit-tests: $(call objects,musl,$(TESTS)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

$(BUILD)/unit-tests-asan: $(call objects,asan,$(TESTS)) $(call library,asan)
	$(call say,LINK,$@)
	$(Q)$(link_asan) -o $@ $^

$(BUILD)/unit-tests-tsan: $(call objects,tsan,$(TESTS)) $(call library,tsan)
	$(call say,LINK,$@)
	$(Q)$(link_tsan) -o $@ $^

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/obj/musl/tests/%.o $(call library,musl)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^ $(STATIC_END)

$(FUZZERS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/tests/fuzz/%_fuzz.o \
        $(call library,fuzz)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(link_fuzz) -fsanitize=fuzzer -o $@ $^

$(VENDOR_SOURCES): | $(BUILD)/vendor.stamp ;

# The tools that the build needs are there, and the pinned sources lie unpacked in vendor/.
$(BUILD)/vendor.stamp: vendor/sources.lock tools/vendor
	@mkdir -p $(@D)
	$(Q)tools/setup --check $(TOOLS)
	$(Q)tools/vendor
	@touch $@

$(PROTOS:=.h): %.h: %.c ;

$(PROTOS:=.c): $(GEN)/%.pb-c.c: proto/%.proto $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,PROTO,$@)
	$(Q)protoc --proto_path=proto --c_out=$(GEN) $<

$(GEN)/licenses.c: LICENSE tools/licenses $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)tools/licenses --names >$@

$(GEN)/licenses.txt: LICENSE tools/licenses $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)tools/licenses >$@

# What of the tree is part of the binary.
EMBEDDED := $(wildcard tools/share/doc/*.md src/watch/page/*) $(GEN)/licenses.txt
$(GEN)/embedded.c: $(EMBEDDED) tools/embed
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)tools/embed $(EMBEDDED) >$@

# The types of the simulation's own messages, as a descriptor set.
$(GEN)/simulation.c: proto/agent.proto $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)protoc --proto_path=proto --include_imports --descriptor_set_out=$(GEN)/simulation.binpb $<
	$(Q){ echo '#include "base/embedded.h"' && echo 'const unsigned char simulation_types[] = {' && \
	    od -An -v -t u1 $(GEN)/simulation.binpb | sed 's/ *\([0-9]\{1,\}\)/\1,/g' && echo '};' && \
	    echo 'const unsigned simulation_types_bytes = sizeof(simulation_types);'; } >$@

# Asked each time, written only when the answer is new.
$(GEN)/version.c: FORCE
	@mkdir -p $(@D)
	$(Q)tools/version $(VERSION) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

.PHONY: FORCE
FORCE:

.PHONY: clean
clean:
	rm -rf $(BUILD)

# ---- installing and packing ----------------------------------------------------------------------

SHARE := $(shell test -d tools/share && find tools/share -type f)

.PHONY: install
install: $(BUILD)/varve
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/varve
	$(Q)for file in $(SHARE); do tools/install "$$file" "$(DESTDIR)" "$(PREFIX)"; done
	$(Q)for kind in spdx cyclonedx; do \
	    tools/sbom $$kind $(VERSION) >"$(DESTDIR)$(PREFIX)/share/varve/varve.$$kind.json"; done

# Bring what tools/share/ says about the keys of the configuration up to date.
.PHONY: share
share: $(BUILD)/watch/keys
	$(Q)tools/share-keys $(abspath $<)

# What is committed, the pinned sources, and the name of the commit. Who builds from it needs the
# tools (tools/setup --check build), but no network.
DIST := varve-$(VERSION)

.PHONY: dist
dist: $(BUILD)/vendor.stamp
	$(Q)rm -rf $(BUILD)/dist && mkdir -p $(BUILD)/dist
	$(Q)git archive --prefix=$(DIST)/ HEAD | tar -x -C $(BUILD)/dist
	$(Q)git rev-parse --short=12 HEAD >$(BUILD)/dist/$(DIST)/BUILD
	$(Q)for kind in spdx cyclonedx; do \
	    tools/sbom $$kind $(VERSION) >$(BUILD)/dist/$(DIST)/varve.$$kind.json; done
	$(Q)cp $$(tools/vendor files) $(BUILD)/dist/$(DIST)/vendor/
	$(Q)tar -C $(BUILD)/dist --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
	    --mtime=@$$(git log -1 --format=%ct) -c $(DIST) | gzip -9n >$(BUILD)/$(DIST).tar.gz
	@echo $(BUILD)/$(DIST).tar.gz

# For a host without a compiler: the static binary and what is installed beside it, with a checksum.
# The same commit makes the same bytes.
RELEASE := varve-$(VERSION)-$(or $(CROSS),$(shell uname -m))-linux

.PHONY: release package
release: package
ifeq ($(CROSS),)
	$(Q)set -e; for machine in $(MACHINES); do \
	    $(MAKE) --no-print-directory -s CROSS=$$machine package; done
endif

package: $(BUILD)/varve
	$(Q)rm -rf $(BUILD)/release && mkdir -p $(BUILD)/release/$(RELEASE)
	$(Q)$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(BUILD)/release/root) \
	    PREFIX=/usr/local >/dev/null
	$(Q)mv $(BUILD)/release/root/usr/local/* $(BUILD)/release/$(RELEASE)
	$(Q)cp LICENSE README.md $(BUILD)/release/$(RELEASE)
	$(Q)tar -C $(BUILD)/release --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
	    --mtime=@$$(git log -1 --format=%ct) -c $(RELEASE) | gzip -9n >$(BUILD)/$(RELEASE).tar.gz
	$(Q)cd $(BUILD) && sha256sum $(RELEASE).tar.gz >$(RELEASE).tar.gz.sha256
	@echo $(BUILD)/$(RELEASE).tar.gz

# The same as a Debian package, with a user and the configuration in /etc/varve.
DEB_amd64 := x86_64
DEB_arm64 := aarch64
DEB_armhf := armv7 armv7l
DEB_riscv64 := riscv64
DEB_i386 := i686
DEB_s390x := s390x
DEB_MACHINE := $(or $(CROSS),$(shell uname -m))
DEB_ARCHITECTURE := $(strip $(foreach a,amd64 arm64 armhf riscv64 i386 s390x,\
    $(if $(filter $(DEB_MACHINE),$(DEB_$(a))),$(a))))

.PHONY: deb
deb: $(BUILD)/varve
	$(Q)rm -rf $(BUILD)/deb
	$(Q)$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(BUILD)/deb) PREFIX=/usr >/dev/null
	$(Q)tools/deb $(abspath $(BUILD)/deb) $(VERSION) $(DEB_ARCHITECTURE) \
	    $(BUILD)/varve_$(VERSION)_$(DEB_ARCHITECTURE).deb

# The binary is the same bytes, whatever folder it was built in.
.PHONY: reproduced
reproduced: $(BUILD)/varve
	tools/reproduced $< $(CROSS)

.PHONY: reproduced-all
reproduced-all: reproduced
	$(Q)set -e; for machine in $(MACHINES); do \
	    $(MAKE) --no-print-directory -s CROSS=$$machine reproduced; done

# ---- tests ---------------------------------------------------------------------------------------

# `make unit ONLY="parse_ queue_"` runs the tests whose names begin so.
.PHONY: unit asan tsan
unit: $(BUILD)/unit-tests
	$(Q)$< $(ONLY)

# The time limit of a test allows for what these cost.
asan: $(BUILD)/unit-tests-asan
	$(Q)TEST_SECONDS=300 $< $(ONLY)

tsan: $(BUILD)/unit-tests-tsan
	$(Q)TEST_SECONDS=300 $< $(ONLY)

# All of varve in a simulated world (tests/sim): histories 1 to HISTORIES, or one of them with all
# that happens in it.
HISTORIES ?= 10000
FIRST ?= 1

.PHONY: sim
sim: $(BUILD)/varve-sim
	$(Q)$< $(if $(SEED),replay $(SEED),run $(FIRST) $(HISTORIES) $(shell nproc))

# All of it for other machines, under emulation (tests/machines).
.PHONY: machines
machines: setup-test
	$(Q)VARVE_MACHINES="$(MACHINES)" build/venv/bin/pytest -q tests/machines

# On the file systems of Debian's kernel and on NFS, in a guest (tests/fault/guest.py).
.PHONY: file-systems
file-systems: setup-test setup-guest
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)build/venv/bin/python tests/fault/guest.py

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/%)

# It ends with a table of what each target executed and reached.
fuzz_time = $(1)=$(if $(filter $(1),$(FUZZED_LONGER)),$(shell expr 3 '*' $(FUZZ_SECONDS)),$(FUZZ_SECONDS))
fuzz: fuzzers
	tools/fuzz --build=$(BUILD) $(foreach f,$(FUZZERS),$(call fuzz_time,$(f)))

.PHONY: $(FUZZERS:%=fuzz-%)
$(FUZZERS:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/%
	tools/fuzz --build=$(BUILD) $(call fuzz_time,$*)

# ---- lint ----------------------------------------------------------------------------------------

FORMATTED := $(HEADERS) $(SOURCES) $(MAIN) $(wildcard tests/*/*.[ch] tools/*.[ch] tools/*/*.[ch])
SCRIPTS := $(shell grep -lE '^\#!/bin/(ba)?sh' tools/* tests/*/* .ci/* 2>/dev/null)
PYTHON_SCRIPTS := $(shell grep -lE '^\#!/usr/bin/env python3' tools/* 2>/dev/null)

.PHONY: lint lint-hardened lint-layers lint-format lint-dialect lint-scripts lint-warnings lint-tidy
lint: lint-hardened lint-layers lint-format lint-dialect lint-scripts lint-warnings lint-tidy

lint-layers:
	$(call say,LAYERS,src)
	$(Q)awk -f tools/layers.awk src/README.md $(HEADERS) $(SOURCES) $(MAIN)

# See GUARDS; and people copy it to small hosts. tests/machines has the same limit for the others.
SIZE_MAX := 2097152
lint-hardened: $(BUILD)/varve
	$(call say,GUARDS,$<)
	$(Q)tools/hardened $< $<.debug
	$(Q)test $$(stat -c %s $<) -le $(SIZE_MAX) || { echo "$< is larger than $(SIZE_MAX) bytes"; exit 1; }

lint-format:
	$(call say,FORMAT,src tests tools)
	$(Q)build/venv/bin/clang-format --dry-run -Werror $(FORMATTED)

# What the text shows, and then what takes a parser to see.
lint-dialect: $(patsubst %,$(BUILD)/dialect/%,$(filter %.c,$(FORMATTED)))
	$(call say,DIALECT,src tests tools)
	$(Q)awk -f tools/dialect.awk $(FORMATTED)

$(BUILD)/dialect/%: % tools/pointers.awk $(HEADERS) $(BUILD)/vendor.stamp | $(PROTOS:=.h)
	@mkdir -p $(@D)
	$(Q)clang $(OUR_CFLAGS) -w -fsyntax-only -Xclang -ast-dump -fno-color-diagnostics $< >$@.tree
	$(Q)awk -f tools/pointers.awk $@.tree && rm $@.tree && touch $@

lint-scripts:
	$(call say,SCRIPTS,tools tests)
	$(Q)shellcheck $(SCRIPTS)
	$(Q)build/venv/bin/ruff check --quiet --isolated --no-cache --select E4,E7,E9,F,B \
	    tests $(PYTHON_SCRIPTS)

# A build of its own, since a warning comes only when its file is compiled.
lint-warnings:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/lint WERROR=1 \
	    programs $(BUILD)/lint/unit-tests

TIDIED := $(MAIN) $(SOURCES) $(LOADER)
lint-tidy: $(TIDIED:%=$(BUILD)/tidy/%)

$(BUILD)/tidy/%: % .clang-tidy tools/tidy.h $(HEADERS) $(BUILD)/vendor.stamp \
        | $(PROTOS:=.h)
	@mkdir -p $(@D)
	$(call say,TIDY,$*)
	$(Q)clang-tidy --quiet $< -- $(OUR_CFLAGS) \
	    $(if $(filter src/base/err.c,$<),,-include tools/tidy.h) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# ---- setting up, and what needs it ---------------------------------------------------------------

.PHONY: setup-bench setup-build setup-demo setup-guest setup-lint setup-test
setup-bench setup-build setup-demo setup-guest setup-lint setup-test: setup-%:
	$(Q)tools/setup $*

.PHONY: demo test bench soak
demo: setup-demo
	$(Q)$(MAKE) --no-print-directory $(BUILD)/varve $(BUILD)/varve-gen
	$(Q)tools/demo

test: setup-test
	$(Q)tools/run-tests

setup-bench: setup-test # which it adds to
bench: setup-bench
soak: setup-test
# Of all that is measured, and how often: tests/bench/bench.py.
SCALE := 1
ROUNDS := 5
bench:
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)build/venv/bin/python tests/bench/bench.py --scale $(SCALE) --rounds $(ROUNDS)
soak:
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)tests/soak/run
