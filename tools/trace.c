// SPDX-License-Identifier: MIT
/*
 * tools/trace: what the trace of a run (make run TRACE=file) says: as text, as a table of exits, or
 * as JSON for a viewer such as Perfetto. It reads the records with the hypervisor's own header.
 * Times are ticks of the TSC since the first record; in the JSON microseconds.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/events/event.h"
#include "hv/vmcs/vmcs.h"
#include "iommu/iommu.h"
#include "iommu/vtd.h"

#define VMS       256
#define VCPUS     256
#define NAME_SIZE 17
#define TEXT_SIZE 200
#define CHUNK     ((size_t)1 << 20)

struct trace {
	const char *file;
	uint8_t *bytes;
	size_t size;
	struct event *events; /* in the order of their times */
	size_t count;
	uint64_t marked, lost; /* records that marks tell of, and those of them that are not there */
	bool ended;            /* the last record is a mark */
	double ticks_per_us;
	char name[VMS][NAME_SIZE];
};

static void __attribute__((noreturn)) refuse(const char *file, const char *what)
{
	fprintf(stderr, "tools/trace: %s: %s\n", file, what);
	exit(2);
}

static const char *exit_name(uint64_t reason)
{
	static const char *const names[EXIT_REASONS] = {
#define EXIT(number, reason, handler, name) [number] = (name),
#include "hv/vmcs/exits.inc"
#undef EXIT
	};

	return reason < EXIT_REASONS && names[reason] ? names[reason] : "unknown";
}

static uint64_t reason_of(const struct event *e) { return FIELD(e->c, EVENT_REASON); }

/* The guest's write to the queue's tail: what a chain of events down to INVEPT begins with. */
static bool is_tail_write(const struct event *e)
{
	return e->type == EVENT_EXIT && reason_of(e) == EXIT_REASON_EPT_VIOLATION &&
	       (e->c & EVENT_DETAIL) == IOMMU_BASE + VTD_IQT;
}

/* All of it, also of a pipe. */
static void read_file(struct trace *trace)
{
	FILE *file = fopen(trace->file, "rb");
	size_t got;

	if (!file) refuse(trace->file, "no such file");
	do {
		trace->bytes = realloc(trace->bytes, trace->size + CHUNK);
		if (!trace->bytes) refuse(trace->file, "too large for this machine's memory");
		got = fread(trace->bytes + trace->size, 1, CHUNK, file);
		trace->size += got;
	} while (got == CHUNK);
	if (ferror(file)) refuse(trace->file, "cannot be read");
	fclose(file);
}

static bool is_mark(const struct event *e) { return e->type == EVENT_TRACE && e->c == EVENT_TRACE_MAGIC; }

/* A mark says how many records were told before it. */
static void count_lost(struct trace *trace, const struct event *mark)
{
	if (mark->b > trace->marked) {
		trace->lost += mark->b - trace->marked;
		trace->marked = mark->b;
	}
}

static void keep(struct trace *trace, const struct event *e)
{
	trace->ended = is_mark(e);
	if (trace->ended) count_lost(trace, e);
	trace->marked++;
	if (e->type == EVENT_NAME)
		for (unsigned i = 0; i < NAME_SIZE - 1; i++) {
			char c = ((const char *)&e->b)[i];

			trace->name[e->vm][i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ? c : '\0';
		}
	else if (!is_mark(e))
		trace->events[trace->count++] = *e;
}

static int compare_times(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	if (a->tsc != b->tsc) return a->tsc < b->tsc ? -1 : 1;
	return (b->type == EVENT_EXIT) - (a->type == EVENT_EXIT);
}

/* All records; where one is broken, from the next mark on again. */
static void read_records(struct trace *trace)
{
	struct event e;
	size_t at = 0;

	if (trace->size >= sizeof(e)) memcpy(&e, trace->bytes, sizeof(e));
	if (trace->size < sizeof(e) || !is_mark(&e) || !e.a)
		refuse(trace->file, "no trace of Leafcutter, expected what make run TRACE=file writes");
	trace->ticks_per_us = e.a / 1000.0;
	trace->events = malloc(trace->size);
	for (bool good = true; at + sizeof(e) <= trace->size;) {
		memcpy(&e, trace->bytes + at, sizeof(e));
		good = is_mark(&e) || (good && e.type > EVENT_NONE && e.type < EVENT_TYPES && e.type != EVENT_TRACE);
		if (good) keep(trace, &e);
		at += good ? sizeof(e) : 1;
	}
	trace->ended &= at == trace->size;
	qsort(trace->events, trace->count, sizeof(e), compare_times);
}

static const char *vm_name(const struct trace *trace, unsigned vm)
{
	return trace->name[vm][0] ? trace->name[vm] : "?";
}

static void describe(const struct event *e, char *text)
{
	if (e->type != EVENT_EXIT)
		event_text(e, text, TEXT_SIZE);
	else
		snprintf(text, TEXT_SIZE, "exit: %s, 0x%" PRIx64 ", at rip 0x%" PRIx64 ", %u ticks",
			 exit_name(reason_of(e)), (uint64_t)(e->c & EVENT_DETAIL), e->b, e->a);
}

static void print_text(const struct trace *trace)
{
	char text[TEXT_SIZE];

	for (size_t i = 0; i < trace->count; i++) {
		const struct event *e = &trace->events[i];

		describe(e, text);
		printf("%12" PRIu64 " cpu %u %s.%u %s\n", e->tsc - trace->events[0].tsc, e->cpu, vm_name(trace, e->vm),
		       e->vcpu, text);
	}
}

/* The exits of one VM for one reason: their ticks. */
struct row {
	unsigned vm;
	uint64_t reason, total;
	uint32_t *ticks;
	size_t count;
};

static int compare_ticks(const void *left, const void *right)
{
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* By VM, and of each the most expensive first. */
static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->vm != b->vm) return a->vm < b->vm ? -1 : 1;
	return (a->total < b->total) - (a->total > b->total);
}

