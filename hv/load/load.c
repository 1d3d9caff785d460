/* SPDX-License-Identifier: MIT */
/*
 * The table of loaders. To add a protocol: one file with a probe and a load, and one row here.
 */
#include "hv/load/load.h"

#include "hv/load/bzimage.h"
#include "hv/load/multiboot.h"
#include "lib/bits.h"
#include "lib/errno.h"

static const struct loader loaders[] = {
	{"bzImage", bzimage_probe, bzimage_load},
	{"multiboot", multiboot_probe, multiboot_load},
};

int load_image(const struct load_job *job, struct load_entry *entry, const char **problem)
{
	for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++)
		if (loaders[i].probe(job->image, job->size)) return loaders[i].load(job, entry, problem);
	*problem = "no bzImage, and no multiboot header in the first 8192 bytes: no guest image";
	return -ENOEXEC;
}
