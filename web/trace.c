// SPDX-License-Identifier: MIT
/*
 * What the timeline has to know of a trace, from the hypervisor's own headers: the numbers of its
 * records, and a record in words. tools/trace.c is the same for a terminal.
 */
#include "hv/vmcs/vmcs.h"
#include "web/machine.h"
#include "web/play.h"

static const char *exit_name(uint64_t reason)
{
	static const char *const names[EXIT_REASONS] = {
#define EXIT(number, reason, handler, name) [number] = (name),
#include "hv/vmcs/exits.inc"
#undef EXIT
	};

	return reason < EXIT_REASONS && names[reason] ? names[reason] : "unknown";
}

void trace_format(struct out *out)
{
	static const struct {
		const char *name;
		enum event_type type;
	} types[] = {
		{"EXIT", EVENT_EXIT},       {"INJECTION", EVENT_INJECTION},
		{"INSTALL", EVENT_INSTALL}, {"ATTACH", EVENT_ATTACH},
		{"DETACH", EVENT_DETACH},   {"COHERENCE", EVENT_COHERENCE},
		{"COUNT", EVENT_COUNT},     {"TRANSITION", EVENT_TRANSITION},
		{"ZAP", EVENT_ZAP},         {"INVEPT", EVENT_INVEPT},
		{"WBINVD", EVENT_WBINVD},   {"FAULT", EVENT_FAULT},
		{"STALE", EVENT_STALE},     {"MARK", EVENT_MARK},
		{"END", EVENT_END},         {"TRACE", EVENT_TRACE},
		{"NAME", EVENT_NAME},       {"RETYPE", EVENT_RETYPE},
		{"RUN", EVENT_RUN},         {"TYPES", EVENT_TYPES},
	};

	out_print(out, "{\"size\":%u,\"magic\":\"0x%lx\",\"types\":{", (unsigned)sizeof(struct event),
		  (uint64_t)EVENT_TRACE_MAGIC);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		out_comma(out);
		out_print(out, "\"%s\":%u", types[i].name, (unsigned)types[i].type);
	}
	out_print(out, "},\"reasons\":[");
	for (unsigned i = 0; i < EXIT_REASONS; i++) {
		out_comma(out);
		out_string(out, exit_name(i));
	}
	out_print(out, "]}");
}

void trace_text(const struct event *event, struct out *out)
{
	char text[LINE_SIZE];

	if (event->type == EVENT_EXIT) {
		out_print(out, "exit: %s, 0x%lx, at rip 0x%lx, %u ticks", exit_name(FIELD(event->c, EVENT_REASON)),
			  (uint64_t)(event->c & EVENT_DETAIL), event->b, event->a);
		return;
	}
	event_text(event, text, sizeof(text));
	out_print(out, "%s", text);
}
