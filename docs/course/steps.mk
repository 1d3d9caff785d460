# SPDX-License-Identifier: MIT
# The steps of the course: docs/course/steps/0N/ is a hypervisor of its own over boot/, lib/ and
# hv/machine, build/course/stepN.elf. Each reuses files of the steps before it, named here; from 3 on
# ept/ comes in, in 5 iommu/. `make step STEP=N` boots one.
STEP ?= 1
STEPS := 1 2 3 4 5
$(call number,STEP,1,5)
STEP_DIR := docs/course/steps
STEP_BASE := $(filter boot/% lib/% hv/machine/% hv/vmcs/%,$(IMAGE_SRC) $(IMAGE_ASM))
step_sources = $(wildcard $(STEP_DIR)/0$(1)/*.c) $(filter-out %/guest.asm,$(wildcard $(STEP_DIR)/0$(1)/*.asm))
STEP_1 := $(STEP_BASE) $(call step_sources,1) $(STEP_DIR)/01/guest.asm
STEP_2 := $(filter-out %/main.c %/guest.asm,$(STEP_1)) $(call step_sources,2) $(STEP_DIR)/02/guest.asm
STEP_3 := $(filter-out %/main.c %/guest.asm,$(STEP_2)) $(call step_sources,3) $(filter ept/%,$(IMAGE_SRC))
STEP_4 := $(filter-out %/main.c,$(STEP_3)) $(call step_sources,4)
STEP_5 := $(filter-out %/main.c,$(STEP_4)) $(call step_sources,5) $(filter iommu/%,$(IMAGE_SRC))
STEP_ISOS := $(STEPS:%=$(BUILD)/course/step%.iso)
step_objects = $(patsubst %.c,$(BUILD)/image/%.o,$(patsubst %.asm,$(BUILD)/image/%.asm.o,$(STEP_$(1))))

define STEP_LINK
$(BUILD)/course/step$(1).elf: $(call step_objects,$(1)) $(if $(filter 3 4 5,$(1)),$(BUILD)/course/guest$(1).o) linker.ld
	@mkdir -p $$(@D)
	$$(call say,LD   $$@)
	$$(Q)$$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,linker.ld -o $$@ $$(filter %.o,$$^)
$(BUILD)/course/step$(1).iso: $(BUILD)/course/step$(1).elf tools/iso
	$$(call say,ISO  $$@)
	$$(Q)tools/iso $$@ $$< ""
endef
$(foreach step,$(STEPS),$(eval $(call STEP_LINK,$(step))))

# From 3 on the guest is a flat image, assembled for where it will lie, and carried as bytes.
$(BUILD)/course/guest%.bin: $(STEP_DIR)/0%/guest.asm $(wildcard $(STEP_DIR)/*.inc $(STEP_DIR)/*/*.inc) | need-build
	@mkdir -p $(@D)
	$(call say,NASM $<)
	$(Q)nasm -f bin -o $@ $<
$(BUILD)/course/guest%.o: $(BUILD)/course/guest%.bin $(STEP_DIR)/image.asm
	$(Q)nasm -f elf64 -DGUEST_IMAGE='"$<"' -o $@ $(STEP_DIR)/image.asm

.PHONY: step steps
step: need-build need-$(ENGINE)
	$(call build,$(BUILD)/course/step$(STEP).iso)
	@$(leash) tools/boot --engine $(ENGINE) --cpus $(CPUS) --mem $(MEM) --timeout $(TIMEOUT) $(BUILD)/course/step$(STEP).iso
steps: need-build
	$(call build,$(STEP_ISOS))
TEST_FILES += $(STEP_ISOS)

.SECONDARY: $(foreach step,$(STEPS),$(BUILD)/course/guest$(step).bin $(BUILD)/course/guest$(step).o)
