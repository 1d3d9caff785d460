// SPDX-License-Identifier: MIT
/*
 * What happened, in words. Events have the words of hv/events/text.c; beside each line stands the
 * function that did it, its file, and the section of the manual it obeys.
 */
#include <stdarg.h>

#include "lib/format.h"
#include "lib/string.h"
#include "web/machine.h"

static const struct by event_by[EVENT_TYPES] = {
	[EVENT_INSTALL] = {"install", "ept_fault", "ept/fault.c", "SDM 3C 29.3.2"},
	[EVENT_ATTACH] = {"device", "track", "iommu/attach.c", "VT-d 6.5.2"},
	[EVENT_DETACH] = {"device", "track", "iommu/attach.c", "VT-d 6.5.2"},
	[EVENT_COHERENCE] = {"device", "track", "iommu/attach.c", "VT-d 9.8"},
	[EVENT_COUNT] = {"count", "ept_noncoherent_change", "ept/zap.c", "SDM 3C 29.3.7.2"},
	[EVENT_TRANSITION] = {"transition", "ept_noncoherent_change", "ept/zap.c", "SDM 3C 29.3.7.2"},
	[EVENT_ZAP] = {"zap", "clear_leaves", "ept/zap.c", "SDM 3C 29.3.2"},
	[EVENT_RETYPE] = {"retype", "ept_retype_all", "ept/retype.c", "SDM 3C 29.3.7.2"},
	[EVENT_INVEPT] = {"invept", "ept_flush", "ept/ept.c", "SDM 3C 29.4.3.3"},
	[EVENT_WBINVD] = {"wbinvd", "vm_write_back", "hv/vm/events.c", "SDM 3A 12.11.8"},
	[EVENT_FAULT] = {"fault", "iommu_fault", "iommu/fault.c", "VT-d 7.1"},
	[EVENT_STALE] = {"stale", "iommu_compare_page", "iommu/strict.c", "VT-d 6.2"},
};

static struct line *next_line(struct machine *m, const struct by *by)
{
	struct line *line = &m->line[m->lines];

	if (m->lines == LINES) {
		m->lost++;
		return NULL;
	}
	m->lines++;
	line->text[0] = '\0';
	line->kind = by->kind;
	line->function = by->function;
	line->file = by->file;
	line->section = by->section;
	return line;
}

void say(struct machine *m, const struct by *by, const char *text, ...)
{
	struct line *line = next_line(m, by);
	va_list args;

	if (!line) return;
	va_start(args, text);
	format_text(line->text, LINE_SIZE, text, args);
	va_end(args);
}

/* No clock runs here, so the ticks of a transition are left out. */
static void cut_ticks(char *text)
{
	static const char ticks[] = ", 0 ticks";
	size_t length = strlen(text), cut = sizeof(ticks) - 1;

	if (length > cut && !strcmp(text + length - cut, ticks)) text[length - cut] = '\0';
}

void tell(struct machine *m, enum event_type type, unsigned cpu, uint32_t a, uint64_t b, uint64_t c)
{
	struct event event = {.type_and_source = event_source(cpu, 0, cpu) | type, .a = a, .b = b, .c = c};
	struct line *line = next_line(m, &event_by[type]);

	if (!line) return;
	event_text(&event, line->text, LINE_SIZE);
	cut_ticks(line->text);
}
