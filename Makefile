# SPDX-License-Identifier: MIT
# Leafcutter. `make help` lists what can be asked for; every target installs the Debian packages
# it lacks (tools/need) and says so.
BUILD ?= build
GUEST ?= noncoherent
ENGINE ?= auto
CPUS ?= 1
MEM ?= 256
ARGS ?=
VM ?=

CC := gcc
# Commands are shown by what they make; V=1 shows them whole.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)')
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion -Wundef \
	-Wno-sign-conversion -Werror
COMMON := -std=gnu11 -g -I. $(WARN)
# The image: no libc, no SSE, no red zone; linked where it is loaded.
IMAGE_CFLAGS := $(COMMON) -O2 -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-strict-aliasing -MMD -MP
HOST_CFLAGS := $(COMMON) -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -MMD -MP

# The rooms of tools/rooms. The pure ones have no hardware in them: their C is linked into the image
# and into the host tests alike.
PURE_ROOMS := $(shell sed -n 's/^\([a-z][a-z/]*\) [*]:.*/\1/p' tools/rooms)
ROOMS := $(shell sed -n 's/^\([a-z][a-z/]*\):.*/\1/p' tools/rooms)
PURE := $(wildcard $(PURE_ROOMS:%=%/*.c))
IMAGE_SRC := $(sort $(wildcard $(addsuffix /*.c,$(PURE_ROOMS) $(ROOMS))))
IMAGE_ASM := $(wildcard boot/*.asm hv/*/*.asm)
IMAGE_OBJ := $(IMAGE_SRC:%.c=$(BUILD)/image/%.o) $(IMAGE_ASM:%.asm=$(BUILD)/image/%.asm.o)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all
all: need-build
	$(call build,$(BUILD)/leafcutter.iso)

# First the packages, one call of apt at a time, then the files, on all CPUs.
build = +@$(MAKE) --no-print-directory -j$(shell nproc) $(1)

.PHONY: need-%
need-%:
	@tools/need $*

$(BUILD)/image/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(IMAGE_CFLAGS) -c $< -o $@

$(BUILD)/image/%.asm.o: %.asm | need-build
	@mkdir -p $(@D)
	$(call say,NASM $<)
	$(Q)nasm -f elf64 -g -F dwarf -MD $(@:.o=.d) -o $@ $<

include hv/dev/dsdt.mk

$(BUILD)/leafcutter.elf: $(IMAGE_OBJ) linker.ld
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $@ $(IMAGE_OBJ)
	$(Q)nm -n $@ > $(BUILD)/leafcutter.sym

# The same with the checks of hv/machine/cpu.h (which vCPU is current, the order of locks): for
# the tests.
CHECKED_OBJ := $(IMAGE_OBJ:$(BUILD)/image/%=$(BUILD)/checked/%)
$(BUILD)/checked/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC   $< (checked))
	$(Q)$(CC) $(IMAGE_CFLAGS) -DCHECKED -c $< -o $@

$(BUILD)/checked/%: $(BUILD)/image/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/leafcutter-checked.elf: $(CHECKED_OBJ) linker.ld
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $@ $(CHECKED_OBJ)

# One ISO, the demonstration's: others (make run GUEST=..., the tests) are made elsewhere, so
# that build/leafcutter.iso stays the only one that `make` leaves.
DEMO_WORDS := $(shell sed -n 's/^noncoherent\t*//p' guest/defaults)
$(BUILD)/leafcutter.iso: $(BUILD)/leafcutter.elf $(BUILD)/guest/noncoherent.elf tools/iso \
		guest/defaults
	$(call say,ISO  $@)
	$(Q)tools/iso $@ $(BUILD)/leafcutter.elf "" $(BUILD)/guest/noncoherent.elf \
		"vm demo $(DEMO_WORDS) --"

# By the environment: a quote in ARGS is no quote of the shell's.
export GUEST ARGS VM
BOOT := --engine $(ENGINE) --cpus $(CPUS) --mem $(MEM)
.PHONY: run
ifeq ($(GUEST)$(ARGS)$(VM),noncoherent)
run: need-build need-$(ENGINE)
	$(call build,$(BUILD)/leafcutter.iso)
	@BUILD=$(BUILD) tools/boot $(BOOT) $(BUILD)/leafcutter.iso
else
run: need-build need-$(ENGINE)
	$(call build,$(BUILD)/leafcutter.elf guests)
	@BUILD=$(BUILD) tools/run "$$GUEST" "$$ARGS" "$$VM" $(BOOT)
endif

.PHONY: gdb
gdb: need-build need-gdb $(BUILD)/leafcutter.iso
	@MEM=$(MEM) CPUS=$(CPUS) tools/gdb $(BUILD)/leafcutter.iso $(BUILD)/leafcutter.elf $(GDB)

.PHONY: help
help:
	@echo 'make                  build $(BUILD)/leafcutter.elf and $(BUILD)/leafcutter.iso'
	@echo 'make run              boot the demonstration; it ends by itself'
	@echo 'make run GUEST=hello  boot another image of guest/, or the path of an ELF of yours'
	@echo '     ARGS="..."       the command line of the guest'
	@echo '     VM="mem=64M ..." the words of its GRUB line, in place of those in guest/defaults'
	@echo '     ENGINE=auto      or bochs, qemu, nested (see README.md)'
	@echo '     CPUS=1 MEM=256   the machine: CPUs, MiB'
	@echo 'make test             every test; closes with "N passed, N failed"'
	@echo 'make bench            figures: ratios on the host, ticks in the emulator'
	@echo 'make explain GPA=0x2240000 [POLICY=kvm-6.7 COUNT=1 CD=0 MTRR="WC@0x2240000+256K" PAT=0]'
	@echo '                      why an address has its memory type (docs/memory-types.md)'
	@echo 'make lint             formatter and linters'
	@echo 'make gdb              stop at the entry, with symbols'
	@echo 'make clean            remove $(BUILD)'

.PHONY: clean
clean:
	rm -rf $(BUILD)

include guest/guest.mk
include tests/tests.mk
include tests/lint.mk

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
