// SPDX-License-Identifier: MIT
/*
 * What every guest finds at its entry, as firmware and a multiboot loader leave a PC: the CPU, the
 * MTRRs, memory with its holes, the module, PCI; and what the hypervisor counts. The command line
 * tells what was asked of the VM: mem=MiB, edu=N devices, module=BYTES with the sum of its bytes
 * in sum=N, policy=what VMCALL has to say of memtype= and the other choices, cpus=N, tsc=Hz. Needs Leafcutter.
 */
#include "guest/contract/contract.h"
#include "guest/contract/features.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "lib/bits.h"

#define MTRR_ENABLED_WB 0xc06
#define ALL_WB          0x0606060606060606UL
#define PCI_HOLE        0xc0000000UL
#define MASK_VALID      BIT(11)
#define CHOSEN_NAMED    (CHOSEN_POLICY | CHOSEN_TRANSITION | CHOSEN_FILL | CHOSEN_COHERENCE | CHOSEN_STRICT)

static void check_cpu(void)
{
	const struct entry_state *s = &entry_state;

	heading("The CPU at entry");
	check_is(0x11, s->cr0, "CR0: protected mode, no paging, CD = NW = 0");
	check_is(0, s->cr4, "CR4");
	check_is(0, s->efer, "IA32_EFER");
	check_is(2, s->eflags, "EFLAGS: interrupts off, forward");
	check_is(PAT_RESET, rdmsr(MSR_IA32_PAT), "IA32_PAT has its reset value");
	check_is(0xfee00900, rdmsr(MSR_IA32_APIC_BASE), "local APIC on, this is the BSP");
}

static bool same_leaf(uint32_t a, uint32_t b)
{
	struct cpuid_result x = cpuid(a, 0), y = cpuid(b, 0);

	return x.eax == y.eax && x.ebx == y.ebx && x.ecx == y.ecx && x.edx == y.edx;
}

static void check_cpuid(void)
{
	uint32_t last = cpuid(0, 0).eax;

	heading("CPUID");
	check_is(0x15, last, "the last basic leaf");
	check(same_leaf(last, last + 1) && same_leaf(last, 0x3fffffff) && same_leaf(last, 0x80000009),
	      "a leaf beyond the last is the last basic one");
	check(!cpuid(5, 0).eax && !cpuid(0xa, 0).eax && !cpuid(0x10, 0).ebx && !cpuid(0x14, 0).eax,
	      "no MONITOR, no counters, no resource control, no trace");
	check_is(48, cpuid(0x80000008, 0).eax >> 8 & 0xff, "linear addresses as wide as without LA57");
}

static void check_mtrrs(void)
{
	uint64_t width = BITS((cpuid(0x80000008, 0).eax & 0xff) - 1, 0);
	unsigned ranges = rdmsr(MSR_IA32_MTRRCAP) & 0xff, on = 0;
	uint64_t fixed = 0;

	heading("The MTRRs");
	check_is(MTRR_ENABLED_WB, rdmsr(MSR_IA32_MTRR_DEF_TYPE), "on, fixed ranges on, default WB");
	check_is(ALL_WB, rdmsr(MSR_IA32_MTRR_FIX64K_00000), "0 to 512 K is WB");
	check_is(ALL_WB, rdmsr(MSR_IA32_MTRR_FIX16K_80000), "512 K to 640 K is WB");
	fixed = rdmsr(MSR_IA32_MTRR_FIX16K_A0000);
	for (uint32_t msr = MSR_IA32_MTRR_FIX4K_C0000; msr <= MSR_IA32_MTRR_FIX4K_F8000; msr++) fixed |= rdmsr(msr);
	check_is(0, fixed, "640 K to 1 MiB is UC");
	check_is(PCI_HOLE, rdmsr(MSR_IA32_MTRR_PHYSBASE0), "range 0 begins at 3 GiB and is UC");
	check_is((~(4 * GiB - PCI_HOLE - 1) & width) | MASK_VALID, rdmsr(MSR_IA32_MTRR_PHYSMASK0),
		 "... and ends at 4 GiB");
	for (unsigned n = 1; n < ranges; n++) on += (rdmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n) & MASK_VALID) != 0;
	check_words(ranges > 1 && !on, words("%u of %u on", on, ranges - 1), words("none"),
		    "the other %u ranges are off", ranges - 1);
}

