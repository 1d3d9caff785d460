# SPDX-License-Identifier: MIT
# The guest's DSDT: iasl, which has no macros with arguments, compiles it to AML, as a C array.
$(BUILD)/gen/dsdt.c: hv/dev/dsdt.asl | need-build
	@mkdir -p $(@D)
	$(call say,IASL $<)
	$(Q)$(CC) -E -P -x c $< > $(BUILD)/gen/dsdt.asl
	$(Q)iasl -p $(BUILD)/gen/dsdt -tc $(BUILD)/gen/dsdt.asl > $(BUILD)/gen/dsdt.log 2>&1 || \
		{ cat $(BUILD)/gen/dsdt.log; exit 1; }
	$(Q)sed 's/^unsigned char/const unsigned char/' $(BUILD)/gen/dsdt.hex > $@

$(BUILD)/gen/dsdt.o: $(BUILD)/gen/dsdt.c
	$(Q)$(CC) -std=gnu11 -ffreestanding -c $< -o $@

IMAGE_OBJ += $(BUILD)/gen/dsdt.o
