# SPDX-License-Identifier: MIT
# Guests that are Debian's stock kernel with an initramfs of ours: guest/linux/, and each
# guest/linux-*/ with an `init` of its own. The kernel comes from its package, unmodified.
LINUX := $(BUILD)/linux
LINUX_GUESTS := $(patsubst guest/%/init,%,$(wildcard guest/linux*/init))

$(LINUX)/vmlinuz: | need-linux
	@mkdir -p $(@D)
	$(call say,GET  $@)
	$(Q)tools/linux kernel $(@D)

$(BUILD)/guest/linux.initrd: guest/linux/init tools/linux tools/kernel.sh $(LINUX)/vmlinuz
	@mkdir -p $(@D)
	$(call say,CPIO $@)
	$(Q)tools/linux initrd $(LINUX) $@ $<
