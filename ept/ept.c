// SPDX-License-Identifier: MIT
/*
 * The extended page tables of one VM as an object: birth and death, the EPTP, and the flush.
 * Memory slots are in slot.c, tables in table.c; leaves come in fault.c and go in zap.c.
 */
#include "ept/table.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86.h"

const char *const ept_level_names[] = {"no", "4K", "2M", "1G", "reserved 512G"};

/* The only caller of host->flush. */
void ept_flush(struct ept *ept)
{
	ept->stats.flushes++;
	ept->host.flush(ept->host.ctx);
}

int ept_init(struct ept *ept, const struct ept_host *host, const struct ept_caps *caps, enum memtype_policy policy)
{
	memset(ept, 0, sizeof(*ept));
	ept->host = *host;
	ept->caps = *caps;
	ept->policy = policy;
	ept->root = table_new(ept);
	return ept->root ? 0 : -ENOMEM;
}

void ept_destroy(struct ept *ept)
{
	table_free_tree(ept, ept->root, EPT_ROOT_LEVEL);
	ept->root = 0;
}

uint64_t ept_pointer(const struct ept *ept)
{
	return ept->root | TO_FIELD(MEMTYPE_WB, EPTP_MEMORY_TYPE) | TO_FIELD(EPT_ROOT_LEVEL - 1, EPTP_WALK_LENGTH) |
	       (ept->caps.accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}
