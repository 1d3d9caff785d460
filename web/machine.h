/* SPDX-License-Identifier: MIT */
/*
 * The machine of the page: a VM with two vCPUs, an EPT and a VT-d unit with two devices, made of
 * the hypervisor's own objects (ept/, iommu/) and the model CPU of the tests, which keeps what the
 * SDM allows a CPU to keep. The world that hv/ is to those objects is played here. The same files
 * are compiled for the page and for the host, and must do the same on both.
 */
#pragma once

#include "ept/explain.h"
#include "hv/events/event.h"
#include "iommu/state.h"
#include "tests/model/model_cpu.h"
#include "web/memory.h"
#include "web/out.h"

#define CPUS    2
#define DEVICES 2

#define RAM_SIZE   (64 * MiB) /* as the demonstration's guest has */
#define HOST_RAM   (4 * GiB)  /* where it lies in the host; made up */
#define HOST_CACHE (8 * GiB)  /* with coherence=model, where what is cached lies */
#define LINE_SIZE  256
#define LINES      160

/* One thing that happened: in words, and who did it by which section of the manuals. */
struct line {
	char text[LINE_SIZE];
	const char *kind; /* for the page's colours and the tests */
	const char *function, *file, *section;
};

/* The guest's driver of the unit: what it has built in its memory. */
#define MAPPINGS 16
struct driver {
	uint64_t next_table;      /* the next page for a table */
	uint64_t root[DEVICES];   /* of each device's second-level tables; 0: none yet */
	unsigned domain[DEVICES]; /* in the device's last context entry */
	uint32_t tail;            /* the next free descriptor */
	uint32_t status;          /* what the last wait descriptor will write */
	unsigned mappings;
	struct mapping {
		unsigned device;
		uint64_t iova, at; /* the leaf's place in memory */
	} mapping[MAPPINGS];
};

/* Pages whose bytes are shown, since somebody has touched them. */
#define WATCHED 12
/* Bytes of which it is remembered who wrote them last. */
#define WRITTEN 16

struct machine {
	struct ept_world world; /* first: its address is ept/'s ctx */
	struct ept ept;
	struct iommu iommu;
	struct model_cpu cpu[CPUS];
	enum memtype pat[CPUS]; /* what the guest's page tables choose for its accesses */
	struct memory memory;
	struct driver driver;
	struct {
		bool zap;          /* at the next transitions */
		bool invept[CPUS]; /* on this CPU */
	} skip;
	bool snoop_control, caching_mode, coherence;
	uint8_t page_flags[RAM_SIZE / PAGE_SIZE]; /* of the slots, with coherence=model */
	bool around;                              /* the last DMA went around the caches */
	uint64_t invepts, cleared;
	uint64_t watched[WATCHED];
	unsigned watching;
	struct written {
		const char *who; /* "vCPU", "device", or NULL: none */
		unsigned number;
		uint64_t gpa;
		uint8_t byte;
	} written[WRITTEN];
	unsigned next_written;
	uint64_t dma_gpa; /* where the last byte of DMA went or came from */
	struct line line[LINES];
	unsigned lines, lost; /* 'lost': said, but not kept */
	char error[LINE_SIZE];
};

extern const uint16_t device_id[DEVICES];

/* A new machine with these properties, which are set before: nothing is mapped, nothing cached. */
struct properties {
	enum memtype_policy policy;
	bool snoop_control, caching_mode, coherence;
	enum ept_transition transition;
	enum ept_fill_way fill;
	unsigned largest; /* level of the largest leaf that the CPU offers */
};
void machine_reset(struct machine *m, const struct properties *properties);
struct ept_cpu machine_ept_cpu(const struct machine *m, unsigned cpu);

/* Say something, with who did it. */
struct by {
	const char *kind, *function, *file, *section;
};
void say(struct machine *m, const struct by *by, const char *text, ...) __attribute__((format(printf, 3, 4)));
/* Tell an event, in the words of hv/events/text.c. */
void tell(struct machine *m, enum event_type type, unsigned cpu, uint32_t a, uint64_t b, uint64_t c);

/*
 * vcpu.c: an access of one byte by a guest CPU, with what it causes: hit or walk, EPT violation,
 * leaf. 0, or -ENOENT where no RAM is. 'quiet' leaves out what is said of an access that went well.
 */
int cpu_access(struct machine *m, unsigned cpu, uint64_t gpa, bool write, uint8_t *byte, bool quiet);
/* What the CPU would read there now, without doing it; -1: no RAM. */
int cpu_would_read(const struct machine *m, unsigned cpu, uint64_t gpa);
/* Has the leaf another type than a fault of the CPU would give it now? */
bool leaf_is_old(const struct machine *m, unsigned cpu, uint64_t gpa, uint64_t leaf);
/* The leaf that the CPU has cached for gpa, or NULL. */
const struct model_cached *cpu_cached(const struct machine *m, unsigned cpu, uint64_t gpa);
/* The guest's WBINVD. */
void cpu_write_back(struct machine *m, unsigned cpu);

/* bytes.c: a byte was written, by the vCPU or device of that number; */
void bytes_written(struct machine *m, const char *who, unsigned number, uint64_t gpa, uint8_t byte);
/* was read: says so where it is not the one that was written last; */
void bytes_read(struct machine *m, const struct by *by, uint64_t gpa, uint8_t byte);
/* goes away, as the page of the cache at 'from' is about to be copied over that of memory at 'to'. */
void bytes_overwritten(struct machine *m, const struct by *by, uint64_t page, uint64_t to, uint64_t from);

/* guest.c: what a guest's driver does to the unit, by stores of vCPU 0 and by registers. */
void guest_start(struct machine *m);
void guest_stop(struct machine *m);
int guest_map(struct machine *m, unsigned device, uint64_t iova, uint64_t gpa, uint64_t flags);
int guest_context(struct machine *m, unsigned device, unsigned domain, uint64_t type, bool present);
void guest_queue(struct machine *m, uint64_t lo, uint64_t hi, const char *what);
void guest_ring(struct machine *m);
#define GUEST_ROOT          0x1000ULL
#define GUEST_CONTEXT       0x2000ULL
#define GUEST_QUEUE         0x3000ULL
#define GUEST_STATUS        0x5000ULL
#define GUEST_TABLES        0x10000ULL
#define GUEST_QUEUE_ENTRIES 256U

/* command.c: one step, in words. 0, or -EINVAL with m->error set and nothing changed. */
int machine_command(struct machine *m, const char *text);

/* trace.c: the numbers of a trace's records, as JSON; a record in words. */
void trace_format(struct out *out);
void trace_text(const struct event *event, struct out *out);

/* state.c: everything that can be seen, as JSON. */
void machine_state(const struct machine *m, struct out *out);
/* Why gpa has its type for this CPU: lines of ept_explain_print(), as JSON. */
void machine_explain(const struct machine *m, unsigned cpu, uint64_t gpa, struct out *out);

/* Guest memory as the IOMMU and devices reach it; -EFAULT where no RAM is. */
int ram_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache);
int ram_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache);
/* A byte of it that is only looked at, and whether a cache has its page. */
uint8_t ram_peek(const struct machine *m, uint64_t gpa, bool around_cache, bool *cached);
void watch(struct machine *m, uint64_t gpa);
