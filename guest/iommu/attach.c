// SPDX-License-Identifier: MIT
/*
 * What the front end reports: the noncoherent count after each thing a guest can do, and
 * that what changes nothing clears nothing. Only on Leafcutter.
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/vmcall.h"
#include "lib/string.h"

#define OTHER_DOMAIN        (DOMAIN + 1)
#define WIDTH               (DOMAIN << 8 | CONTEXT_3_LEVELS)
#define CAP_ID_PCIE         0x10
#define PCIE_DEVICE_CONTROL 8
#define ENABLE_NO_SNOOP     BIT(11)
#define SNOOPING            2          /* the edu that never emits No-Snoop, if there are three */
#define PROBE               (48 * MiB) /* memory that nothing else touches */

static void count_is(uint64_t expected, const char *text)
{
	check_count(expected, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "%s: count %lu", text,
		    expected);
}

/* Do something, and see that no transition comes of it. */
static void changes_nothing(bool (*action)(void), const char *text)
{
	uint64_t transitions = vmcall_counter(COUNTER_TRANSITIONS);
	uint64_t count = vmcall_counter(COUNTER_NONCOHERENT);

	action();
	transitions = vmcall_counter(COUNTER_TRANSITIONS) - transitions;
	check_words(!transitions && vmcall_counter(COUNTER_NONCOHERENT) == count,
		    words("%lu transitions, count %lu", transitions, vmcall_counter(COUNTER_NONCOHERENT)),
		    words("none, count %lu", count), "%s: nothing changes", text);
}

static bool detach_both(void)
{
	set_context(&edu[0], 0, 0);
	set_context(&edu[1], 0, 0);
	return true;
}

static bool global_invalidation(void)
{
	return vtd_invalidate_context(DESC_GLOBAL, 0, 0) && vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
}

static bool same_device_again(void) { return vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[0].source_id); }

static bool another_domain(void)
{
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT, OTHER_DOMAIN << 8 | CONTEXT_3_LEVELS);
	return true;
}

static bool not_announced(void)
{
	vtd_context(edu[0].source_id)[0] = 0;
	return true;
}

static bool same_root_again(void) { return vtd_set_root(); }

static void by_context(void)
{
	uint64_t transitions;

	detach_both();
	count_is(0, "no context entry present");
	transitions = vmcall_counter(COUNTER_TRANSITIONS);
	good_context(&edu[0]);
	count_is(1, "one device attached");
	changes_nothing(global_invalidation, "global invalidations");
	changes_nothing(same_device_again, "the device invalidated again");
	changes_nothing(another_domain, "another domain id");
	changes_nothing(same_root_again, "the same root pointer again");
	good_context(&edu[1]);
	count_is(2, "the second one attached");
	check_count(transitions + 1, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "one transition in all");
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT, DOMAIN << 8 | 7);
	count_is(1, "a present but invalid entry is not attached");
	set_context(&edu[0], CONTEXT_PASS_THROUGH | CONTEXT_PRESENT, WIDTH);
	count_is(2, "pass-through is attached");
	detach_both();
	count_is(0, "both detached");
	check_count(transitions + 2, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "two transitions in all");
}