static struct row *find_row(struct row *rows, size_t *count, const struct event *e)
{
	size_t i = 0;

	while (i < *count && (rows[i].vm != e->vm || rows[i].reason != reason_of(e))) i++;
	if (i == *count) rows[(*count)++] = (struct row){.vm = e->vm, .reason = reason_of(e)};
	return &rows[i];
}

/* The least of so many of a hundred that are no longer; nearest rank. */
static uint32_t percentile(const struct row *row, size_t percent)
{
	return row->ticks[(row->count * percent + 99) / 100 - 1];
}

/* In tenths, a half up, which a double that is printed does not promise. */
static uint64_t mean_tenths(const struct row *row) { return (row->total * 20 + row->count) / (2 * row->count); }

static void print_row(const struct trace *trace, const struct row *row)
{
	qsort(row->ticks, row->count, sizeof(*row->ticks), compare_ticks);
	printf("%-15s %-20s %8zu %12" PRIu64 " %7" PRIu64 ".%" PRIu64 " %9u %9u %9u\n", vm_name(trace, row->vm),
	       exit_name(row->reason), row->count, row->total, mean_tenths(row) / 10, mean_tenths(row) % 10,
	       percentile(row, 50), percentile(row, 99), row->ticks[row->count - 1]);
}

static void print_summary(const struct trace *trace)
{
	struct row *rows = calloc(VMS * EXIT_REASONS, sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct event *e = &trace->events[i];
		struct row *row;

		if (e->type != EVENT_EXIT) continue;
		row = find_row(rows, &count, e);
		if (!(row->count & (row->count - 1))) /* full at each power of two */
			row->ticks = realloc(row->ticks, 2 * (row->count + 1) * sizeof(*row->ticks));
		row->ticks[row->count++] = e->a;
		row->total += e->a;
	}
	qsort(rows, count, sizeof(*rows), compare_rows);
	printf("%-15s %-20s %8s %12s %9s %9s %9s %9s\n", "VM", "exit", "count", "total", "mean", "median", "99th",
	       "most");
	for (size_t i = 0; i < count; i++) print_row(trace, &rows[i]);
	if (!count) printf("no exits in it: the hypervisor's line said trace=events\n");
	for (size_t i = 0; i < count; i++) free(rows[i].ticks);
	free(rows);
}

/* The processes of the JSON: one for the machine's CPUs, and one for each VM, with its vCPUs. */
enum { PID_CPUS = 1, PID_VM = 2 };
#define TID_IOMMU VCPUS

static const char *json_separator = "\n";

static void json_begin(const char *phase, unsigned pid, unsigned tid)
{
	printf("%s{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u", json_separator, phase, pid,
	       tid + 1); /* thread 0 is the idle one */
	json_separator = ",\n";
}

static void json_label(const char *what, unsigned pid, unsigned tid, const char *name, int number)
{
	json_begin("M", pid, tid);
	printf(",\"name\":\"%s\",\"args\":{\"name\":\"%s", what, name);
	if (number >= 0) printf(" %d", number);
	printf("\"}}");
}

/* Viewers keep whole nanoseconds, so both ends are rounded down alike: what lies within another stays within it. */
static uint64_t nanoseconds(const struct trace *trace, uint64_t tsc)
{
	return (uint64_t)((double)(tsc - trace->events[0].tsc) * 1000 / trace->ticks_per_us);
}

static void json_time(const char *what, uint64_t ns)
{
	printf(",\"%s\":%" PRIu64 ".%03" PRIu64, what, ns / 1000, ns % 1000);
}

