/* SPDX-License-Identifier: MIT */
/* The RAM and the job of tests/lib/load_job.h. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/load_job.h"
#include "tests/lib/load_put.h"
#include "tests/lib/test.h"

uint8_t *ram;
struct guest_map map;
struct load_job job;
struct load_entry entry;

void load_job_begin(uint64_t size, uint8_t untouched)
{
	ram = malloc(size);
	memset(ram, untouched, size);
	guest_map_make(&map, size, 0);
	memset(&entry, 0, sizeof(entry));
	job = (struct load_job){.name = "demo", .command_line = "", .ram = ram, .map = &map, .put = load_put};
}

int load_job_end(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

void load(void)
{
	const char *problem = load_image(&job, &entry);

	if (problem) fail_msg("refused: %s", problem);
}

void load_refused(const char *why)
{
	const char *problem = load_image(&job, &entry);

	assert_non_null(problem);
	if (!strstr(problem, why)) fail_msg("refused because '%s', expected '%s'", problem, why);
}
