/* SPDX-License-Identifier: MIT */
/* Lab 11: what is so when ept/ flushes because a leaf came back over a table. */
#include "ept/table.h"
#include "tests/ept_fixture.h"

static unsigned level_at_flush, tables_at_flush;

/* Called under the lock: the walk without one. */
static void look(void *arg)
{
	(void)arg;
	tables_at_flush = w.tables;
	ept_find_leaf(&ept, 0, &level_at_flush);
}

TEST(at_the_flush_the_leaf_is_stored_and_the_table_is_not_freed)
{
	large_ram(0, 4 * MiB);
	ept.caps.large_2m = false;
	touch(0);
	ept_zap_all(&ept);
	ept.caps.large_2m = true;
	w.on_flush = look;
	touch(0x5000);
	w.on_flush = NULL;
	assert_int_equal(level_at_flush, 2);
	assert_int_equal(tables_at_flush, 4);
	assert_int_equal(w.tables, 3);
}
