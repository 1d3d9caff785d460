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

# One with a static program and the modules of VFIO.
$(BUILD)/guest/obj/vfio: guest/linux-vfio/vfio.c | need-build
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) -std=gnu11 -O2 $(WARN) -static -o $@ $<

$(BUILD)/guest/linux-vfio.initrd: guest/linux-vfio/init $(BUILD)/guest/obj/vfio tools/linux \
		tools/kernel.sh $(LINUX)/vmlinuz
	$(call say,CPIO $@)
	$(Q)tools/linux initrd $(LINUX) $@ $< --module vfio-pci --module vfio_iommu_type1 \
		$(BUILD)/guest/obj/vfio

# One with a driver in the kernel, built from Debian's headers: make test-all alone needs it.
$(BUILD)/guest/obj/edu.ko: guest/linux-edu/edu.c tools/linux $(LINUX)/vmlinuz | need-build
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)tools/linux module $(LINUX) $@ $<

$(BUILD)/guest/linux-edu.initrd: guest/linux-edu/init $(BUILD)/guest/obj/edu.ko tools/linux tools/kernel.sh
	$(call say,CPIO $@)
	$(Q)tools/linux initrd $(LINUX) $@ $< $(BUILD)/guest/obj/edu.ko
