// SPDX-License-Identifier: MIT
/* The one machine, and what it answers. The first step of a list is "vm ...", which makes it. */
#include "web/play.h"

#include "lib/string.h"
#include "web/machine.h"

static struct machine machine;
static struct out out;
static char input[PLAY_INPUT_SIZE];

char *play_input(void) { return input; }

const char *play_output(void) { return out.text; }

static void put_line(const struct line *line)
{
	out_comma(&out);
	out_print(&out, "{\"text\":");
	out_string(&out, line->text);
	out_print(&out, ",\"kind\":\"%s\",\"function\":\"%s\",\"file\":\"%s\",\"section\":\"%s\"}", line->kind,
		  line->function, line->file, line->section);
}

int play_step(void)
{
	int error = machine_command(&machine, input);

	out_clear(&out);
	out_print(&out, "{\"error\":");
	out_string(&out, machine.error);
	out_print(&out, ",\"lost\":%u,\"lines\":[", machine.lost);
	for (unsigned i = 0; i < machine.lines; i++) put_line(&machine.line[i]);
	out_print(&out, "]}");
	return error;
}

void play_state(void)
{
	out_clear(&out);
	machine_state(&machine, &out);
}

void play_explain(uint32_t cpu, uint64_t gpa)
{
	out_clear(&out);
	machine_explain(&machine, cpu % CPUS, gpa, &out);
}

void play_trace_format(void)
{
	out_clear(&out);
	trace_format(&out);
}

void play_trace_text(void)
{
	struct event event;

	memcpy(&event, input, sizeof(event));
	out_clear(&out);
	trace_text(&event, &out);
}
