// SPDX-License-Identifier: MIT
/*
 * Single instructions that a hypervisor serves with an exit each.
 */
#include "guest/bench/bench.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"

#define NO_PORT 0x1234

static struct edu_device edu;
static uint64_t pat, mtrr;

static void do_cpuid(void) { cpuid(0, 0); }

static void do_vmcall(void)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_VERSION};

	vmcall(&call);
}

static void do_wbinvd(void) { wbinvd(); }

static void do_in_uart(void) { inb(0x3f8 + 7); }

static void do_out_uart(void) { outb(0x3f8 + 7, 0); }

static void do_in_nothing(void) { inb(NO_PORT); }

static void do_out_nothing(void) { outb(NO_PORT, 0); }

static void do_read_mtrr(void) { rdmsr(MSR_IA32_MTRR_DEF_TYPE); }

static void do_write_mtrr(void) { wrmsr(MSR_IA32_MTRR_DEF_TYPE, mtrr); }

static void do_read_pat(void) { rdmsr(MSR_IA32_PAT); }

static void do_write_pat(void) { wrmsr(MSR_IA32_PAT, pat); }

static void do_mmio_read(void) { mmio_read32(edu.bar + EDU_LIVENESS); }

static void do_mmio_write(void) { mmio_write32(edu.bar + EDU_LIVENESS, 1); }

static void do_ioapic_read(void) { mmio_read32(IOAPIC_BASE); }

static void do_pci_read(void) { pci_read32(0, PCI_VENDOR_ID); }

static void try_vmcall(void *argument)
{
	(void)argument;
	do_vmcall();
}

void bench_instructions(void)
{
	pat = rdmsr(MSR_IA32_PAT);
	mtrr = rdmsr(MSR_IA32_MTRR_DEF_TYPE);
	report("CPUID", measure(do_cpuid));
	if (try_call(try_vmcall, NULL) < 0) report("VMCALL", measure(do_vmcall));
	report("WBINVD", measure(do_wbinvd));
	report("port in, uart", measure(do_in_uart));
	report("port out, uart", measure(do_out_uart));
	report("port in, nothing there", measure(do_in_nothing));
	report("port out, nothing there", measure(do_out_nothing));
	report("MSR read, MTRR", measure(do_read_mtrr));
	report("MSR write, MTRR", measure(do_write_mtrr));
	report("MSR read, PAT", measure(do_read_pat));
	report("MSR write, PAT", measure(do_write_pat));
	report("PCI configuration read (2 port accesses)", measure(do_pci_read));
	report("MMIO read, IOAPIC or nothing", measure(do_ioapic_read));
	if (!edu_find(0, &edu)) return;
	report("MMIO read, edu", measure(do_mmio_read));
	report("MMIO write, edu", measure(do_mmio_write));
}
