# SPDX-License-Identifier: MIT
# Leafcutter. `make help` lists what can be asked for; every target installs the Debian packages
# it lacks (tools/need) and says so.
BUILD ?= build
GUEST ?= noncoherent
ENGINE ?= auto
CPUS ?= 1
MEM ?= 256
TIMEOUT ?= 600
ARGS ?=
VM ?=
HV ?=
INITRD ?=
TRACE ?=

ifeq ($(wildcard tools/run guest/guest.mk),)
$(error make works in its own folder: make -C $(dir $(lastword $(MAKEFILE_LIST))))
endif

# What may stand on make's command line; `make help` says what each is for.
RUN_VARIABLES := ARGS ENGINE GUEST HV INITRD TIMEOUT TRACE VM
EXPLAIN_VARIABLES := CD COUNT GPA LARGE MTRR PAT POLICY RAM
PROVE_VARIABLES := BITS LEVELS N
VARIABLES := $(RUN_VARIABLES) $(EXPLAIN_VARIABLES) $(PROVE_VARIABLES) LAB NAME STEP BUILD CC CHECKS CPUS FUZZ_SECONDS GDB MEM \
	MODEL_OPS MODEL_SEED V WERROR
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(filter-out $(VARIABLES),$(GIVEN)),\
	$(error unknown variable '$(name)': see make help))
# Of a goal alone: what it takes beside BUILD, CC, V and WERROR.
takes_all := none
takes_clean := none
takes_explain := $(EXPLAIN_VARIABLES)
takes_gdb := CPUS GDB MEM $(if $(filter GUEST,$(GIVEN)),ARGS GUEST HV INITRD VM)
takes_grade := ENGINE LAB
takes_hand-in := LAB
takes_help := none
takes_lab := LAB
takes_lint := CHECKS
takes_model := MODEL_OPS MODEL_SEED
takes_new-guest := NAME
takes_prove := $(PROVE_VARIABLES)
takes_run := CPUS MEM $(RUN_VARIABLES)
takes_step := CPUS ENGINE MEM STEP TIMEOUT
takes_steps := none
GOAL := $(or $(MAKECMDGOALS),all)
$(if $(takes_$(GOAL)),$(foreach name,$(filter-out BUILD CC V WERROR $(takes_$(GOAL)),$(GIVEN)),\
	$(error make$(if $(filter all,$(GOAL)),, $(GOAL)) takes no $(name)=: see make help)))