/* Only devices that exist count, and whether they may master the bus is another matter. */
static void by_existence(void)
{
	static const struct edu_device nobody = {.source_id = 0x1f << 3};

	detach_both();
	good_context(&nobody);
	count_is(0, "a context entry for no device");
	set_context(&nobody, 0, 0);
	pci_write16(edu[0].source_id, PCI_COMMAND, PCI_COMMAND_MEMORY);
	good_context(&edu[0]);
	count_is(1, "attached with bus mastering off");
	check_whether(false, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "... though its DMA is dropped");
	set_context(&edu[0], 0, 0);
	count_is(0, "... detached with bus mastering off");
	pci_write16(edu[0].source_id, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void by_scope(void)
{
	restore();
	changes_nothing(not_announced, "an entry cleared without invalidation");
	vtd_invalidate_context(DESC_SELECTIVE, 0, edu[1].source_id);
	count_is(2, "another device invalidated");
	vtd_invalidate_context(DESC_DOMAIN, OTHER_DOMAIN, 0);
	count_is(2, "another domain invalidated");
	vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[0].source_id);
	count_is(1, "the device invalidated with its old domain");
	restore();
	memset(vtd_context(edu[0].source_id), 0, 16);
	memset(vtd_context(edu[1].source_id), 0, 16);
	vtd_invalidate_context(DESC_DOMAIN, DOMAIN, 0);
	count_is(0, "two devices of one domain, the domain invalidated");
	vtd_context(edu[0].source_id)[1] = WIDTH;
	vtd_context(edu[0].source_id)[0] = (uint64_t)table | CONTEXT_PRESENT;
	vtd_invalidate_context(DESC_SELECTIVE, 0, edu[0].source_id);
	count_is(1, "from not present, announced with domain 0");
}

static void by_command(void)
{
	uint64_t *empty = vtd_table();

	restore();
	vtd_command(GCMD_TE, false);
	count_is(0, "translation off");
	vtd_command(GCMD_TE, true);
	count_is(2, "translation on again");
	vtd_write64(VTD_RTADDR, (uint64_t)empty);
	vtd_command(GCMD_SRTP, true);
	count_is(0, "an empty root table");
	vtd_set_root();
	count_is(2, "the full one again");
}

static void enable_no_snoop(const struct edu_device *device, bool on)
{
	unsigned at = pci_capability(device->source_id, CAP_ID_PCIE) + PCIE_DEVICE_CONTROL;
	uint16_t control = pci_read16(device->source_id, at);

	control &= (uint16_t)~ENABLE_NO_SNOOP;
	pci_write16(device->source_id, at, control | (on ? ENABLE_NO_SNOOP : 0));
}

static bool emits_no_snoop(unsigned n) { return n != SNOOPING; }

static bool dma_goes_through(const struct edu_device *device)
{
	memset(pages[0], 0, BYTES);
	memset(pages[1], 0x5a, BYTES);
	edu_dma_raw(device, IOVA + PAGE_SIZE, EDU_DMA_BUFFER, BYTES, 0);
	edu_dma_raw(device, EDU_DMA_BUFFER, IOVA, BYTES, EDU_DMA_TO_MEMORY);
	return !memcmp(pages[0], pages[1], BYTES);
}

/* Every device there is: attached, kept from No-Snoop, allowed it again, detached. */
static void by_device(void)
{
	struct edu_device device;
	uint64_t count = 0;

	detach_both();
	for (unsigned n = 0; edu_find(n, &device); n++) {
		unsigned pcie = pci_capability(device.source_id, CAP_ID_PCIE);

		if (!check(pcie && pci_read16(device.source_id, pcie + PCIE_DEVICE_CONTROL) & ENABLE_NO_SNOOP,
			   "device %u: Enable No Snoop is 1 after reset", n))
			return;
		good_context(&device);
		count += emits_no_snoop(n);
		count_is(count, emits_no_snoop(n) ? "... attached" : "... attached, it snoops");
		check(dma_goes_through(&device), "... its DMA goes through");
		enable_no_snoop(&device, false);
		count_is(count - emits_no_snoop(n), "... Enable No Snoop cleared");
		enable_no_snoop(&device, true);
		count_is(count, "... set again");
	}
	for (unsigned n = 0; edu_find(n, &device); n++) {
		set_context(&device, 0, 0);
		count -= emits_no_snoop(n);
		check_count(count, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "device %u detached", n);
	}
}

static bool attach_by_queue(void) { return vtd_attach(edu[0].source_id, DOMAIN, table); }

static bool detach_by_register(void)
{
	vtd_context(edu[0].source_id)[0] = 0;
	vtd_write64(VTD_CCMD, CCMD_ICC | CCMD_DEVICE | (uint64_t)edu[0].source_id << 16 | DOMAIN);
	return !(vtd_read64(VTD_CCMD) & CCMD_ICC);
}

static bool translation_off(void) { return vtd_command(GCMD_TE, false); }

static bool translation_on(void) { return vtd_command(GCMD_TE, true); }

static bool empty_root(void)
{
	static uint64_t *empty;

	if (!empty) empty = vtd_table();
	vtd_write64(VTD_RTADDR, (uint64_t)empty);
	return vtd_command(GCMD_SRTP, true);
}

/* What the guest waits for is seen only when the leaf is gone or, retyped, has its other type. */
static void changes_leaves(bool (*action)(void), const char *text)
{
	uint64_t transitions = vmcall_counter(COUNTER_TRANSITIONS), before, after;
	unsigned had, has;
	bool completed;

	mmio_read8(PROBE);
	before = vmcall_ept_walk(PROBE, &had);
	completed = action();
	after = vmcall_ept_walk(PROBE, &has);
	transitions = vmcall_counter(COUNTER_TRANSITIONS) - transitions;
	check_words(had && completed && transitions == 1 &&
			    (vmcall_retypes() ? has && ((before ^ after) & LEAF_TYPE_BITS) : !has),
		    words("%s, %scompleted, %s, %lu transitions", leaf_words(before, had).text, completed ? "" : "not ",
			  leaf_words(after, has).text, transitions),
		    words("a leaf, then %s, 1 transition", vmcall_retypes() ? "one of another type" : "none"),
		    "%s: the %s is over by then", text, vmcall_retypes() ? "retype" : "zap");
}

static void by_order(void)
{
	detach_both();
	changes_leaves(attach_by_queue, "attached, the wait descriptor's status seen");
	changes_leaves(translation_off, "translation off, TES is 0");
	changes_leaves(translation_on, "translation on, TES is 1");
	changes_leaves(empty_root, "an empty root table, RTPS is 1");
	changes_leaves(vtd_set_root, "the full one, RTPS is 1");
	changes_leaves(detach_by_register, "detached by CCMD, ICC is 0");
}

/* With ECAP.SC a mapping can make a device's writes snoop. */
static void by_mapping(void)
{
	detach_both();
	set_leaf(0, (uint64_t)pages[0] | SL_RW | SL_SNOOP);
	set_leaf(PAGE_SIZE, (uint64_t)pages[1] | SL_RW);
	good_context(&edu[0]);
	count_is(0, "attached, nothing translated yet");
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "DMA through a page with SNP");
	count_is(0, "... which forces it to snoop");
	pages[0][PAGE_SIZE - 1] = pages[1][0] = 0;
	edu_dma_raw(&edu[0], EDU_DMA_BUFFER + 0x400, IOVA + PAGE_SIZE - BYTES / 2, BYTES, EDU_DMA_TO_MEMORY);
	count_is(1, "one DMA from that page into one without SNP");
	check(pages[0][PAGE_SIZE - 1] && pages[1][0], "... both halves of it arrived");
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "DMA through the first page again");
	count_is(1, "... it stays noncoherent");
	set_context(&edu[0], 0, 0);
	count_is(0, "detached");
	set_context(&edu[0], CONTEXT_PASS_THROUGH | CONTEXT_PRESENT, WIDTH);
	count_is(1, "pass-through at once");
	enable_no_snoop(&edu[0], false);
	count_is(0, "... Enable No Snoop cleared");
	enable_no_snoop(&edu[0], true);
	count_is(1, "... set again");
	detach_both();
}

/* Allowed with CM=0: nothing needs to be announced that was not present. */
static void found_by_dma(void)
{
	detach_both();
	vtd_context(edu[0].source_id)[1] = WIDTH;
	vtd_context(edu[0].source_id)[0] = (uint64_t)table | CONTEXT_PRESENT;
	count_is(0, "an entry that became present, not announced");
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "its first DMA arrives");
	count_is(1, "... and told of it");
}

void attach_cases(void)
{
	heading("What is reported");
	if (!check_whether(true, vmcall_present(), "an answer", "none", "VMCALL answers with version 2 or above"))
		return;
	if (vtd_read64(VTD_ECAP) & ECAP_SC) {
		by_mapping();
		return;
	}
	by_context();
	by_existence();
	by_scope();
	by_command();
	by_device();
	by_order();
	if (!(vtd_read64(VTD_CAP) & CAP_CM)) found_by_dma();
	detach_both();
	count_is(0, "at the end");
}
