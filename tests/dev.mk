# SPDX-License-Identifier: MIT
# What the tests of hv/dev and of the instruction decoder need beyond the rules of tests.mk.
UNIT_LIBS_test_insn_zydis = -lZydis
UNIT_LIBS_test_acpi = $(BUILD)/gen/dsdt.o
$(BUILD)/unit/test_acpi: $(BUILD)/gen/dsdt.o
