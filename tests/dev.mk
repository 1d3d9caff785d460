# SPDX-License-Identifier: MIT
# What the tests of hv/dev and of the instruction decoder need beyond the rules of tests.mk.
UNIT_LIBS_test_insn_zydis = -lZydis
UNIT_LIBS_test_acpi = $(BUILD)/gen/dsdt.o
$(BUILD)/unit/test_acpi: $(BUILD)/gen/dsdt.o

# The image's own memcpy(), by another name: the C library has one.
UNIT_LIBS_test_string = $(BUILD)/unit/image_string.o -Wl,-z,noexecstack
$(BUILD)/unit/test_string: $(BUILD)/unit/image_string.o
$(BUILD)/unit/image_string.o: $(BUILD)/image/lib/string.o
	@mkdir -p $(@D)
	$(Q)objcopy --prefix-symbols=image_ $< $@

# The zoo of accessors, by each compiler with each set of options: code in a section of its own, never run.
ZOO_OPTIONS := O0 O1 O2 O3 Os O2-mavx2-mmovbe-mbmi-mlzcnt-mpopcnt-mcx16 O3-march=ivybridge O2-march=haswell Os-march=haswell
ZOO_OPTIONS += m32-O0 m32-O2 m32-O2-march=i686 m32-Os-msse2 m32-O3-march=haswell O3-msse4.1 O3-march=haswell
ZOO := $(foreach of,accessors numbers,$(foreach cc,gcc clang,$(ZOO_OPTIONS:%=$(BUILD)/zoo/$(of)/$(cc)-%.o)))
UNIT_LIBS_test_insn_zoo = -lZydis $(ZOO) -Wl,-z,noexecstack
$(BUILD)/unit/test_insn_zoo: $(ZOO)
define compile_zoo
	@mkdir -p $(@D)
	$(call say,ZOO  $(@:$(BUILD)/zoo/%.o=%))
	$(Q)$(firstword $(subst -, ,$*)) -std=gnu11 -I. -w -ffreestanding -fno-pic -fcf-protection=none -fno-stack-protector -fno-asynchronous-unwind-tables \
		-mno-red-zone $(patsubst %,-%,$(filter-out gcc clang,$(subst -, ,$*))) -c $< -o $@.plain
	$(Q)objcopy -O binary --only-section=.text $@.plain $@.text
	$(Q)objcopy -I binary -O elf64-x86-64 --rename-section .data=zoo$(if $(findstring m32,$*),32),alloc,load,readonly,data,contents $@.text $@
endef
$(BUILD)/zoo/accessors/%.o: tests/zoo/accessors.c tests/zoo/zoo.h | need-build
	$(compile_zoo)
$(BUILD)/zoo/numbers/%.o: tests/zoo/numbers.c tests/zoo/zoo.h | need-build
	$(compile_zoo)