ifneq ($(words $(BUILD)),1)
$(error BUILD='$(BUILD)': expected a path without blanks)
endif
# Nothing of ours is where the sources are: `make clean` removes $(BUILD) whole. (The tree's own path
# may hold blanks.)
empty :=
underline = $(subst $(empty) $(empty),_,$(1))
build_place := $(call underline,$(abspath $(BUILD)))
tree_place := $(call underline,$(CURDIR))
build_top := $(firstword $(subst /, ,$(patsubst $(tree_place)/%,%,$(build_place))))
ifneq ($(filter $(patsubst %/,%,$(build_place))/%,$(tree_place)/)$(if $(filter $(tree_place)/%,$(build_place)),$(wildcard \
	$(filter-out build,$(build_top))/*.md $(build_top)/*.mk $(build_top)/lib $(build_top)/boot)),)
$(error BUILD='$(BUILD)' has sources: expected a folder of its own)
endif
ifneq ($(wildcard $(BUILD)),$(patsubst %/.,%,$(wildcard $(BUILD)/.)))
$(error BUILD='$(BUILD)' is a file: expected a folder)
endif
ENGINES := auto bochs qemu nested tcg
ifneq ($(words $(ENGINE)) $(words $(filter $(ENGINES),$(ENGINE))),1 1)
$(error ENGINE='$(ENGINE)': expected auto, bochs, qemu, nested or tcg)
endif

# number: NAME, from LOW to HIGH. Digits only before the shell sees it.
strip_digits = $(if $(1),$(call strip_digits,$(wordlist 2,10,$(1)),$(subst $(firstword $(1)),,$(2))),$(2))
is_number = $(if $(call strip_digits,0 1 2 3 4 5 6 7 8 9,$(1))$(filter-out 1,$(words $(1))),,yes)
in_range = $(shell [ $(1) -ge $(2) ] 2>/dev/null && [ $(1) -le $(3) ] 2>/dev/null && echo yes)
number = $(if $(filter $(1),$(GIVEN)),$(if $(if $(call is_number,$(value $(1))),$(call in_range,$(value $(1)),$(2),$(3))),,\
	$(error $(1)='$(value $(1))': expected a number from $(2) to $(3))))
LONG_NUMBER := 99999999999999
$(call number,BITS,1,3)
$(call number,CPUS,1,64)
$(call number,FUZZ_SECONDS,1,1000000)
$(call number,LEVELS,2,4)
$(call number,MEM,16,65536)
$(call number,MODEL_OPS,1,$(LONG_NUMBER))
$(call number,MODEL_SEED,0,$(LONG_NUMBER))
$(call number,N,2,5)
$(call number,TIMEOUT,1,1000000)

# A goal is one of ours, or a file of $(BUILD), before anything is done for the first of them.
TARGETS := $(shell sed -n 's/^\.PHONY: //p' Makefile $(wildcard */*.mk */*/*.mk */*/*/*.mk))
comma := ,
NO_GOAL := $(firstword $(filter-out $(TARGETS) $(BUILD)/%,$(MAKECMDGOALS)))
$(if $(NO_GOAL),$(error no target '$(NO_GOAL)': see make help$(if \
	$(wildcard guest/$(NO_GOAL)),$(comma) or make run GUEST=$(NO_GOAL))))
UNIT_NAMES := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(foreach name,$(filter-out $(UNIT_NAMES),$(patsubst unit-%,%,$(filter unit-%,$(MAKECMDGOALS)))),\
	$(error no unit test '$(name)': expected $(or $(filter test_$(name),$(UNIT_NAMES)),one of $(UNIT_NAMES))))
$(foreach name,$(filter-out $(FUZZ),$(patsubst fuzz-%,%,$(filter fuzz-%,$(MAKECMDGOALS)))),\
	$(error no fuzzer '$(name)': expected one of $(FUZZ)))
# As they were written: a dollar in ARGS is not make's, and a quote is none of the shell's.
$(foreach name,ARGS GUEST HV INITRD TRACE VM,$(eval override $(name) := $$(value $(name))))
export ARGS BUILD CPUS GUEST HV INITRD MEM TIMEOUT TRACE VM

CC := gcc
# Commands are shown by what they make; V=1 shows them whole.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)')
# Warnings are errors where the code is judged (WERROR=1: .ci/run, tools/lint), not where it is built
# with whatever compiler is there.
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion -Wundef \
	-Wno-sign-conversion $(if $(WERROR),-Werror)
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

# First the packages, one call of apt at a time, then the files, on all CPUs: by another make, and
# only one of those at a time works in this tree (tools/locked). So no file is a prerequisite of
# what `make help` lists.
build = +@FILES="$(1)" $(if $(LOCKED),,tools/locked Makefile) $(MAKE) --no-print-directory \
	$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc)) built
# Ended by SIGTERM when make ends, however that comes.
leash := exec setpriv --pdeathsig TERM

# A file asked for by its name is built in that way too.
ifneq ($(if $(LOCKED),,$(filter $(BUILD)/%,$(MAKECMDGOALS))),)
.PHONY: $(MAKECMDGOALS)
$(filter $(BUILD)/%,$(MAKECMDGOALS)):
	$(call build,$@)
$(filter-out $(BUILD)/%,$(MAKECMDGOALS)):
	+@$(MAKE) --no-print-directory $@
else

.PHONY: all
all: need-build
	$(call build,$(BUILD)/leafcutter.iso)

.PHONY: built
built: swept $(FILES)
	@[ -e $(BUILD)/.leafcutter ] || : >$(BUILD)/.leafcutter

.PHONY: need-% FORCE
need-%: FORCE
	@tools/need $*
FORCE:

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
	$(Q)$(CC) $(IMAGE_CFLAGS) -DCHECKED -MT $@ -c $< -o $@

$(BUILD)/checked/%.o: $(BUILD)/image/%.o
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

# Only what this run boots is built: the ISO of `make` for the plain demonstration, else the
# hypervisor and the images asked for. (tools/run refuses what there is no image of.)
plain_run = $(if $(filter-out noncoherent,$(GUEST))$(ARGS)$(VM)$(HV)$(INITRD)$(TRACE),,yes)
RUN_LINUX = $(filter $(LINUX_GUESTS),$(GUEST))
RUN_IMAGES = $(filter $(patsubst %,$(BUILD)/guest/%.elf,$(GUEST)),$(GUEST_IMAGES)) \
	$(RUN_LINUX:%=$(BUILD)/guest/%.initrd) $(if $(RUN_LINUX),$(LINUX)/vmlinuz)
run_guests = GUESTS="$(GUEST_IMAGES:$(BUILD)/guest/%.elf=%)" LINUX_GUESTS="$(LINUX_GUESTS)" $(leash) tools/run --engine $(ENGINE)
.PHONY: run
run: need-build need-$(ENGINE)
	@$(run_guests) check
	$(call build,$(BUILD)/leafcutter.$(if $(plain_run),iso,elf) $(RUN_IMAGES))
	@$(run_guests)

.PHONY: gdb
ifeq ($(filter GUEST,$(GIVEN)),)
gdb: need-build need-gdb
	$(call build,$(BUILD)/leafcutter.iso)
	@$(leash) tools/gdb $(BUILD)/leafcutter.iso $(BUILD)/leafcutter.elf $(GDB)
else
gdb: need-build need-auto need-gdb
	@$(run_guests) check gdb
	$(call build,$(BUILD)/leafcutter.elf $(RUN_IMAGES))
	@$(run_guests) gdb $(GDB)
endif

.PHONY: help
help:
	@tools/help $(BUILD)

.PHONY: clean
clean:
	@[ ! -e $(BUILD) ] || [ $(BUILD) = build ] || [ -e $(BUILD)/.leafcutter ] || \
		{ echo "make clean: BUILD='$(BUILD)' was not made here: remove it by hand" >&2; exit 2; }
	@tools/locked Makefile rm -rf $(BUILD)

include guest/guest.mk
include docs/course/course.mk
include web/web.mk
include tests/tests.mk
include tests/lint.mk

# Not while another make may be writing them; not those of the bare systems and packages that tests/all unpacks.
ifdef LOCKED
-include $(shell find $(BUILD) \( -path $(BUILD)/bare -o -path $(BUILD)/others \) -prune -o -type f -name '*.d' -print 2>/dev/null)
endif

endif # a file asked for by its name
