# SPDX-License-Identifier: MIT
# A list of targets; what takes more than a line lives in tools/. `make help` names them.

SMP      = 4
MEM      = 256M
CPU      = max
MACHINE  = q35
FIRMWARE = bios
NET      = none
SCREEN   = none
CMDLINE  =
QEMU     = qemu-system-x86_64
DEV      =
YES      =
T        =
V        =
# What the archive has in place of the programs of user/: a list of their names, or of files.
APPS     =
# 1: the debug kernel, which checks the kernel's own rules while it runs.
DEBUG    =

PYTHON = /usr/bin/python3
NASM   = nasm
# A prefix such as x86_64-linux-gnu- for compiler, linker and strip.
CROSS_COMPILE =
LD    = $(CROSS_COMPILE)ld
AR    = $(CROSS_COMPILE)ar
STRIP = $(CROSS_COMPILE)strip
NM    = $(CROSS_COMPILE)nm
MUSL_CC = musl-gcc
ifneq ($(filter default undefined,$(origin CC)),) # undefined: make was called by make
CC = $(CROSS_COMPILE)gcc
endif

# One fixed date in every archive, so that the same sources give the same bytes.
SOURCE_DATE_EPOCH ?= 1704067200

DEBUG_KERNEL := $(if $(filter-out 0,$(DEBUG)),1,0)
B := build$(if $(filter 1,$(DEBUG_KERNEL)),/debug)
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $1")

# As they were typed: a dollar sign is the kernel's or pytest's, not make's.
override CMDLINE := $(value CMDLINE)
override T := $(value T)
override APPS := $(value APPS)

export BUILD = $(B)
export APPS STRIP SMP MEM CPU MACHINE FIRMWARE NET SCREEN CMDLINE QEMU DEV YES T V SOURCE_DATE_EPOCH
export PYTHONDONTWRITEBYTECODE = 1

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---- flags ---------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes \
	-Wmissing-declarations -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough
COMMON   := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -fno-common -fno-strict-aliasing \
	-fcf-protection=none -fno-asynchronous-unwind-tables -ffunction-sections $(WARNINGS)
# So that debug information does not depend on where the tree lies. The shell fills in the directory,
# whatever characters it has.
PREFIX_MAP := "-ffile-prefix-map=$$PWD=."

CFLAGS := $(COMMON) -mcmodel=kernel -mgeneral-regs-only -mno-red-zone -fno-omit-frame-pointer \
	-fstack-protector-strong -mstack-protector-guard=global -DCARILLON_DEBUG=$(DEBUG_KERNEL) \
	$(if $(filter 1,$(DEBUG_KERNEL)),-fno-optimize-sibling-calls) -Isrc -I$(B)/gen
ASFLAGS := -f elf64 -g -F dwarf -w+all -Werror -Isrc/ -I$(B)/gen/
LDFLAGS := -nostdlib -static -Wl,-T,linker.ld -Wl,--gc-sections \
	-Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--fatal-warnings

# Programs that are written in assembly, and the stubs.
USER_ASFLAGS := -f elf64 -g -F dwarf -w+all -Werror -I$(B)/gen/
USER_LDFLAGS := -static -e _start -z max-page-size=4096 -z noexecstack --gc-sections \
	--build-id=none --fatal-warnings
# Programs and libraries that are compiled with musl.
MUSL_CFLAGS  := -std=gnu17 -O2 -g $(WARNINGS)
SDK_CFLAGS   := $(MUSL_CFLAGS) -I$(B)/gen
GRUB_FONT    := /usr/share/grub/unicode.pf2
MUSL_INCLUDE := /usr/include/x86_64-linux-musl

# ---- sources -------------------------------------------------------------------------------------

KERNEL_C   := $(filter-out src/arch/x86_64/asm_offsets.c,$(sort $(shell find src -name '*.c')))
KERNEL_ASM := $(sort $(shell find src -name '*.asm'))
KERNEL_OBJ := $(KERNEL_C:%=$(B)/obj/%.o) $(KERNEL_ASM:%=$(B)/obj/%.o)

