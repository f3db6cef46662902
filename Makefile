# SPDX-License-Identifier: MIT
#
# make demo     see it work: sets up what it needs, then shows varve draining a real server
# make test     sets up the rest and runs every test; ends with "N passed, N failed"
# make          build/varve, one static binary; `make V=1` shows the commands
# make install  PREFIX=/usr/local DESTDIR=
# make dist     a source tarball that builds without a network
# make lint | unit | asan | tsan | fuzz | bench | soak | clean

VERSION := 0.1.0
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
# To work on a part while others don't compile: make unit FOLDERS='base nats' BUILD=/tmp/mine
FOLDERS ?= *
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 300

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
Q := $(if $(filter 1,$(V)),,@)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

include vendor/rules.mk

# ---- sources -------------------------------------------------------------------------------------

MAIN := src/cli/main.c
SOURCES := $(filter-out $(MAIN),$(sort $(foreach f,$(FOLDERS),$(wildcard src/$(f)/*.c))))
TESTS := $(sort tests/unit/harness.c \
    $(foreach f,$(FOLDERS),$(wildcard tests/unit/$(f)_*_test.c)) $(wildcard tests/fake/*.c))
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))

GEN := $(BUILD)/gen
PROTOS := $(patsubst proto/%.proto,$(GEN)/%.pb-c,$(wildcard proto/*.proto))
GENERATED := $(GEN)/version.c $(GEN)/licenses.c $(PROTOS:=.c)

# ---- flags ---------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
    -Wformat=2 -Wswitch-enum $(if $(filter 1,$(WERROR)),-Werror)
INCLUDES := -Isrc -Itests -I$(GEN) $(VENDOR_INCLUDES)
CFLAGS ?= -O2 -g
OUR_CFLAGS = -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) $(INCLUDES) -ffunction-sections \
    -fdata-sections -fno-strict-aliasing -pthread -MMD -MP
GENERATED_CFLAGS := -std=c11 -O2 -g -w $(INCLUDES)

# ---- one set of objects for each way to compile: $(BUILD)/obj/VARIANT/ ---------------------------

# What each source file is compiled to.
objects = $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(basename $(2)))
generated_objects = $(patsubst $(GEN)/%.c,$(BUILD)/obj/$(1)/gen/%.o,$(GENERATED))
# All of varve but main().
library = $(call objects,$(1),$(SOURCES)) $(call generated_objects,$(1)) \
    $(call objects,$(1),$(VENDOR_SOURCES))

# $(call variant,NAME,COMPILER,FLAGS FOR ALL,FLAGS FOR OURS,LINKER FLAGS)
define variant
$(BUILD)/obj/$(1)/vendor/%.o: vendor/%.c $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $(VENDOR_CFLAGS) $(3) -c -o $$@ $$<

$(BUILD)/obj/$(1)/vendor/%.o: vendor/%.S $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,AS,$$@)
	$(Q)$(2) $(3) -c -o $$@ $$<

$(BUILD)/obj/$(1)/gen/%.o: $(GEN)/%.c $(BUILD)/vendor.stamp
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $(GENERATED_CFLAGS) $(3) -c -o $$@ $$<

$(BUILD)/obj/$(1)/%.o: %.c Makefile vendor/rules.mk $(BUILD)/vendor.stamp | $(PROTOS:=.h)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(2) $$(OUR_CFLAGS) $(3) $(4) -c -o $$@ $$<

link_$(1) = $(2) $(CFLAGS) $(3) $(4) -pthread -Wl,--gc-sections $(5)
-include $$(patsubst %.o,%.d,$$(filter $(BUILD)/obj/$(1)/%,\
    $$(call objects,$(1),$(SOURCES) $(MAIN) $(TESTS) tools/gen.c $(wildcard tests/fuzz/*.c))))
endef

say = @$(if $(filter 1,$(V)),:,echo "  $(1)      $(patsubst $(BUILD)/%,%,$(2))")

ASAN := -fsanitize=address -fno-omit-frame-pointer
UBSAN := -fsanitize=undefined -fno-sanitize-recover=all
$(eval $(call variant,musl,musl-gcc,,,-static))
$(eval $(call variant,asan,gcc,$(ASAN),$(UBSAN),))
$(eval $(call variant,tsan,gcc,-fsanitize=thread,,))
$(eval $(call variant,fuzz,clang,$(ASAN) -fsanitize=fuzzer-no-link,$(UBSAN),))

# ---- what is built -------------------------------------------------------------------------------

.PHONY: all
all: $(BUILD)/varve

$(BUILD)/varve: $(call objects,musl,$(MAIN)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^

$(BUILD)/varve-gen: $(call objects,musl,tools/gen.c) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^

$(BUILD)/unit-tests: $(call objects,musl,$(TESTS)) $(call library,musl)
	$(call say,LINK,$@)
	$(Q)$(link_musl) -o $@ $^

$(BUILD)/unit-tests-asan: $(call objects,asan,$(TESTS)) $(call library,asan)
	$(call say,LINK,$@)
	$(Q)$(link_asan) -o $@ $^

$(BUILD)/unit-tests-tsan: $(call objects,tsan,$(TESTS)) $(call library,tsan)
	$(call say,LINK,$@)
	$(Q)$(link_tsan) -o $@ $^

$(FUZZERS:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/tests/fuzz/%_fuzz.o \
        $(call library,fuzz)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(link_fuzz) -fsanitize=fuzzer -o $@ $^

# The tools that the build needs are there, and the pinned sources lie unpacked in vendor/.
$(BUILD)/vendor.stamp: vendor/sources.lock tools/vendor
	@mkdir -p $(@D)
	$(Q)tools/setup --check build
	$(Q)tools/vendor
	@touch $@

$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h: proto/%.proto $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,PROTO,$@)
	$(Q)protoc --proto_path=proto --c_out=$(GEN) $<

$(GEN)/licenses.c: LICENSE tools/licenses $(BUILD)/vendor.stamp
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)tools/licenses >$@

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

# ---- tests ---------------------------------------------------------------------------------------

.PHONY: unit asan tsan
unit: $(BUILD)/unit-tests
	$(Q)$(BUILD)/unit-tests $(ONLY)

asan: $(BUILD)/unit-tests-asan
	$(Q)$(BUILD)/unit-tests-asan $(ONLY)

tsan: $(BUILD)/unit-tests-tsan
	$(Q)$(BUILD)/unit-tests-tsan $(ONLY)
