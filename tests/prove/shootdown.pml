/* SPDX-License-Identifier: MIT */
/*
 * The shootdown of hv/vm/shootdown.c as a model for spin: N CPUs with a vCPU each, one EPT, one
 * page, and any number of transitions by any CPU. It is a table of steps: what a CPU may do where it
 * is, each step in one piece. The steps have the names of the C: STATE, LOOK, ENTER, OUT, MARK, SEE,
 * KICK, WAIT, ANSWER, and for stops STOP, RESUME, ALONE, TOGETHER; tests/prove/run compares the two lists.
 *
 * A CPU faults the page in, through the gate or with the EPT's lock (hv/machine/gate.h), and uses what it
 * has cached. It rings the invalidation queue, which any CPU that passes by may work off: under the
 * VM's lock the count changes, by a zap (no CPU can use a translation from before when the flush
 * returns) or, with RETYPE, in place while everybody is stopped. (In the C only the CPU of the vCPU
 * that rang works it off: the model has more behaviours than the C.) It zaps under the EPT's lock
 * alone, as for an MTRR. With DEVICE it does DMA under the VM's lock, which may find a context that
 * nobody has announced; then the transition comes before the bytes. With REST it writes a register of
 * the IOMMU that changes the count: what is left of that, the write-back of modelled memory, is done
 * behind the exit, and everybody is stopped until then (vm_change_unfinished() in hv/vm/noncoherent.c).
 * With ROM the page is ROM, and a CPU that writes to it has the VM for itself: the page leads to a copy,
 * and the one goes in and out until its step is over (vcpu_write_rom() in hv/vm/step.c).
 *
 * Shown: once a transition is told complete no CPU uses a type that is not the rule's; no leaf of an
 * old type is installed; no byte of DMA moves while a CPU can use a type that is not that of the
 * moment; nobody waits for one that cannot answer; from the return of a stop to its end nobody is in the
 * guest, or nobody but the one, and nobody else ever uses the copy. Each line "spin" of tests/prove/mutants is a fault
 * that must give a counterexample. Memory is sequentially consistent here: between STATE and LOOK,
 * and between MARK and SEE, x86 needs the full barriers that the C has.
 *
 * Why the states of four CPUs are few, and none is lost that matters:
 * - The CPUs are alike, and so are the two types: of states that differ only in who is who,
 *   canonical() keeps one.
 * - A number that is only compared with what it was is a bit: 'fresh' for ept->generation, 'behind'
 *   for vm->generation, 'asked' for cpu->answered. So transitions need not be counted.
 * - What nobody else can see belongs to a step that others see: a lock is taken with what is stored
 *   next and dropped with what was stored last; INVEPT goes with the look; in the gate or with the
 *   lock, where it is asserted that nobody else is there, a leaf is looked at and stored.
 * - Who is asked to stop between the look at that and the look at the generation has an NMI to come
 *   and does not enter: the two looks are one step.
 * - An NMI that comes when its CPU is OUT makes that look once more, as any exit may: it is left out.
 */
#ifndef N
#define N 4
#endif

/* Where a CPU is, and so what it does next. */
#define OUTSIDE    0 /* in the hypervisor, before STATE */
#define LOOKING    1
#define ENTERING   2
#define GUEST      3
#define COMPUTING  4 /* a fault: the type under no lock, */
#define LOCKING    5 /* then the gate or the lock */
#define AT_GATE    6
#define IN_GATE    7
#define SHUTTING   8
#define STORING    9  /* in mutants: behind the look at the generation, */
#define REGRETTING 10 /* and at it again */
#define WAITS_VM   11 /* who changes the count or does DMA: for the VM's lock */
#define STOPPING   12 /* with RETYPE: SEE and KICK, */
#define STOPPED    13 /* and WAIT */
#define WAITS_EPT  14 /* who zaps, too: for the EPT's lock, */
#define EXCLUDING  15 /* and for those in the gate */
#define COUNTING   16
#define ADVANCING  17
#define CLEARING   18
#define MARKING    19
#define SEEING     20
#define WAITING    21
#define COMPLETE   22
#define MOVING     23 /* the bytes of DMA */
#define RESTING    24 /* with REST: does what a register's write has left */
#define CLAIMING   25 /* with ROM: wants the VM for itself, */
#define KEEPING    26 /* SEE and KICK, */
#define KEPT       27 /* and WAIT */

