/* SPDX-License-Identifier: MIT */
/* hv/events/: the record's layout, the ring of the last events, and events in words. */
#include <string.h>

#include "tests/lib/test.h"
#include "ept/ept.h"
#include "hv/events/event.h"

static struct event_ring ring;

static void put(uint64_t first, uint64_t last)
{
	for (uint64_t n = first; n <= last; n++) *event_ring_put(&ring) = (struct event){.type = EVENT_MARK, .b = n};
}

TEST(a_record_is_32_bytes_little_endian_in_the_order_of_the_trace)
{
	const struct event event = {
		.tsc = 0x0807060504030201,
		.type = 0x09,
		.cpu = 0x0a,
		.vm = 0x0b,
		.vcpu = 0x0c,
		.a = 0x100f0e0d,
		.b = 0x1817161514131211,
		.c = 0x201f1e1d1c1b1a19,
	};
	uint8_t bytes[32];

	memcpy(bytes, &event, sizeof(event));
	for (unsigned i = 0; i < 32; i++) assert_int_equal(bytes[i], i + 1);
	assert_int_equal(event.type_and_source, 0x09 | event_source(0x0a, 0x0b, 0x0c));
}

TEST(events_come_back_in_order_and_once)
{
	struct event read[8];
	uint64_t from = 0, lost;

	memset(&ring, 0, sizeof(ring));
	put(0, 9);
	assert_int_equal(event_ring_read(&ring, &from, read, 8, &lost), 8);
	assert_int_equal(lost, 0);
	for (unsigned i = 0; i < 8; i++) assert_int_equal(read[i].b, i);
	assert_int_equal(event_ring_read(&ring, &from, read, 8, &lost), 2);
	assert_int_equal(read[1].b, 9);
	assert_int_equal(event_ring_read(&ring, &from, read, 8, &lost), 0);
	assert_int_equal(from, 10);
}

TEST(what_was_overwritten_is_counted_as_lost)
{
	static struct event read[EVENT_RING_SIZE];
	uint64_t from = 0, lost;

	memset(&ring, 0, sizeof(ring));
	put(0, EVENT_RING_SIZE - 1);
	assert_int_equal(event_ring_read(&ring, &from, read, 1, &lost), 1);
	assert_int_equal(lost, 0);
	put(EVENT_RING_SIZE, EVENT_RING_SIZE + 4); /* over 0 to 4: of them 1 to 4 were not read */
	assert_int_equal(event_ring_read(&ring, &from, read, EVENT_RING_SIZE, &lost), EVENT_RING_SIZE);
	assert_int_equal(lost, 4);
	assert_int_equal(read[0].b, 5);
	assert_int_equal(read[EVENT_RING_SIZE - 1].b, EVENT_RING_SIZE + 4);
}

/* The lines people and tests know are these, word for word. */
TEST(the_console_s_events_read_as_its_lines)
{
	static const struct {
		struct event event;
		const char *text;
	} row[] = {
		{{.type = EVENT_ATTACH, .a = 0x1a | EVENT_NONCOHERENT}, "device 00:03.2 attached, noncoherent"},
		{{.type = EVENT_DETACH, .a = 0xff10}, "device ff:02.0 detached, was coherent"},
		{{.type = EVENT_COHERENCE, .a = 0x10}, "device 00:02.0 is now coherent"},
		{{.type = EVENT_COUNT, .a = 0x0201}, "noncoherent count 1 -> 2: no transition"},
		{{.type = EVENT_RETYPE, .b = 0x20000001d}, "retyped 29 leaves in 2 tables"},
		{{.type = EVENT_TRANSITION, .a = 0x10100, .b = 0x20000001d, .c = 3253},
		 "noncoherent count 0 -> 1: cleared 29 leaves in 2 tables, INVEPT 1, 3253 ticks"},
		{{.type = EVENT_END, .b = 0xffffffff}, "exited with status 4294967295"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char text[120];

		event_text(&row[i].event, text, sizeof(text));
		assert_string_equal(text, row[i].text);
	}
}

TEST(a_leaf_is_told_with_its_type_and_size)
{
	struct event event = {.type = EVENT_INSTALL, .a = 2, .b = 0x201abc};
	char text[120];

	event.c = EPT_RWX | TO_FIELD(MEMTYPE_WB, EPT_TYPE) | EPT_IGNORE_PAT;
	event_text(&event, text, sizeof(text));
	assert_string_equal(text, "fault at 0x201abc, 2M leaf, WB + ignore PAT");
	event.c = EPT_RWX | TO_FIELD(MEMTYPE_WC, EPT_TYPE);
	event_text(&event, text, sizeof(text));
	assert_string_equal(text, "fault at 0x201abc, 2M leaf, WC");
}

/* A trace file may be of a later version, or broken. */
TEST(every_type_has_words_and_no_record_overruns_them)
{
	struct event event;
	char text[121];

	for (unsigned type = 0; type < 256; type++) {
		memset(&event, 0xff, sizeof(event));
		event.type = (uint8_t)type;
		for (size_t size = 0; size <= 120; size++) {
			memset(text, 0x5a, sizeof(text));
			event_text(&event, text, size);
			assert_true(!size || memchr(text, 0, size));
			assert_int_equal(text[size], 0x5a);
		}
		assert_true(strlen(text) > 4 && strlen(text) < 119);
		assert_int_equal(strncmp(text, "event ", 6) == 0, type == EVENT_NONE || type >= EVENT_TYPES);
	}
}
