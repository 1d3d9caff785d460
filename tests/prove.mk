# SPDX-License-Identifier: MIT
# The proofs (docs/proofs.md): `make prove`, and a suite of `make test`. The trees are ept/ with
# tables of 2^BITS entries and LEVELS levels; more than the defaults takes longer.
LEVELS ?= 3
BITS ?= 1
PROVE := $(BUILD)/prove
PROVE_CFLAGS := $(filter-out -ffreestanding -fno-pic -MMD -MP,$(IMAGE_CFLAGS))
TREES_CFLAGS := $(PROVE_CFLAGS) -DEPT_ROOT_LEVEL=$(LEVELS) -DEPT_INDEX_BITS=$(BITS)
TREES_SRC := $(wildcard ept/*.c) lib/format.c tests/prove/tree.c tests/prove/trees.c
TREES_OBJ := $(TREES_SRC:%.c=$(PROVE)/small/%.o)

# compile SOURCE OBJECT [FLAG]: as for the trees; tests/prove/run compiles its mutants with it.
$(PROVE)/compile: FORCE
	@mkdir -p $(@D)
	@printf '#!/bin/sh\n%s $$3 -c "$$1" -o "$$2"\n' '$(CC) $(TREES_CFLAGS)' >$@.new
	@chmod +x $@.new; cmp -s $@.new $@ || mv $@.new $@
$(PROVE)/small/%.o: %.c $(wildcard ept/*.h lib/*.h tests/prove/*.h) tests/ept_world.h $(PROVE)/compile
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(PROVE)/compile $< $@

$(PROVE)/trees: $(TREES_OBJ)
	$(call say,LD   $@)
	$(Q)$(CC) $^ -o $@

# Both hold ept/ whole: the one its objects as they are, the other mtrr.c with its inner functions.
$(PROVE)/types: tests/prove/types.c ept/memtype.c ept/mtrr.c $(wildcard ept/*.h lib/*.h)
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(PROVE_CFLAGS) $(filter %.c,$^) -o $@
$(PROVE)/tie: tests/prove/tie.c ept/mtrr.c $(wildcard ept/*.h lib/*.h)
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(PROVE_CFLAGS) $< -o $@

PROVE_FILES := $(PROVE)/types $(PROVE)/trees $(PROVE)/tie
TEST_FILES += $(PROVE_FILES)
EPT_SUITES += tests/prove/run

.PHONY: prove
prove: need-build need-prove
	$(call build,$(PROVE_FILES))
	@BUILD=$(BUILD) tests/prove/run
