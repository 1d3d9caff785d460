# SPDX-License-Identifier: MIT
# The image in which the CPU judges the VM-entry checker: the hypervisor with another main program.
ENTRY_OBJ := $(filter-out $(BUILD)/image/hv/main.o,$(IMAGE_OBJ)) $(BUILD)/image/tests/entry/oracle.o \
	$(BUILD)/image/tests/lib/entry_worlds.o $(BUILD)/image/tests/lib/entry_mutations.o

$(BUILD)/entry_oracle.elf: $(ENTRY_OBJ) linker.ld
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $@ $(ENTRY_OBJ)

TEST_FILES += $(BUILD)/entry_oracle.elf $(BUILD)/leafcutter-checked.elf

# The image with a clock around its shootdown: the same objects, and what the linker puts in front of one function.
TIMED_OBJ := $(IMAGE_OBJ) $(BUILD)/image/tests/entry/timed.o
$(BUILD)/leafcutter-timed.elf: $(TIMED_OBJ) linker.ld
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--wrap,shootdown_flush \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $@ $(TIMED_OBJ)
TEST_FILES += $(BUILD)/leafcutter-timed.elf
