/* SPDX-License-Identifier: MIT */
/*
 * An event in words. The console's lines about devices, counts, transitions and ends are these
 * texts behind the VM's name; a killed VM's last events are shown in them too.
 */
#include "ept/ept.h"
#include "hv/events/event.h"
#include "lib/format.h"

/* To the text of an event, which is at hand in each function below. */
#define add(...) format_append(text, size, __VA_ARGS__)

static void device_text(const struct event *e, char *text, size_t size)
{
	const char *what = e->type == EVENT_ATTACH ? "attached," : e->type == EVENT_DETACH ? "detached, was" : "is now";
	unsigned id = (unsigned)FIELD(e->a, EVENT_DEVICE);

	add("device " PCI_ID " %s %s", PCI_ID_ARGS(id), what, e->a & EVENT_NONCOHERENT ? "noncoherent" : "coherent");
}

static void count_text(const struct event *e, char *text, size_t size)
{
	add("noncoherent count %lu -> %lu: ", FIELD(e->a, EVENT_COUNT_BEFORE), FIELD(e->a, EVENT_COUNT_AFTER));
	if (e->type == EVENT_COUNT)
		add("no transition");
	else
		add("cleared %lu leaves in %lu tables, INVEPT %lu, %lu ticks", FIELD(e->b, EVENT_LEAVES),
		    FIELD(e->b, EVENT_TABLES), FIELD(e->a, EVENT_INVEPTS), e->c);
}

static void run_text(const struct event *e, char *text, size_t size)
{
	uint64_t bytes = e->c & EVENT_BYTES;
	unsigned n = (unsigned)FIELD(e->a, EVENT_LEVEL);

	add("%s: ", e->a & EVENT_BEGINS ? "all leaves" : "and");
	if (!n)
		add("none");
	else
		add("0x%lx-0x%lx %lu of %s, %s", e->b, e->b + bytes - 1, bytes >> page_level_shift(n),
		    ept_level_names[n], memtype_leaf_name(e->c));
}

static void end_text(const struct event *e, char *text, size_t size)
{
	if (e->a & EVENT_KILLED)
		add("killed");
	else
		add("exited with status %lu", e->b);
}

void event_text(const struct event *e, char *text, size_t size)
{
	if (!size) return;
	text[0] = 0;
	switch (e->type) {
	case EVENT_EXIT: add("exit reason %lu at rip 0x%lx, %u ticks", FIELD(e->c, EVENT_REASON), e->b, e->a); return;
	case EVENT_INJECTION: add("vector 0x%x injected", (unsigned)FIELD(e->a, EVENT_VECTOR)); return;
	case EVENT_INSTALL:
		add("fault at 0x%lx, %s leaf, %s", e->b, ept_level_names[FIELD(e->a, EVENT_LEVEL)],
		    memtype_leaf_name(e->c));
		return;
	case EVENT_ATTACH:
	case EVENT_DETACH:
	case EVENT_COHERENCE: device_text(e, text, size); return;
	case EVENT_COUNT:
	case EVENT_TRANSITION: count_text(e, text, size); return;
	case EVENT_ZAP: add("zap from 0x%lx of 0x%lx bytes: %u leaves", e->b, e->c, e->a); return;
	case EVENT_INVEPT: add("INVEPT on CPU %u", e->cpu); return;
	case EVENT_WBINVD: add("WBINVD on CPU %u%s", e->cpu, e->a & EVENT_BY_GUEST ? " for the guest" : ""); return;
	case EVENT_FAULT: add("IOMMU fault 0x%x: record %016lx %016lx", e->a, e->c, e->b); return;
	case EVENT_STALE: add("stale IOMMU entry used by 0x%04x at 0x%lx", e->a, e->b); return;
	case EVENT_MARK: add("mark %lu", e->b); return;
	case EVENT_RETYPE:
		add("retyped %lu leaves in %lu tables", FIELD(e->b, EVENT_LEAVES), FIELD(e->b, EVENT_TABLES));
		return;
	case EVENT_RUN: run_text(e, text, size); return;
	case EVENT_END: end_text(e, text, size); return;
	case EVENT_TRACE: add("%lu records so far", e->b); return;
	case EVENT_NAME: add("name %.16s", (const char *)&e->b); return;
	default: add("event %u", e->type);
	}
}