USER_C   := $(sort $(wildcard user/*.c))
USER_BIN := $(USER_C:user/%.c=$(B)/user/%)

GENERATED := $(addprefix $(B)/gen/,syscall_proto.h syscall_table.inc syscall_numbers.h \
	syscall_numbers.inc carillon_stubs.asm carillon_raw.h system-calls.md syscall_names.h)
GENERATED += $(addprefix $(B)/gen/,carillon.h carillon_lib.asm)
FONT      := $(B)/gen/font.inc
OFFSETS   := $(B)/gen/asm_offsets.inc

# The compiler for programs with a libc, musl's, and the folder sdk/ in which it finds its parts.
CARILLON_CC := $(B)/carillon-cc
SDK         := $(addprefix $(B)/sdk/,carillon.specs include/carillon.h lib/libcarillon.a)
SDK_C       := $(sort $(wildcard user/libcarillon/*.c))
SDK_ASM     := $(sort $(wildcard user/libcarillon/*.asm)) $(B)/gen/carillon_lib.asm

# ---- the tools that the asked-for targets need ---------------------------------------------------

# The groups of tools/packages.txt for each target; what is not named here only builds.
NEEDS_run    := build run
NEEDS_gdb    := build run gdb
# T=host and T=list alone do with less; the same words within a longer pick mean nothing.
LESS         := $(if $(filter 1,$(words $(T))),$(filter host list,$(T)))
NEEDS_test   := $(or $(LESS),build run test)
NEEDS_soak   := build run test
NEEDS_bench  := build run bench
NEEDS_models := models
NEEDS_check  := build check models
NEEDS_format := build check

GOALS := $(or $(MAKECMDGOALS),all)
NEEDS := $(sort $(foreach goal,$(GOALS),$(or $(NEEDS_$(goal)),build)))

.PHONY: need
need:
	@tools/deps --need $(NEEDS)

# ---- stamps: a stamp's file changes when its text does, and what depends on it is built anew -----

STAMP_kernel := $(CC) $(CFLAGS)
STAMP_asm    := $(NASM) $(ASFLAGS)
STAMP_link   := $(CC) $(LDFLAGS) $(KERNEL_OBJ)
STAMP_sdk    := $(AR) $(MUSL_CC) $(SDK_CFLAGS) $(USER_ASFLAGS) $(SDK_C) $(SDK_ASM)
STAMP_user   := $(MUSL_CC) $(MUSL_CFLAGS)
STAMP_initrd  = $(USER_BIN) $(SOURCE_DATE_EPOCH) $(APPS)
STAMP_iso     = $(CMDLINE)

define stamp_rule
ifneq ($$(file <$(B)/stamp/$1),$$(STAMP_$1))
$$(shell mkdir -p $(B)/stamp)
$$(file >$(B)/stamp/$1,$$(STAMP_$1))
endif
$(B)/stamp/$1:
	@mkdir -p $$(@D) && touch $$@
endef
STAMPED_GOALS := $(filter-out clean help deps,$(GOALS))
$(foreach s,kernel asm link user sdk initrd iso,$(if $(STAMPED_GOALS),$(eval $(call stamp_rule,$s))))

# ---- products ------------------------------------------------------------------------------------

.PHONY: all iso initrd run test soak models bench usb gdb format check deps clean help
all: $(B)/carillon.elf $(B)/initrd.tar $(B)/carillon.iso $(CARILLON_CC)
iso: $(B)/carillon.iso
initrd: $(B)/initrd.tar

# Linked twice: the second link adds the table of the first one's text symbols, behind all that the
# table describes, and the last line makes sure that nothing moved.
$(B)/carillon.elf: $(KERNEL_OBJ) $(B)/obj/symbols.o linker.ld $(B)/stamp/link | need
	$(call say,LINK    $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(KERNEL_OBJ) $(B)/obj/symbols.o
	$(Q)$(NM) $@ | tools/symbols --same-as $(B)/gen/symbols.asm

$(B)/gen/symbols.asm: $(KERNEL_OBJ) linker.ld tools/symbols $(B)/stamp/link | need
	$(call say,GEN     $@)
	$(Q)$(CC) $(LDFLAGS) -o $(B)/obj/first-link.elf $(KERNEL_OBJ)
	$(Q)$(NM) $(B)/obj/first-link.elf | tools/symbols > $@

$(B)/obj/symbols.o: $(B)/gen/symbols.asm $(B)/stamp/asm
	$(call say,NASM    $<)
	$(Q)$(NASM) $(ASFLAGS) -o $@ $<

# The files that APPS names by their paths. To make, ./test would be the target `test`.
APP_FILES := $(patsubst ./%,src/../%,$(wildcard $(foreach app,$(APPS),$(if $(findstring /,$(app)),$(app)))))

$(B)/initrd.tar: $(USER_BIN) $(APP_FILES) tools/mkinitrd $(B)/stamp/initrd | need
	$(call say,TAR     $@)
	$(Q)tools/mkinitrd $@ $(B)/user/init $(USER_BIN)

ISO_INPUTS := $(B)/carillon.elf $(B)/initrd.tar iso/grub.cfg.in tools/mkiso
$(B)/carillon.iso: $(ISO_INPUTS) $(B)/stamp/iso | need
	$(call say,ISO     $@)
	$(Q)tools/mkiso --output $@ --cmdline "$$CMDLINE"

# ---- how things are made -------------------------------------------------------------------------

$(B)/obj/src/%.c.o: src/%.c $(B)/stamp/kernel | $(GENERATED) $(FONT) need
	$(call say,CC      $<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PREFIX_MAP) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(B)/obj/src/%.asm.o: src/%.asm $(B)/stamp/asm $(OFFSETS) $(wildcard src/arch/x86_64/*.inc) $(B)/gen/syscall_numbers.inc | need
	$(call say,NASM    $<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(ASFLAGS) -MD $(@:.o=.d) -MP -MT $@ -o $@ $<

$(OFFSETS): src/arch/x86_64/asm_offsets.c tools/asm-offsets $(B)/stamp/kernel | $(GENERATED) need
	$(call say,GEN     $@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(PREFIX_MAP) -MMD -MP -MF $@.d -MT $@ -S -o $(B)/gen/asm_offsets.s $<
	$(Q)tools/asm-offsets $(B)/gen/asm_offsets.s $@

$(GENERATED) &: src/syscall/syscalls.tbl src/lib/errno.h tools/gen-syscalls | need
	$(call say,GEN     $(B)/gen from $<)
	@mkdir -p $(B)/gen
	$(Q)echo '#include <asm/unistd_64.h>' | $(CC) -E -dM - > $(B)/gen/linux_numbers.txt
	$(Q)tools/gen-syscalls --errno src/lib/errno.h --linux $(B)/gen/linux_numbers.txt \
		--output $(B)/gen $<

$(GENERATED): user/libcarillon/later.tbl

# The screen's font is one that GRUB brings.
$(FONT): tools/mkfont | need
	$(call say,FONT    $@)
	$(Q)tools/mkfont --output $@ $(GRUB_FONT)

# carillon-cc and what it finds beside itself.
$(CARILLON_CC): user/libcarillon/carillon-cc $(SDK)
	$(call say,MAKE    $@)
	$(Q)install -m 0755 $< $@

$(B)/sdk/carillon.specs: user/libcarillon/carillon.specs
	@mkdir -p $(@D)
	$(Q)install -m 0644 $< $@

$(B)/sdk/include/carillon.h: $(B)/gen/carillon.h
	@mkdir -p $(@D)
	$(Q)install -m 0644 $< $@

$(B)/sdk/lib/libcarillon.a: $(SDK_C:%=$(B)/obj/%.o) $(SDK_ASM:%=$(B)/obj/%.o)
	$(call say,AR      $@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(SDK_C:%=$(B)/obj/%.o): $(B)/obj/%.o: % $(B)/stamp/sdk | $(GENERATED) need
	$(call say,CC      $<)
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(SDK_CFLAGS) $(PREFIX_MAP) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(SDK_ASM:%=$(B)/obj/%.o): $(B)/obj/%.o: % $(B)/stamp/sdk $(B)/gen/syscall_numbers.inc | need
	$(call say,NASM    $<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(USER_ASFLAGS) -o $@ $<

# A program with a libc is one file.
$(USER_BIN): $(B)/user/%: user/%.c $(CARILLON_CC) $(B)/stamp/user
	$(call say,CC      $@)
	@mkdir -p $(@D) $(B)/obj/user
	$(Q)$(CARILLON_CC) $(MUSL_CFLAGS) $(PREFIX_MAP) -MMD -MP -MF $(B)/obj/user/$*.d -MT $@ -o $@ $<

# What `make bench` boots beside the kernel, and a plugin for the QEMU of this machine.
BENCH := $(addprefix build/bench/,floor.elf gates programs child count_plugin.so)

build/bench/floor.elf: $(wildcard bench/floor/*) bench/guest/series.inc | need
	$(call say,NASM    $@)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(ASFLAGS) -Ibench/floor/ -Ibench/guest/ -o $@.o bench/floor/floor.asm
	$(Q)$(LD) -nostdlib -static -T bench/floor/floor.ld -z noexecstack --build-id=none -o $@ $@.o

build/bench/gates: bench/guest/gates.asm bench/guest/series.inc $(B)/gen/syscall_numbers.inc | need
	$(call say,NASM    $@)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(USER_ASFLAGS) -Ibench/guest/ -o $@.o $<
	$(Q)$(LD) $(USER_LDFLAGS) -o $@ $@.o

# Each at addresses of its own, so that the plugin and bench/where can tell one program from another.
build/bench/programs: BENCH_FLAGS := -g -Wl,-Ttext-segment=0x10000000
build/bench/child: BENCH_FLAGS := -s -Wl,-Ttext-segment=0x20000000
build/bench/programs build/bench/child: build/bench/%: bench/guest/%.c | need
	$(call say,CC      $@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -static -fno-pie -no-pie $(WARNINGS) $(PREFIX_MAP) $(BENCH_FLAGS) \
		-o $@ $<

build/bench/count_plugin.so: bench/count_plugin.c | need
	$(call say,CC      $@)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -O2 -shared -fPIC -fvisibility=hidden $(WARNINGS) -o $@ $<

# ---- use -----------------------------------------------------------------------------------------

run: $(ISO_INPUTS) | need
	@tools/run

usb: $(B)/carillon.iso
	@tools/usb --image $< --yes "$$YES" $${DEV:+"$$DEV"}

gdb: $(B)/carillon.elf $(B)/initrd.tar
	@tools/gdb

# The tests use both kernels; under DEBUG=1 the debug kernel takes the plain one's place.
.PHONY: debug-kernel
debug-kernel: | need
	@$(MAKE) --no-print-directory DEBUG=1 build/debug/carillon.elf

# The host tests alone need no kernel, only what is generated.
test: $(if $(LESS),$(GENERATED) $(if $(filter host,$(LESS)),$(FONT)),all debug-kernel $(BENCH)) | need
	@tools/test "$$T"

soak: all debug-kernel | need
	@tools/test --soak "$$T"

bench: $(B)/carillon.elf $(BENCH) | need
	@bench/run "$$T"

# What musl-gcc and carillon-cc say to the compiler, clang-tidy is told in USER_CFLAGS.
check: $(GENERATED) $(OFFSETS) $(FONT) $(B)/sdk/include/carillon.h | need
	@CFLAGS="$(filter-out -Werror,$(CFLAGS))" \
		USER_CFLAGS="$(filter-out -Werror,$(SDK_CFLAGS)) -nostdinc -isystem $(MUSL_INCLUDE) \
		-I$(B)/sdk/include" tools/check

models: | need
	@tools/models

format: $(GENERATED) | need
	@tools/format

deps:
	@tools/deps --install

clean:
	rm -rf $(B)

help:
	@tools/help

-include $(patsubst %.o,%.d,$(KERNEL_OBJ) $(SDK_C:%=$(B)/obj/%.o)) \
	$(USER_BIN:$(B)/%=$(B)/obj/%.d) $(OFFSETS).d
