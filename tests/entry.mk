# SPDX-License-Identifier: MIT
# The image in which the CPU judges the VM-entry checker: the hypervisor with another main program.
ENTRY_OBJ := $(filter-out $(BUILD)/image/hv/main.o,$(IMAGE_OBJ)) $(BUILD)/image/tests/entry/oracle.o \
	$(BUILD)/image/tests/lib/entry_worlds.o $(BUILD)/image/tests/lib/entry_mutations.o

$(BUILD)/entry_oracle.elf: $(ENTRY_OBJ) linker.ld
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $@ $(ENTRY_OBJ)

TEST_FILES += $(BUILD)/entry_oracle.elf $(BUILD)/leafcutter-checked.elf

# The hypervisor of the very same objects with tests/entry/NAME.c: the linker puts what is there in front of functions.
# wrapped NAME, FUNCTIONS
define wrapped
$(BUILD)/leafcutter-$(1).elf: $(IMAGE_OBJ) $(BUILD)/image/tests/entry/$(1).o linker.ld
	$$(call say,LD   $$@)
	$$(Q)$$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack $(2:%=-Wl,--wrap,%) \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $$@ $$(filter %.o,$$^)
TEST_FILES += $(BUILD)/leafcutter-$(1).elf
endef
$(eval $(call wrapped,timed,shootdown_flush cpu_halt))
$(eval $(call wrapped,late,cpu_entered apic_init apic_send_init fpu_init controls_adjust vmx_init_other run_begin))
