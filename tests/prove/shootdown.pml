/* SPDX-License-Identifier: MIT */
/*
 * The shootdown of hv/vm/shootdown.c as a model for spin: N CPUs with a vCPU each, one EPT, one
 * page. A CPU faults the page in, uses what it has cached, and two of them make transitions: by a
 * zap (no CPU can use a translation from before when the flush returns) or by a retype (everybody is
 * stopped, the leaf changes in place). The steps have the names of the C: STATE, LOOK, ENTER, OUT,
 * MARK, SEE, KICK, WAIT, ANSWER; tests/prove/run compares the two lists.
 *
 * An NMI comes when it comes: in the guest it is an exit, in the hypervisor its handler runs between
 * any two steps. Both answer, and both see to it that the CPU goes through LOOK before it enters
 * again (cpu->slice is 1, and in the last instructions before the entry RIP is moved).
 *
 * Shown: once a transition has completed no CPU uses a type that is not the rule's; no leaf of an
 * old type is installed; no CPU is waited for that cannot answer, and none that is in its guest
 * without a kick that will reach it. Each word after "spin" in tests/prove/mutants is a fault that
 * must give a counterexample. Memory is sequentially consistent here: between STATE and LOOK, and
 * between MARK and SEE, x86 needs the full barriers that the C has.
 */
#ifndef N
#define N 3
#endif
#define TRANSITIONS 2
/* Who makes transitions: two, alike, so that the first may be taken to be CPU 0's. */
#define INITIATOR (i == 0 || (i == 1 && transitions > 0))
#define IDLER     (i == N - 1) /* who halts now and then */

#define NONE    0
#define TYPE(c) (1 + (c)) /* what the rule gives a leaf while the count is c */

bit count; /* noncoherent DMA, or none */
byte generation, flushes, transitions; /* ept->generation, vm->generation */
byte leaf = NONE;
bool locked, stop;
bool shut;   /* the gate: ept_gate of hv/vm/create.c, lib/gate.h */
byte inside; /* those who install a leaf without the lock */
bool moving; /* a zap has begun and not completed: the type from before may still be used */

byte cached[N];  /* the translation in CPU i's caches */
byte flushed[N]; /* vcpu->flushed */
bool in[N];      /* cpu->state is CPU_GUEST */
bool guest[N], nmi[N];
bool kicked[N];  /* cpu->slice is 1 */
/*
 * Who holds the lock has kicked CPU i, which has not answered since. (cpu->answers is a number in
 * the C, of which only whether it has changed matters.)
 */
bool asked[N];

inline ANSWER(i)
{
	atomic { nmi[i] -> nmi[i] = false; asked[i] = false; kicked[i] = true }
}

inline lock(i)
{
	do
	:: atomic { !locked -> locked = true; break }
#ifndef NO_ANSWER_IN_LOCK
	:: ANSWER(i)
#endif
	od;
#ifndef NO_GATE
	shut = true;
	do
	:: atomic { inside == 0 -> break }
	:: ANSWER(i)
	od
#endif
}

inline unlock() { shut = false; locked = false }

inline push_out(i)
{
	/* SEE and KICK of one CPU commute with all that others do: one step. */
	d_step {
		do
		:: j < N ->
			if
			:: j != i && in[j] -> nmi[j] = true; asked[j] = true
			:: else
			fi;
			j++
		:: else -> break
		od
	}
	j = 0;
#ifndef NO_WAIT
	do                                    /* WAIT */
	:: atomic { j < N && (!asked[j] || !in[j]) -> asked[j] = false; j++ }
	:: atomic { j == N -> j = 0; break }
	:: ANSWER(i)
	od
#else
	d_step { do :: j < N -> asked[j] = false; j++ :: else -> break od; j = 0 }
#endif
}

inline flush(i)
{
#ifdef MARK_AFTER_KICK
	push_out(i);
#endif
	flushes++;                            /* MARK */
	atomic { cached[i] = NONE; flushed[i] = flushes };
#ifndef MARK_AFTER_KICK
	push_out(i)
#endif
}

/* As ept_noncoherent_change(): the count, then the generation. */
inline change(i)
{
#ifdef GENERATION_FIRST
	generation++;
	atomic { count = 1 - count; moving = true }
#else
	atomic { count = 1 - count; moving = true };
	generation++
#endif
}