/* What its exit is for. */
#define FAULT  0
#define ZAP    1
#define CHANGE 2 /* of the count, by the queue */
#define DMA    3
#define WRITE  4 /* of a register, which changes the count */
#define LEAD   5 /* ROM to the copy, or back */

#define NONE    0
#define TYPE(c) (1 + (c)) /* what the rule gives a leaf while the count is c */
#define NOW     (TYPE(count) + (led -> 2 : 0)) /* the same at this moment, of the copy where the page leads there */

typedef state {
	byte at, job;
	byte cached; /* the translation in its caches */
	byte type;   /* what a fault has computed, or DMA found the device to be */
	bool fresh;  /* nothing that the fault read has changed since */
	bool in;     /* its bit of vm->in_guest */
	bool behind; /* vcpu->flushed is not vm->generation */
	bool asked;  /* an NMI is on its way, and somebody may wait for it */
	bool kicked; /* cpu->slice is 1 */
	bool alone;  /* it is vm->alone */
	bool writer; /* it is vm->iommu_writer, where something is left to do */
};

state cpu[N];
bit count; /* noncoherent DMA, or none */
byte leaf;
bool led;          /* ROM to its copy */
bool vm_locked, stop;
bool rest;         /* a register's write has left something to do */
bool still, kept;  /* a stop has returned: nobody is in the guest, or one */
bool locked, shut;
byte inside;      /* CPUs at the gate or in it */
bool working;     /* who has the EPT's lock has seen that nobody is */
bool rung;        /* the queue has a descriptor that changes the count, and has not told it complete */
bool told = true; /* no change is under way: the type from before may not be used any more */
hidden byte k;

#define me cpu[i]

#if N == 2
#define ANY(what) (what(0) || what(1))
#elif N == 3
#define ANY(what) (what(0) || what(1) || what(2))
#elif N == 4
#define ANY(what) (what(0) || what(1) || what(2) || what(3))
#else
#define ANY(what) (what(0) || what(1) || what(2) || what(3) || what(4))
#endif
#define ALL(change) k = 0; do :: k < N -> change; k++ :: else -> break od
#define ASKED(n)    cpu[n].asked
#define STALE(n)    (cpu[n].at == GUEST && cpu[n].cached != NONE && cpu[n].cached != NOW)
#define INSIDE(n)   (cpu[n].at == GUEST)
#define INTRUDES(n) (cpu[n].at == GUEST && !cpu[n].alone)
#define OWNS(n)     cpu[n].alone
#define FREE        (!me.alone) /* the one instruction of a step does nothing but fault */

/* STEP(where, if) what it does; GO(where to) DONE */
#define STEP(where, condition) :: d_step { me.at == where && (condition) ->
#define GO(where)              me.at = where;
#define DONE                                                                                                           \
	assert(!told || !ANY(STALE));                                                                                  \
	assert(!still || !ANY(INSIDE));                                                                                \
	assert(!kept || !ANY(INTRUDES));                                                                               \
	c_code { canonical(); } }

/* The order under the EPT's lock, and what may be wrong with it. */
#define FIRST           COUNTING
#define AFTER_COUNTING  ADVANCING
#define AFTER_ADVANCING CLEARING
#define AFTER_CLEARING  MARKING
#define AFTER_MARKING   SEEING
#define AFTER_WAITING   COMPLETE
#ifdef FLUSH_BEFORE_COUNT
#undef FIRST
#define FIRST MARKING
#undef AFTER_WAITING
#define AFTER_WAITING COUNTING
#undef AFTER_CLEARING
#define AFTER_CLEARING COMPLETE
#endif
#ifdef GENERATION_FIRST
#undef FIRST
#define FIRST ADVANCING
#undef AFTER_ADVANCING
#define AFTER_ADVANCING COUNTING
#undef AFTER_COUNTING
#define AFTER_COUNTING CLEARING
#endif
#ifdef ROM_NOT_FLUSHED
#undef AFTER_CLEARING
#define AFTER_CLEARING (me.job == LEAD -> COMPLETE : MARKING)
#endif
#ifdef MARK_AFTER_KICK
#undef AFTER_CLEARING
#define AFTER_CLEARING SEEING
#undef AFTER_WAITING
#define AFTER_WAITING MARKING
#undef AFTER_MARKING
#define AFTER_MARKING COMPLETE
#endif

