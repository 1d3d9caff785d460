# SPDX-License-Identifier: MIT
# Guest images: each guest/NAME/*.c with the small library guest/lib becomes one multiboot1 ELF,
# build/guest/NAME.elf, an ELF32 as `qemu -kernel` takes it. NAME.elf64 beside it is the same
# program with its symbols, for gdb. An image with an entry.asm of its own is 32-bit assembly only.
GUESTS := $(sort $(filter-out lib thirdparty linux%,$(patsubst guest/%/,%,$(dir $(wildcard guest/*/*.c)))))
GUESTS32 := $(patsubst guest/%/entry.asm,%,$(filter-out guest/lib/%,$(wildcard guest/*/entry.asm)))
GUEST_LIB := $(patsubst %,$(BUILD)/guest/obj/%.o,$(wildcard guest/lib/*.c) \
	guest/lib/smp_entry.asm lib/string.c \
	lib/format.c ept/memtype.c)
GUEST_ENTRY := $(BUILD)/guest/obj/guest/lib/entry.asm.o
GUEST_IMAGES := $(patsubst %,$(BUILD)/guest/%.elf,$(GUESTS) $(GUESTS32) hello64 thirdparty)

include guest/linux/linux.mk

.PHONY: guests
guests: need-build
	$(call build,$(GUEST_IMAGES))

# What was built of a guest that is gone goes too.
STALE := $(patsubst $(BUILD)/guest/%.elf,%,$(filter-out $(GUEST_IMAGES),$(wildcard $(BUILD)/guest/*.elf)))
.PHONY: swept
swept:
	@rm -rf $(foreach name,$(STALE),$(BUILD)/guest/$(name).elf* $(BUILD)/guest/obj/guest/$(name))

$(BUILD)/guest/obj/%.c.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(IMAGE_CFLAGS) -c $< -o $@

$(BUILD)/guest/obj/%.asm.o: %.asm | need-build
	@mkdir -p $(@D)
	$(call say,NASM $<)
	$(Q)nasm -f elf64 -g -F dwarf -MD $(@:.o=.d) -o $@ $<

$(BUILD)/guest/libguest.a: $(GUEST_LIB)
	$(call say,AR   $@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

define GUEST_LINK
$(BUILD)/guest/$(1).elf64: guest/guest.ld $(GUEST_ENTRY) \
		$(patsubst %,$(BUILD)/guest/obj/%.o,$(wildcard guest/$(1)/*.c)) \
		$(BUILD)/guest/libguest.a
	$$(call say,LD   $$@)
	$$(Q)$$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,guest/guest.ld -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach guest,$(GUESTS),$(eval $(call GUEST_LINK,$(guest))))

$(GUESTS:%=$(BUILD)/guest/%.elf) $(BUILD)/guest/thirdparty.elf: %.elf: %.elf64
	$(Q)objcopy -S -O elf32-i386 $< $@

# A kernel as others write them: nothing of guest/lib is in it.
$(BUILD)/guest/thirdparty.elf64: guest/guest.ld $(BUILD)/guest/obj/guest/thirdparty/start.asm.o \
		$(patsubst %,$(BUILD)/guest/obj/%.o,$(wildcard guest/thirdparty/*.c))
	$(call say,LD   $@)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,-T,guest/guest.ld -o $@ $(filter %.o,$^)

# The same program as ELF64 with its 32-bit entry: the hypervisor's loader takes both.
$(BUILD)/guest/hello64.elf: $(BUILD)/guest/hello.elf64
	$(Q)objcopy -S $< $@

$(GUESTS32:%=$(BUILD)/guest/%.elf): $(BUILD)/guest/%.elf: guest/%/entry.asm guest/guest.ld \
		| need-build
	@mkdir -p $(@D) $(BUILD)/guest/obj
	$(call say,NASM $<)
	$(Q)nasm -f elf32 -o $(BUILD)/guest/obj/$*.o $<
	$(Q)ld -m elf_i386 --build-id=none -z noexecstack -z max-page-size=4096 -T guest/guest.ld \
		-o $@ $(BUILD)/guest/obj/$*.o

# Figures in ticks: bare, as a guest of KVM and QEMU (engine nested), as a guest of Leafcutter.
.PHONY: bench bench-ticks bench-transitions bench-smp bench-linux
bench-ticks: need-build need-bochs need-nested
	$(call build,$(BUILD)/leafcutter.elf $(BUILD)/guest/bench.elf)
	@$(leash) tests/bench/ticks nested
# The ways to make a transition, on 1 and 8 CPUs: the tables of docs/transitions.md. Half an hour and more.
bench-transitions: need-build need-bochs
	$(call build,$(BUILD)/leafcutter.elf $(BUILD)/guest/bench.elf)
	@$(leash) tests/bench/transitions
# The same of guest/smp, with a vCPU on each of 1 to 15 CPUs.
bench-smp: need-build need-bochs
	$(call build,$(BUILD)/leafcutter.elf $(BUILD)/guest/smp.elf)
	@$(leash) tests/bench/smp
# And Linux's boot, bare and as a guest.
$(BUILD)/bench/shell_ticks: tests/bench/shell_ticks.c | need-build
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) -std=gnu11 -O2 $(WARN) -static -o $@ $<
$(BUILD)/bench/linux.initrd: guest/linux/init $(BUILD)/bench/shell_ticks tools/linux tools/kernel.sh $(LINUX)/vmlinuz
	$(call say,CPIO $@)
	$(Q)tools/linux initrd $(LINUX) $@ $< $(BUILD)/bench/shell_ticks
bench-linux: need-build need-bochs
	$(call build,$(BUILD)/leafcutter.elf $(LINUX)/vmlinuz $(BUILD)/bench/linux.initrd)
	@$(leash) tests/bench/linux
bench: bench-host bench-count bench-ticks bench-smp bench-linux
