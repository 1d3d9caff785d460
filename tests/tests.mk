# SPDX-License-Identifier: MIT
# Unit tests: each tests/unit/test_*.c is one cmocka program, linked with all code that is free
# of hardware, with AddressSanitizer and UndefinedBehaviorSanitizer.
UNIT_SRC := $(UNIT_NAMES:%=tests/unit/%.c)
UNIT := $(UNIT_NAMES:%=$(BUILD)/unit/%)
# What several tests share is in tests/lib, and linked like the code it helps to test.
TEST_LIB := $(wildcard tests/lib/*.c)
PURE_HOST := $(patsubst %.c,$(BUILD)/host/%.o,$(PURE) $(TEST_LIB))

$(BUILD)/host/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(HOST_CFLAGS) -c $< -o $@

$(BUILD)/host/libpure.a: $(PURE_HOST)
	$(call say,AR   $@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/%: $(BUILD)/host/tests/unit/%.o $(BUILD)/host/libpure.a
	@mkdir -p $(@D)
	$(call say,LD   $@)
	$(Q)$(CC) $(HOST_CFLAGS) $< -o $@ $(BUILD)/host/libpure.a -lcmocka $(UNIT_LIBS_$*)

include tests/dev.mk
include tests/entry.mk
include tests/ept.mk
include tests/prove.mk
include tests/fuzz.mk

.SECONDARY: $(UNIT_SRC:%.c=$(BUILD)/host/%.o)

# Run one: make unit-test_mtrr
.PHONY: unit unit-%
unit-%: need-build
	$(call build,$(BUILD)/unit/$*)
	$(BUILD)/unit/$*
unit: need-build
	$(call build,$(UNIT))
	@for program in $(UNIT); do $$program || exit; done

# Everything, in one number. tests/run keeps two suites going, the longest first.
LONG := $(patsubst %,tests/boot/%.bats,fuzz kvm smp linux nested-smp) tools/mutate $(patsubst %,tests/boot/%.bats,nested guests console machine entry)
SUITES := $(LONG) $(FUZZ_SUITES) $(WEB_SUITES) tools/lint tests/rooms.bats $(filter-out $(LONG),$(wildcard tests/boot/*.bats)) $(wildcard tests/course/*.bats) \
	$(filter-out $(LONG),$(EPT_SUITES)) \
	$(UNIT)
LINUX_INITRDS := $(LINUX_GUESTS:%=$(BUILD)/guest/%.initrd)
# The driver of linux-edu needs packages that make test does not.
TEST_FILES += $(LINUX)/vmlinuz $(filter-out %/linux-edu.initrd,$(LINUX_INITRDS))
# What tools/lint has time for there.
TIDY_STATES := 30000
.PHONY: test
test: need-test
	$(call build,$(BUILD)/leafcutter.iso $(GUEST_IMAGES) $(UNIT) $(TEST_FILES))
	@TIDY_STATES=$(TIDY_STATES) $(leash) tests/run $(SUITES)

# The same, and what takes longer or needs more of the machine (root, an archive), in one number.
ALL_SUITES := $(wildcard tests/all/*.bats)
.PHONY: test-all
test-all: need-test need-bare
	$(call build,$(BUILD)/leafcutter.iso $(GUEST_IMAGES) $(UNIT) $(TEST_FILES) $(LINUX_INITRDS))
	@TEST_ALL=1 $(leash) tests/run $(ALL_SUITES) $(SUITES)