#ifdef RETYPE
#define IN_PLACE (me.job != ZAP && me.job != LEAD)
#else
#define IN_PLACE false
#endif
#if defined(RETYPE) && !defined(NO_STOP)
#define AFTER_VM STOPPING
#else
#define AFTER_VM WAITS_EPT
#endif
#ifdef STOP_NOT_SEEN
#define SEES_STOP false
#else
#define SEES_STOP stop
#endif
#ifdef ROM
#ifdef ALONE_NOT_SEEN
#define SEES_OTHER false
#else
#define SEES_OTHER (ANY(OWNS) && !me.alone)
#endif
#else
#define SEES_OTHER false
#endif
#define KEEPS_OUT (SEES_STOP || SEES_OTHER)
#ifdef NO_GENERATION
#define FRESH true
#else
#define FRESH me.fresh
#endif
#ifdef NO_ANSWER_IN_LOCK
#define ANSWERS (me.at != LOCKING && me.at != WAITS_VM && me.at != WAITS_EPT)
#else
#define ANSWERS true
#endif
#ifdef NO_GATE
#define EMPTY true
#else
#define EMPTY (inside == 0)
#endif

/* The exit is over. */
inline back(i)
{
	me.job = FAULT;
	me.type = NONE;
	me.fresh = false;
	if
	:: me.in -> GO(ENTERING)
	:: else -> GO(OUTSIDE)
	fi
}

inline out(i)
{
	me.in = false;
	me.asked = false;
	me.kicked = false;
	GO(OUTSIDE)
}

inline invept(i)
{
	me.behind = false;
	me.cached = NONE
}

/* Where nobody takes a leaf away meanwhile. */
inline store(i)
{
	if
	:: leaf == NONE && FRESH ->
		assert(me.type == NOW);
		leaf = me.type
	:: else
	fi
}

/* SEE and KICK of one CPU commute with all that others do: those of all are one step. */
inline push_out(i) { ALL(if :: k != i && cpu[k].in -> cpu[k].asked = true :: else fi) }

inline take_vm(i)
{
	vm_locked = true;
	if
	:: AFTER_VM == STOPPING -> stop = true /* STOP */
	:: else
	fi;
	GO(AFTER_VM)
}

inline end_stop()
{
	still = false;
	stop = false /* RESUME */
}

/* The lock is taken for it already. */
inline end_rest()
{
	if
	:: rest ->
		rest = false;
		ALL(cpu[k].writer = false);
		told = true;
		end_stop()
	:: else
	fi
}