inline zap(i)
{
	lock(i);
#ifdef FLUSH_BEFORE_COUNT
	flush(i);
	change(i);
	leaf = NONE;
#else
	change(i);
	leaf = NONE;
	flush(i);
#endif
	atomic { moving = false; unlock() }
}

inline retype(i)
{
	lock(i);
#ifndef NO_STOP
	stop = true;
	push_out(i);
#endif
	change(i);
	moving = false; /* nobody is in a guest: not even now may an old type be used */
	atomic {
		if
		:: leaf != NONE -> leaf = TYPE(count)
		:: else
		fi
	};
	flush(i);
	atomic { stop = false; unlock() }
}

#ifdef NO_GENERATION
#define FRESH true
#else
#define FRESH (seen == generation)
#endif

/*
 * As ept_fault_begin() and ept_fault_install(): the type under no lock, then through the gate, or
 * with the lock where the gate is shut or more than a leaf is to be stored; then the generation.
 */
inline fault(i)
{
	seen = generation;
	type = TYPE(count);
	if
	:: inside++;
		if
		:: atomic { shut -> inside-- }; goto locked_fault
		:: !shut
		fi;
		if
		:: atomic { !FRESH -> inside-- }
		:: FRESH;
			atomic { /* compare and swap */
				if
				:: leaf == NONE ->
					assert(type == TYPE(count)); /* no leaf of an old type is installed */
					leaf = type
				:: else
				fi
			};
			inside--
		fi
	:: true ->
locked_fault:
		lock(i);
		atomic {
			if
			:: leaf == NONE && FRESH -> assert(type == TYPE(count)); leaf = type
			:: else
			fi;
			unlock()
		}
	fi;
	atomic { seen = 0; type = 0 }
}

/* vm->generation is read, and acted upon later. */
inline LOOK(i)
{
#ifndef NO_LOOK
	if
	:: atomic { flushed[i] != flushes -> seen = flushes };
		atomic { cached[i] = NONE; flushed[i] = seen; seen = 0 }
	:: atomic { flushed[i] == flushes }
	fi
#else
	skip
#endif
}

proctype cpu(byte i)
{
	byte j, seen, type;

out:	atomic { in[i] = false; kicked[i] = false }; /* OUT, and a whole slice */
	/* Who was asked to stay out, waits; NMIs come here too, and find nobody in. */
end0:	do
	:: ANSWER(i)
	:: atomic { !stop -> break }
	od;
#ifdef LOOK_FIRST
	LOOK(i);
	in[i] = true;                         /* STATE */
#else
	atomic { kicked[i] = false; in[i] = true }; /* the slice is set, then STATE */
	if
	:: atomic { stop -> goto out }
	:: !stop
	fi;
	LOOK(i);
#endif
resume:	if
#ifdef NMI_LOST
	:: guest[i] = true                    /* ENTER */
#else
	:: atomic { kicked[i] -> goto out }
	:: atomic { !kicked[i] -> guest[i] = true } /* ENTER */
#endif
	:: ANSWER(i); goto resume
	fi;
end1:	do
	:: atomic { cached[i] == NONE && leaf != NONE -> cached[i] = leaf }
	:: atomic { cached[i] == NONE && leaf == NONE -> guest[i] = false }; fault(i); goto resume
	:: atomic { nmi[i] -> guest[i] = false; nmi[i] = false; asked[i] = false }; goto out
	:: atomic { INITIATOR && transitions < TRANSITIONS -> transitions++; guest[i] = false };
		if
		:: zap(i)
		:: retype(i)
		fi;
		goto resume
	:: atomic { IDLER -> guest[i] = false }; goto out
	od
}

/* A guest may never exit by itself: who is waited for and is in its guest has a kick to come. */
#define STUCK(k) (asked[k] && guest[k] && !nmi[k])
/* Once no transition is under way, what a guest can use is what the rule gives. */
#define STALE(k) (guest[k] && cached[k] != NONE && cached[k] != TYPE(count))

#if N == 2
#define ANY(what) (what(0) || what(1))
#elif N == 3
#define ANY(what) (what(0) || what(1) || what(2))
#elif N == 4
#define ANY(what) (what(0) || what(1) || what(2) || what(3))
#else
#define ANY(what) (what(0) || what(1) || what(2) || what(3) || what(4))
#endif

proctype watch()
{
end:	atomic { ANY(STUCK) || (!moving && ANY(STALE)) -> assert(false) }
}

init
{
	byte k;

	atomic {
		do
		:: k < N -> run cpu(k); k++
		:: else -> break
		od;
		run watch()
	}
}