static void json_slice(const struct trace *trace, const struct event *e, unsigned pid, unsigned tid)
{
	uint64_t start = nanoseconds(trace, e->tsc);
	uint64_t end = nanoseconds(trace, e->tsc + (e->type == EVENT_EXIT ? e->a : 0));
	char text[TEXT_SIZE];

	describe(e, text);
	json_begin("X", pid, tid);
	json_time("ts", start);
	json_time("dur", end > start ? end - start : 1); /* at an end without a length no arrow holds */
	printf(",\"name\":\"%s\"}", text);
}

/* Where an event is shown: at its vCPU, at its VM's IOMMU, or at the CPU that it was carried out
 * on. */
static void json_event(const struct trace *trace, const struct event *e)
{
	switch (e->type) {
	case EVENT_ATTACH:
	case EVENT_DETACH:
	case EVENT_COHERENCE:
	case EVENT_FAULT:
	case EVENT_STALE: json_slice(trace, e, PID_VM + e->vm, TID_IOMMU); break;
	case EVENT_COUNT:
	case EVENT_TRANSITION:
	case EVENT_ZAP:
	case EVENT_INVEPT:
	case EVENT_WBINVD: json_slice(trace, e, PID_CPUS, e->cpu); break;
	default: json_slice(trace, e, PID_VM + e->vm, e->vcpu);
	}
	if (is_tail_write(e)) json_slice(trace, e, PID_VM + e->vm, TID_IOMMU);
}

static void json_flow_end(const struct trace *trace, const char *phase, const struct event *e, unsigned pid,
			  unsigned tid, size_t id)
{
	json_begin(phase, pid, tid);
	json_time("ts", nanoseconds(trace, e->tsc));
	printf(",\"name\":\"to INVEPT\",\"cat\":\"flow\",\"bp\":\"e\",\"id\":%zu}", id);
}

/*
 * An arrow to each INVEPT, from the write to the queue's tail that it belongs to; without exits in
 * the trace, from the device's change.
 */
static void json_flows(const struct trace *trace)
{
	const struct event *cause[VMS] = {NULL};

	for (size_t i = 0; i < trace->count; i++) {
		const struct event *e = &trace->events[i], *from = cause[e->vm];
		bool over = from && from->type == EVENT_EXIT && e->tsc > from->tsc + from->a;

		if (over) from = cause[e->vm] = NULL;
		if (is_tail_write(e) ||
		    (!from && (e->type == EVENT_ATTACH || e->type == EVENT_DETACH || e->type == EVENT_COHERENCE)))
			cause[e->vm] = e;
		if (e->type == EVENT_COUNT && from && from->type != EVENT_EXIT)
			cause[e->vm] = NULL; /* its change made no transition */
		if (e->type != EVENT_INVEPT || !from) continue;
		json_flow_end(trace, "s", from, PID_VM + from->vm, TID_IOMMU, i);
		json_flow_end(trace, "f", e, PID_CPUS, e->cpu, i);
		if (from->type != EVENT_EXIT) cause[e->vm] = NULL;
	}
}

static void json_tracks(const struct trace *trace)
{
	static bool cpus[VMS], vms[VMS], vcpus[VMS][VCPUS];

	json_label("process_name", PID_CPUS, 0, "host", -1);
	for (size_t i = 0; i < trace->count; i++) {
		const struct event *e = &trace->events[i];

		if (!cpus[e->cpu]) json_label("thread_name", PID_CPUS, e->cpu, "CPU", e->cpu);
		if (!vms[e->vm]) {
			json_label("process_name", PID_VM + e->vm, 0, vm_name(trace, e->vm), -1);
			json_label("thread_name", PID_VM + e->vm, TID_IOMMU, "IOMMU", -1);
		}
		if (!vcpus[e->vm][e->vcpu]) json_label("thread_name", PID_VM + e->vm, e->vcpu, "vCPU", e->vcpu);
		cpus[e->cpu] = vms[e->vm] = vcpus[e->vm][e->vcpu] = true;
	}
}

static void print_json(const struct trace *trace)
{
	printf("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	json_tracks(trace);
	for (size_t i = 0; i < trace->count; i++) json_event(trace, &trace->events[i]);
	json_flows(trace);
	printf("\n]}\n");
}

int main(int argc, char **argv)
{
	static struct trace trace;
	bool json = argc > 1 && !strcmp(argv[1], "--json");
	bool summary = argc > 1 && !strcmp(argv[1], "--summary");

	if (argc != 2 + (json || summary) || argv[argc - 1][0] == '-')
		refuse("usage", "tools/trace [--summary|--json] FILE");
	trace.file = argv[argc - 1];
	read_file(&trace);
	read_records(&trace);
	(json ? print_json : summary ? print_summary : print_text)(&trace);
	if (trace.lost) fprintf(stderr, "tools/trace: %s: %" PRIu64 " records are lost\n", trace.file, trace.lost);
	if (!trace.ended)
		fprintf(stderr, "tools/trace: %s: cut off behind %" PRIu64 " records\n", trace.file, trace.marked);
	free(trace.events);
	free(trace.bytes);
	return !trace.ended;
}