active [N] proctype CPU()
{
	byte i = _pid;

	do
	/* Into the guest (stay() in hv/vm/run.c), and out of it to the scheduler; an NMI may be why. */
#ifdef LOOK_FIRST
	STEP(OUTSIDE, true) if :: me.behind -> invept(i) :: else fi; GO(LOOKING) DONE
	STEP(LOOKING, true) me.in = true; GO(ENTERING) DONE
#else
	STEP(OUTSIDE, true) me.in = true; GO(LOOKING) DONE /* STATE */
	STEP(LOOKING, KEEPS_OUT) out(i); DONE
	STEP(LOOKING, !KEEPS_OUT) /* LOOK */
#ifndef NO_LOOK
		if
		:: me.behind -> invept(i)
		:: else
		fi;
#endif
		GO(ENTERING) DONE
#endif
#ifdef NMI_LOST
	STEP(ENTERING, true) me.kicked = false; GO(GUEST) DONE
#else
	STEP(ENTERING, me.kicked) out(i); DONE
	STEP(ENTERING, !me.kicked) GO(GUEST) DONE /* ENTER */
#endif
	STEP(GUEST, true) out(i); DONE /* OUT */

	/* An NMI in the hypervisor, whatever it does there: ANSWER */
	STEP(me.at, me.asked && me.at != GUEST && ANSWERS) me.asked = false; me.kicked = true; DONE

	/* The guest's access to the page; ept_fault_begin() and ept_fault_install(). */
	STEP(GUEST, me.cached == NONE && leaf != NONE) me.cached = leaf; DONE
	STEP(GUEST, me.cached == NONE && leaf == NONE) me.fresh = true; GO(COMPUTING) DONE
	STEP(COMPUTING, true) me.type = NOW; GO(LOCKING) DONE
	STEP(LOCKING, true) inside++; GO(AT_GATE) DONE
	STEP(AT_GATE, shut) inside--; GO(LOCKING) DONE
	STEP(AT_GATE, !shut) GO(IN_GATE) DONE
	STEP(LOCKING, !locked) locked = true; shut = true; GO(SHUTTING) DONE
	STEP(SHUTTING, EMPTY) store(i); shut = false; locked = false; back(i); DONE
#ifndef NO_GATE
	STEP(IN_GATE, true) assert(!working); store(i); inside--; back(i); DONE
#else
	STEP(IN_GATE, !FRESH) inside--; back(i); DONE
	STEP(IN_GATE, FRESH) GO(STORING) DONE
	STEP(STORING, leaf != NONE) inside--; back(i); DONE
#ifndef SECOND_LOOK
	STEP(STORING, leaf == NONE) assert(me.type == NOW); leaf = me.type; inside--; back(i); DONE
#else
	STEP(STORING, leaf == NONE) leaf = me.type; GO(REGRETTING) DONE
	STEP(REGRETTING, me.fresh || leaf != me.type) inside--; back(i); DONE
	STEP(REGRETTING, !me.fresh && leaf == me.type) leaf = NONE; inside--; back(i); DONE
#endif
#endif

	/* What the guest writes a register for. So long an exit may be taken to cost what was cached. */
	STEP(GUEST, FREE) me.cached = NONE; me.job = ZAP; GO(WAITS_EPT) DONE
	STEP(GUEST, FREE && !rung) me.cached = NONE; rung = true; me.job = CHANGE; GO(WAITS_VM) DONE
	STEP(WAITS_VM, me.job == CHANGE && !vm_locked && rung) take_vm(i); DONE
	STEP(WAITS_VM, me.job == CHANGE && !vm_locked && !rung) back(i); DONE /* another has done it */
	STEP(OUTSIDE, !vm_locked && rung && !rest) me.job = CHANGE; take_vm(i); DONE
#ifdef DEVICE
	STEP(GUEST, FREE) me.cached = NONE; me.job = DMA; GO(WAITS_VM) DONE
	STEP(WAITS_VM, me.job == DMA && !vm_locked) take_vm(i); DONE /* it finds another context */
#ifndef DMA_UNLOCKED
	STEP(WAITS_VM, me.job == DMA && !vm_locked) vm_locked = true; me.type = TYPE(count); GO(MOVING) DONE
	STEP(MOVING, true) assert(me.type == TYPE(count) && !ANY(STALE)); vm_locked = false; back(i); DONE
#else
	STEP(WAITS_VM, me.job == DMA) me.type = TYPE(count); GO(MOVING) DONE
	STEP(MOVING, true) assert(me.type == TYPE(count) && !ANY(STALE)); back(i); DONE
#endif
#endif
#ifdef RETYPE
	STEP(STOPPING, true) push_out(i); GO(STOPPED) DONE
	STEP(STOPPED, !ANY(ASKED)) still = true; GO(WAITS_EPT) DONE
#endif
#ifdef REST
	STEP(GUEST, FREE) me.cached = NONE; me.job = WRITE; GO(WAITS_VM) DONE
	STEP(WAITS_VM, me.job == WRITE && !vm_locked) vm_locked = true; GO(WAITS_EPT) DONE
	STEP(STOPPING, true) push_out(i); GO(STOPPED) DONE
	STEP(STOPPED, !ANY(ASKED)) /* the exit ends here */
		still = true;
		vm_locked = false;
#ifdef STOP_ENDS_WITH_EXIT
		stop = false;
#endif
#ifndef WRITER_GOES_ON
		me.kicked = true;
#endif
		back(i);
		DONE
	STEP(OUTSIDE, rest && !vm_locked && (me.writer || me.alone)) vm_locked = true; GO(RESTING) DONE
	STEP(RESTING, true) end_rest(); vm_locked = false; GO(OUTSIDE) DONE
#endif
#ifdef ROM
	/* A write to ROM: vcpu_write_rom(), and the stays of its step. */
	STEP(GUEST, FREE) me.cached = NONE; GO(CLAIMING) DONE
	STEP(CLAIMING, ANY(OWNS)) out(i); DONE
	STEP(CLAIMING, !ANY(OWNS))
#ifdef TWO_ALONE
		GO(KEEPING) DONE
	STEP(KEEPING, !me.alone) me.alone = true; DONE
	STEP(KEEPING, me.alone)
#else
		me.alone = true; GO(KEEPING) DONE /* ALONE */
	STEP(KEEPING, true)
#endif
#ifndef OTHERS_STAY
		push_out(i);
#endif
		GO(KEPT) DONE
	STEP(KEPT, !ANY(ASKED)) kept = true; me.job = LEAD; GO(WAITS_EPT) DONE
	STEP(OUTSIDE, me.alone) /* the step is over */
#ifdef SHARED_FIRST
		me.alone = false; kept = false;
#endif
		me.job = LEAD; GO(WAITS_EPT) DONE
#endif

	/* Under the EPT's lock: as ept_noncoherent_change(), the count and then the generation. */
	STEP(WAITS_EPT, !locked) locked = true; shut = true; GO(EXCLUDING) DONE
	STEP(EXCLUDING, EMPTY) working = true; GO(FIRST) DONE
	STEP(COUNTING, true)
		if
		:: me.job == LEAD -> led = !led
		:: me.job == ZAP
		:: else ->
			end_rest(); /* of the one before */
			count = 1 - count;
			told = IN_PLACE /* where everybody is stopped, not even now may the old type be used */
		fi;
#ifdef BYTES_FIRST
		assert(me.job != DMA || !ANY(STALE));
#endif
		GO(AFTER_COUNTING) DONE
	STEP(ADVANCING, true) ALL(cpu[k].fresh = false); GO(AFTER_ADVANCING) DONE
	STEP(CLEARING, true)
		if
		:: !IN_PLACE -> leaf = NONE
		:: IN_PLACE && leaf != NONE -> leaf = NOW
		:: else
		fi;
		GO(AFTER_CLEARING) DONE
	STEP(MARKING, true) ALL(cpu[k].behind = true); invept(i); GO(AFTER_MARKING) DONE /* MARK */
	STEP(SEEING, true) push_out(i); /* SEE, KICK */
#ifdef TOLD_EARLY
		told = true;
#endif
		GO(WAITING) DONE
#ifdef NO_WAIT
	STEP(WAITING, true) GO(AFTER_WAITING) DONE
#else
	STEP(WAITING, !ANY(ASKED)) GO(AFTER_WAITING) DONE /* WAIT */
#endif
	STEP(COMPLETE, true)
		working = false;
		shut = false;
		locked = false;
		if
		:: me.job == ZAP -> back(i)
		:: me.job == CHANGE -> end_stop(); rung = false; told = true; vm_locked = false; back(i)
		:: me.job == DMA -> end_stop(); told = true; me.type = TYPE(count); GO(MOVING)
		:: me.job == WRITE -> rest = true; me.writer = true; stop = true; GO(STOPPING) /* STOP */
		:: me.job == LEAD && led -> me.job = FAULT; me.kicked = false; GO(OUTSIDE)
		:: me.job == LEAD && !led -> kept = false; me.alone = false; me.job = FAULT; out(i) /* TOGETHER */
		fi;
		DONE
	od
}

