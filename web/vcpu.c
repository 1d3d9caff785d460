// SPDX-License-Identifier: MIT
/*
 * An access by a guest CPU: translated from what the CPU has cached or by a walk
 * (tests/model/model_cpu.c), served with a leaf where there is none (ept/fault.c), and then a byte
 * is read or written. hv/exits/ept.c is the original of violation().
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "web/machine.h"

static const struct by access_by = {"access", "memtype_effective", "ept/memtype.c", "SDM 3C 29.3.7.2"};
static const struct by violation_by = {"violation", "exit_ept_violation", "hv/exits/ept.c", "SDM 3C 29.3.3.2"};
static const struct by old_by = {"stale", "ept_fault_begin", "ept/fault.c", "SDM 3C 29.3.7.2"};
static const struct by defect_by = {"stale", "model_translate", "tests/model/model_cpu.c", "SDM 3C 29.4.2"};

/* No CPU has leaves of more levels. */
static uint64_t level_span(unsigned level) { return page_level_size(level); }

const struct model_cached *cpu_cached(const struct machine *m, unsigned cpu, uint64_t gpa)
{
	for (unsigned i = 0; i < MODEL_LEAVES; i++) {
		const struct model_cached *hit = &m->cpu[cpu].leaf[i];

		if (hit->level && ALIGN_DOWN(gpa, level_span(hit->level)) == hit->gpa) return hit;
	}
	return NULL;
}

static uint64_t through(uint64_t leaf, unsigned level, uint64_t gpa)
{
	return ALIGN_DOWN(leaf & EPT_ADDRESS, level_span(level)) + gpa % level_span(level);
}

static bool allows(uint64_t leaf, bool write) { return (leaf & EPT_READ) && (!write || (leaf & EPT_WRITE)); }

/* The exit, and the leaf that answers it. */
static int violation(struct machine *m, unsigned cpu, uint64_t gpa, bool write)
{
	const struct ept_cpu ept_cpu = machine_ept_cpu(m, cpu);
	struct ept_fill fill;
	int error;

	model_violation(&m->cpu[cpu], gpa);
	say(m, &violation_by, "vCPU %u: EPT violation at 0x%lx, a %s", cpu, gpa, write ? "write" : "read");
	error = ept_fault(&m->ept, &ept_cpu, gpa, write, &fill);
	if (error)
		say(m, &violation_by, "vCPU %u: no RAM at 0x%lx%s: the access is the device models'", cpu, gpa,
		    error == -EPERM ? " that can be written" : "");
	else if (fill.level)
		tell(m, EVENT_INSTALL, cpu, fill.level, gpa, fill.bits);
	return error;
}

/* Is what the CPU goes by still what the tables say? Flags aside, which the CPU itself sets. */
static bool is_stale(const struct machine *m, uint64_t gpa, uint64_t leaf)
{
	const uint64_t flags = EPT_ACCESSED | EPT_DIRTY;
	unsigned level;

	return (ept_walk(&m->ept, gpa, &level) & ~flags) != (leaf & ~flags);
}

bool leaf_is_old(const struct machine *m, unsigned cpu, uint64_t gpa, uint64_t leaf)
{
	const struct ept_cpu ept_cpu = machine_ept_cpu(m, cpu);
	const uint64_t type = EPT_TYPE | EPT_IGNORE_PAT;
	struct ept_fill fill;

	return !ept_fault_begin(&m->ept, &ept_cpu, gpa, false, &fill) && (fill.bits & type) != (leaf & type);
}

static void say_access(struct machine *m, unsigned cpu, uint64_t gpa, bool write, uint8_t byte, uint64_t leaf)
{
	static const char *const place[] = {", memory's copy", ", the cache's copy"};
	enum memtype type = memtype_effective(leaf, m->pat[cpu], false);

	say(m, &access_by, "vCPU %u %s 0x%02x at 0x%lx: %s, leaf %s, effective %s%s", cpu, write ? "writes" : "reads",
	    byte, gpa, m->cpu[cpu].walked ? "walk" : "cached translation", memtype_leaf_name(leaf), memtype_name(type),
	    m->coherence ? place[FIELD(leaf, EPT_TYPE) == MEMTYPE_WB] : "");
	if (is_stale(m, gpa, leaf))
		say(m, &defect_by,
		    "stale: the tables have another leaf there, or none; vCPU %u has "
		    "not executed INVEPT since",
		    cpu);
	else if (leaf_is_old(m, cpu, gpa, leaf))
		say(m, &old_by, "the leaf has another type than a fault of vCPU %u would give it now", cpu);
}

int cpu_access(struct machine *m, unsigned cpu, uint64_t gpa, bool write, uint8_t *byte, bool quiet)
{
	const char *broken = NULL;
	uint64_t leaf, hpa;
	unsigned level;
	int error;

	m->cpu[cpu].writes = write;
	for (;;) {
		leaf = model_translate(&m->cpu[cpu], &m->world, m->ept.root, gpa, &level, &broken);
		if (broken) {
			say(m, &defect_by, "%s", broken);
			return -EFAULT;
		}
		if (leaf && allows(leaf, write)) break;
		error = violation(m, cpu, gpa, write);
		if (error) return error;
	}
	hpa = through(leaf, level, gpa);
	if (write)
		memory_write(&m->memory, hpa, *byte);
	else
		*byte = memory_read(&m->memory, hpa);
	if (!quiet) say_access(m, cpu, gpa, write, *byte, leaf);
	return 0;
}

int cpu_would_read(const struct machine *m, unsigned cpu, uint64_t gpa)
{
	const struct model_cached *hit = cpu_cached(m, cpu, gpa);
	const struct ept_cpu ept_cpu = machine_ept_cpu(m, cpu);
	struct ept_fill fill;
	unsigned level;
	uint64_t leaf = ept_walk(&m->ept, gpa, &level);

	if (hit) return memory_read(&m->memory, through(hit->value, hit->level, gpa));
	if (leaf) return memory_read(&m->memory, through(leaf, level, gpa));
	if (ept_fault_begin(&m->ept, &ept_cpu, gpa, false, &fill)) return -1;
	return memory_read(&m->memory, fill.hpa + gpa % PAGE_SIZE);
}

void cpu_write_back(struct machine *m, unsigned cpu)
{
	static const struct by by = {"wbinvd", "exit_wbinvd", "hv/exits/exit.c", "SDM 3A 12.11.8"};

	if (!m->ept.noncoherent) {
		say(m, &by, "vCPU %u: WBINVD has no effect while no device is noncoherent", cpu);
		return;
	}
	tell(m, EVENT_WBINVD, cpu, EVENT_BY_GUEST, 0, 0);
	if (m->coherence) ept_write_back(&m->ept, 0, m->ept.slots_end);
}
