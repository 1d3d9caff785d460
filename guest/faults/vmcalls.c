// SPDX-License-Identifier: MIT
/*
 * VMCALLs the contract does not have, with arguments of any value, from CPL 3 and 32-bit code.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "lib/errno.h"

#define ROUNDS 2000

static int64_t call(uint64_t rax, uint64_t rbx)
{
	struct vmcall c = {.rax = rax, .rbx = rbx};

	vmcall(&c);
	return (int64_t)c.rax;
}

/* A generator whose numbers repeat from run to run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void user_vmcall(void *argument)
{
	vmcall(argument);
	user_return();
}

static void from_user(void)
{
	struct vmcall c = {.rax = VMCALL_BASE + VMCALL_VERSION, .rbx = 0x1234};

	check_vector(VECTOR_BP, try_user(user_vmcall, &c), "VMCALL at CPL 3 comes back");
	check_error(-EPERM, (int64_t)c.rax, "... with -EPERM");
	check_is(0x1234, c.rbx, "... and no effect");
}

/* The instruction from a 32-bit code segment (0x38 in entry.asm): compatibility mode. */
static void vmcall_32(struct vmcall *call)
{
	__asm__ volatile("push $0x38\n\t"
			 "lea 1f(%%rip), %%r11\n\t"
			 "push %%r11\n\t"
			 "lretq\n\t"
			 ".code32\n"
			 "1: vmcall\n\t"
			 "ljmp $0x08, $2f\n\t"
			 ".code64\n"
			 "2:"
			 : "+a"(call->rax), "+b"(call->rbx), "+c"(call->rcx), "+d"(call->rdx)
			 :
			 : "r11", "memory");
}

/* What is above 32 bits does not count outside 64-bit mode, and does in it. */
static void from_32_bits(void)
{
	struct vmcall c = {.rax = BIT(40) | (VMCALL_BASE + VMCALL_EPT_WALK), .rbx = BIT(40) | (uint64_t)&c};

	vmcall_32(&c);
	check_error(0, (int64_t)c.rax, "VMCALL in 32-bit code: bits 63:32 of RAX do not count");
	check(c.rbx && c.rcx, "... nor of the address: EPT_WALK of the stack finds a leaf");
	check(!vmcall_ept_walk(BIT(40) | (uint64_t)&c, &(unsigned){0}), "in 64-bit code they do");
	c = (struct vmcall){.rax = VMCALL_BASE + VMCALL_COUNTER, .rbx = BIT(33) | COUNTER_EXITS};
	vmcall_32(&c);
	check(!c.rax && c.rbx, "COUNTER takes the low 32 bits there");
	c = (struct vmcall){.rax = VMCALL_BASE + 99};
	vmcall_32(&c);
	check_error(-ENOSYS, (int32_t)c.rax, "an unknown number there: -ENOSYS in EAX");
}

static void walk_far(void)
{
	static const uint64_t far[] = {BIT(63), ~0UL, BIT(47), BIT(48), BIT(52), 0xc8000000};

	for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
		unsigned level;
		uint64_t leaf = vmcall_ept_walk(far[i], &level);

		check_words(!leaf && !level, leaf_words(leaf, level), leaf_words(0, 0),
			    "EPT_WALK of 0x%lx finds nothing", far[i]);
	}
}

void wild_vmcalls(void)
{
	uint64_t random = 0x4c43, violations, leaf;
	unsigned level, refused = 0;

	check_error(-ENOSYS, call(0, 0), "RAX = 0: -ENOSYS");
	check_error(-ENOSYS, call(VMCALL_BASE + 4, 0), "n = 4: -ENOSYS");
	check_error(-ENOSYS, call(VMCALL_BASE - 1, 0), "n = -1: -ENOSYS");
	check_error(-ENOSYS, call(BIT(32) | VMCALL_BASE, 0), "a number above 32 bits: -ENOSYS");
	check_error(-EINVAL, call(VMCALL_BASE + VMCALL_COUNTER, COUNTERS), "COUNTER %u: -EINVAL", COUNTERS);
	check_error(-EINVAL, call(VMCALL_BASE + VMCALL_COUNTER, ~0UL), "COUNTER -1: -EINVAL");
	for (unsigned i = 0; i < ROUNDS; i++)
		refused += call(next_random(&random) | BIT(63), next_random(&random)) == -ENOSYS;
	check_count(ROUNDS, refused, "refused", "%u random ones: -ENOSYS", ROUNDS);
	from_user();
	from_32_bits();
	walk_far();
	violations = vmcall_counter(COUNTER_VIOLATIONS);
	leaf = vmcall_ept_walk(8 * MiB, &level);
	check_words(!leaf && !level, leaf_words(leaf, level), leaf_words(0, 0),
		    "EPT_WALK of memory never touched finds nothing");
	check_count(violations, vmcall_counter(COUNTER_VIOLATIONS), "violations", "... and faults nothing in");
	leaf = vmcall_ept_walk((uint64_t)&random, &level);
	check(leaf && level && !(leaf & EPT_ADDRESS & ~0xfffUL),
	      "EPT_WALK of the stack finds a leaf, and shows no host address");
}