/*
 * Of states that differ only in the numbers of the CPUs, or of the two types, the one with a count of
 * 0 and the CPUs in order. What will not be looked at again is as at the beginning: the type of a
 * fault that will be refused, and what LOOK throws away. (With a fault in the model it might be.)
 * WHOLE leaves all states as they are.
 */
c_decl {
	static void canonical(void);
}
c_code {
	static int other_type(int type) { return type ? TYPE((type - 1) ^ 1) : NONE; }

	static void canonical(void)
	{
#ifndef WHOLE
		for (unsigned n = 0; n < CPUS; n++) {
			struct state *one = &now.cpu[n];

			if (now.count) one->cached = other_type(one->cached);
			if (now.count) one->type = other_type(one->type);
#ifndef FAULTY
			if (one->job == FAULT && !one->fresh) one->type = NONE;
			if (one->behind && (one->at == OUTSIDE || one->at == LOOKING)) one->cached = NONE;
#endif
		}
		if (now.count) now.leaf = other_type(now.leaf);
		now.count = 0;
		for (unsigned n = 1; n < CPUS; n++)
			for (unsigned m = n; m && memcmp(&now.cpu[m - 1], &now.cpu[m], sizeof(struct state)) > 0; m--) {
				struct state other = now.cpu[m];

				now.cpu[m] = now.cpu[m - 1];
				now.cpu[m - 1] = other;
			}
#endif
	}
}
