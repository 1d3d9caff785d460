/* SPDX-License-Identifier: MIT */
/*
 * The table of loaders. To add a protocol: one file with a probe and a load, and one row here.
 */
#include "hv/load/load.h"

#include "hv/load/elf.h"

static const struct {
	/* Whether image[0..size) is meant for this loader; it may still be damaged. */
	bool (*probe)(const uint8_t *image, size_t size);
	/* As load_image(), of an image that the probe knows. */
	const char *(*load)(const struct load_job *job, struct load_entry *entry);
} loaders[] = {
	{bzimage_probe, bzimage_load},
	{elf_has_multiboot, multiboot_load},
};

const char *load_image(const struct load_job *job, struct load_entry *entry)
{
	for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++)
		if (loaders[i].probe(job->image, job->size)) return loaders[i].load(job, entry);
	return "no bzImage, and no multiboot header in the first 8192 bytes: expected a guest image";
}
