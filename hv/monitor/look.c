/* SPDX-License-Identifier: MIT */
/*
 * What the monitor shows, asked of those who decide it: ept/explain.h, iommu_show(), the walk of
 * hv/emulate/. A guest's tables are read through a guest_ram of our own, which shows each entry and
 * sets no flag in it. (With coherence=model that read is one of the guest's CPU.)
 */
#include "hv/monitor/look.h"

#include "ept/explain.h"
#include "hv/machine/console.h"
#include "hv/vm/guest_memory.h"
#include "hv/vm/run.h"
#include "hv/vm/vm.h"
#include "lib/bits.h"
#include "lib/format.h"

static void print_line(void *ctx, const char *text)
{
	(void)ctx;
	print("  %s", text);
}

void look_at_place(struct vcpu *vcpu)
{
	char prefix[VM_NAME_MAX + 8] = "";

	vcpu_switch_to(vcpu);
	format_append(prefix, sizeof(prefix), "vm %s:", vcpu->vm->options.name);
	vcpu_print_place(vcpu, prefix);
}

static void explain(const struct vcpu *vcpu, uint64_t gpa, unsigned pat_index)
{
	const struct ept_pat pat = {
		.value = vmread(VMCS_GUEST_IA32_PAT),
		.index = vmread(VMCS_GUEST_CR0) & CR0_PG ? pat_index : EPT_NO_PAGING,
	};
	struct ept_explanation why;

	ept_explain(&vcpu->vm->ept, &vcpu->ept_cpu, &pat, gpa, &why);
	ept_explain_print(&why, print_line, NULL);
}

void look_at_gpa(const struct vcpu *vcpu, uint64_t gpa) { explain(vcpu, gpa, 0); }

/* The entries of a walk through the guest's tables, as they are read. */
struct spy {
	struct vcpu *vcpu;
	bool quiet;
	unsigned entries;
	uint64_t last;
};

static int spy_read(void *ctx, uint64_t gpa, void *to, unsigned size)
{
	struct spy *spy = ctx;
	/* As a snooping device does: where caches are modelled, to look at a page does not cache
	 * it. */
	int error = vm_ram_read(spy->vcpu->vm, gpa, to, size, false);

	spy->last = 0;
	if (!error) memcpy(&spy->last, to, size);
	spy->entries++;
	if (!spy->quiet) print("  guest table at 0x%lx: 0x%lx%s", gpa, spy->last, error ? ", not RAM" : "");
	return error;
}

static int spy_exchange(void *ctx, uint64_t gpa, unsigned size, uint64_t expected, uint64_t desired)
{
	(void)ctx;
	(void)gpa;
	(void)size;
	(void)expected;
	(void)desired;
	return 0; /* accessed and dirty flags are the guest's */
}

/* Which entry of the PAT the guest's page names: PAT, PCD and PWT (SDM 3A 12.12.3). */
static unsigned pat_index(const struct spy *spy, bool four_levels)
{
	bool is_4k = spy->entries == (four_levels ? 4 : 2);
	uint64_t pat_bit = is_4k ? PAGE_4K_PAT : PAGE_LARGE_PAT;

	return (spy->last & pat_bit ? 4U : 0) | (spy->last & PAGE_PCD ? 2U : 0) | (spy->last & PAGE_PWT ? 1U : 0);
}

/* As the kernel reads. 0, or as guest_walk(). */
static int walk(struct spy *spy, struct guest_paging *paging, uint64_t linear, uint64_t *gpa, uint32_t *error_code)
{
	const struct guest_ram ram = {.ctx = spy, .read_table = spy_read, .compare_exchange = spy_exchange};

	guest_read_paging(spy->vcpu, paging);
	paging->cpl = 0;
	paging->cr4 &= ~CR4_SMAP;
	return guest_walk(paging, &ram, linear, GUEST_READ, gpa, error_code);
}

bool look_up_linear(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
	struct spy spy = {.vcpu = vcpu, .quiet = true};
	struct guest_paging paging;
	uint32_t error_code;

	return !walk(&spy, &paging, linear, gpa, &error_code);
}

void look_at_linear(struct vcpu *vcpu, uint64_t linear)
{
	struct spy spy = {.vcpu = vcpu};
	struct guest_paging paging;
	uint32_t error_code = 0;
	uint64_t gpa;
	int error = walk(&spy, &paging, linear, &gpa, &error_code);

	if (error) {
		print("  0x%lx is not mapped: %s, error code 0x%x", linear,
		      error == -EFAULT   ? "page fault"
		      : error == -EINVAL ? "not canonical"
					 : "a table that is not RAM",
		      error_code);
		return;
	}
	print("  guest-physical 0x%lx", gpa);
	explain(vcpu, gpa, pat_index(&spy, paging.efer & EFER_LMA));
}

void look_at_ept(const struct vm *vm)
{
	static const char *const size[] = {"no", "4K", "2M", "1G"};
	struct ept_span span;
	unsigned spans = 0;

	for (uint64_t gpa = 0; ept_next_span(&vm->ept, gpa, &span); gpa = span.gpa + span.size) {
		spans++;
		print("  0x%09lx-0x%09lx %6lu leaves of %s, %c%c%c, %s%s", span.gpa, span.gpa + span.size - 1,
		      span.size / page_level_size(span.level), size[span.level], span.bits & EPT_READ ? 'R' : '-',
		      span.bits & EPT_WRITE ? 'W' : '-', span.bits & EPT_EXECUTE ? 'X' : '-',
		      memtype_name((unsigned)FIELD(span.bits, EPT_TYPE)),
		      span.bits & EPT_IGNORE_PAT ? " + ignore PAT" : "");
	}
	print("  %u runs in %lu tables; noncoherent count %u, policy %s", spans, vm->ept.stats.tables,
	      vm->ept.noncoherent, memtype_policy_name(vm->ept.policy));
}

void look_at_mtrrs(const struct vcpu *vcpu)
{
	mtrr_print(&vcpu->mtrr, print_line, NULL);
	print("  CR0.CD %u, IA32_PAT 0x%016lx", vcpu->ept_cpu.cd, vmread(VMCS_GUEST_IA32_PAT));
}

void look_at_iommu(const struct vm *vm)
{
	if (vm->iommu)
		iommu_show(vm->iommu, print_line, NULL);
	else
		print("  iommu=off: there is none");
}