static void check_module(void)
{
	uint64_t size = guest_number("module", 0), sum = 0;

	heading("The module");
	check_count(size != 0, guest.modules, "modules", "as many modules as an initrd line");
	if (!size) return;
	check_count(size, guest.module_end - guest.module_start, "bytes", "its size");
	check(IS_ALIGNED(guest.module_start, PAGE_SIZE), "it begins on a page");
	for (uint64_t at = guest.module_start; at < guest.module_end; at++) sum += mmio_read8(at);
	check_is(guest_number("sum", 0), sum, "the sum of its bytes");
	check_is(0, mmio_read8(guest.module_end), "behind it memory is 0");
}

/* The number of memtype=, a mode, and a bit for each other word; only with policy= is it known which. */
static void check_chosen(uint64_t chosen)
{
	uint64_t told = guest_number("policy", chosen);

	check(FIELD(chosen, CHOSEN_POLICY) < MEMTYPE_POLICIES && FIELD(chosen, CHOSEN_TRANSITION) <= 1 &&
		      !(chosen & ~CHOSEN_NAMED),
	      "what was chosen for this VM, 0x%lx, has a name", chosen);
	if (told != chosen) printf("With policy=0x%lx this image fails by design: the VM has another.\n", told);
	if (guest_number("policy", ~0UL) != ~0UL) check_is(told, chosen, "... and is what policy= says");
}

static void check_version(void)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_VERSION, .rbx = 99, .rcx = 99};

	heading("The version");
	vmcall(&call);
	check_is(0, call.rax, "VMCALL 0 returns 0");
	check(call.rbx >= 2, "the contract's version is %lu: 2 or later", call.rbx);
	check_chosen(call.rcx);
	call = (struct vmcall){.rax = VMCALL_BASE + VMCALL_MARK, .rbx = ~0UL};
	vmcall(&call);
	check_is(0, call.rax, "VMCALL 3 takes a mark of any value");
	check_is(~0UL, call.rbx, "... and returns nothing else");
}

static void check_counters(void)
{
	uint64_t fresh = ALIGN_DOWN(ram_end() - 1, 2 * MiB), leaf, before, exits;
	unsigned level;

	heading("What is counted");
	check_count(0, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "0: no device is attached");
	check_count(0, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "1: no transition");
	check_count(0, vmcall_counter(COUNTER_LEAVES_CLEARED), "leaves", "2: no leaf was cleared");
	check_count(0, vmcall_counter(COUNTER_LAST_ZAP), "leaves", "3: nor by the last zap");
	check_count(0, vmcall_counter(COUNTER_MISCONFIGURATIONS), "misconfigurations", "6: no misconfiguration");
	check_count(0, vmcall_counter(COUNTER_TRANSITION_TICKS), "ticks", "7: nor its ticks");
	check_count(0, vmcall_counter(COUNTER_RETYPED), "leaves", "9: no leaf was retyped");
	check_count(0, vmcall_counter(COUNTER_STALE_USES), "uses", "10: no stale entry was used");

	leaf = vmcall_ept_walk(fresh, &level);
	check_words(!level, leaf_words(leaf, level), leaf_words(0, 0), "no leaf where nothing was touched");
	before = vmcall_counter(COUNTER_VIOLATIONS);
	/* In the smallest VM it is page 0, of which firmware has the beginning. */
	check_is(0, mmio_read64(fresh + BIOS_DATA_END), "memory never touched is 0");
	check_count(before + 1, vmcall_counter(COUNTER_VIOLATIONS), "violations", "5: that was one violation");
	mmio_read32(HOLE);
	check_count(before + 2, vmcall_counter(COUNTER_VIOLATIONS), "violations", "... and MMIO is one more");

	exits = vmcall_counter(COUNTER_EXITS);
	before = vmcall_counter(COUNTER_EXITS) - exits;
	check_words(before >= 1 && before < 10, words("%lu exits", before), words("1 to 9"),
		    "8: from VMCALL to VMCALL %lu exits", before);
	check(exits > vmcall_counter(COUNTER_VIOLATIONS), "... of which violations are some");
}

int guest_main(void)
{
	printf("What a guest finds at its entry.\n");
	check_cpu();
	check_cpuid();
	check_mtrrs();
	check_version();
	check_counters();
	check_memory(guest_number("mem", 32) * MiB);
	check_module();
	check_pci((unsigned)guest_number("edu", 0));
	check_topology((unsigned)guest_number("cpus", 1));
	check_clock(guest_number("tsc", 0));
	check_features();
	check_xsave_sizes();
	return check_status();
}
