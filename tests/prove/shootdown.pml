/* SPDX-License-Identifier: MIT */
/*
 * The shootdown with several CPUs, as a model for spin: N CPUs, one EPT, one page. A CPU faults the
 * page in, uses what it has cached, and two of them make transitions: by a zap (everybody INVEPTs
 * before the flush returns) or by a retype (everybody is stopped, the leaf changes in place).
 *
 * A CPU is 'in' from its first entry until it idles; an exit stores nothing. A flush raises one
 * number, 'flushes', which every CPU has to answer; kicks those that are in (an NMI); and waits until
 * each has answered or is not in. To answer is to read the number, INVEPT, and store what was read:
 * one step here, since nobody else sees a CPU's caches. Who waits for the lock answers meanwhile,
 * and so does who is about to enter. An NMI that comes between that look and the entry makes the
 * guest exit at once (its handler sets the preemption timer to 0): it stays pending here.
 *
 * Shown: once a transition has completed no CPU uses a type that is not the rule's; no leaf of an old
 * type is installed; no CPU is waited for that cannot answer, and none that is in its guest without a
 * kick that will reach it. Each word after "spin" in tests/prove/mutants is a fault that must give a
 * counterexample. Memory is sequentially consistent here: where a store must be seen before a later
 * load (in and flushes, stop and stopped) x86 needs XCHG or MFENCE.
 */
#ifndef N
#define N 4
#endif
#define TRANSITIONS 2
/* Who makes transitions: two, alike, so that the first may be taken to be CPU 0's. */
#define INITIATOR (i == 0 || (i == 1 && transitions > 0))
#define IDLER     (i == N - 1) /* who halts now and then */

#define NONE    0
#define TYPE(c) (1 + (c)) /* what the rule gives a leaf while the count is c */

bit count; /* noncoherent DMA, or none */
byte generation, flushes, transitions;
byte leaf = NONE;
bool locked, stop;
bool moving; /* a zap has begun and not completed: the type from before may still be used */

byte cached[N];   /* the translation in CPU i's caches */
byte answered[N]; /* the number of the last flush that CPU i has done its INVEPT for */
bool in[N], guest[N], nmi[N], stopped[N];
bool waits; /* somebody has kicked, and waits */

inline answer(i)
{
	atomic { flushes != answered[i] -> cached[i] = NONE; answered[i] = flushes }
}

inline park(i)
{
	atomic { stop && !stopped[i] -> stopped[i] = true };
	atomic { !stop -> stopped[i] = false }
}

inline lock(i)
{
	do
	:: atomic { !locked -> locked = true; break }
#ifndef NO_ANSWER_IN_LOCK
	:: answer(i)
	:: park(i)
#endif
	od
}

/* IPIs arrive when they arrive: to send all of them in one step is no restriction. */
inline kick_all(i)
{
	d_step {
		j = 0;
		do
		:: j < N -> nmi[j] = nmi[j] || (j != i && in[j]); j++
		:: else -> break
		od;
		j = 0;
		waits = true
	}
}

inline flush(i)
{
#ifdef MARK_AFTER_KICK
	kick_all(i);
	waits = false;
#endif
	atomic { flushes++; cached[i] = NONE; answered[i] = flushes };
#ifdef MARK_AFTER_KICK
	waits = true;
#else
	kick_all(i);
#endif
#ifndef NO_WAIT
	do
	:: atomic { j < N && (answered[j] == flushes || !in[j]) -> j++ }
	:: atomic { j == N -> j = 0; waits = false; break }
	od
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
	atomic { moving = false; locked = false }
}

inline retype(i)
{
	lock(i);
#ifndef NO_STOP
	stop = true;
	kick_all(i);
	do
	:: atomic { j < N && (j == i || stopped[j] || !in[j]) -> j++ }
	:: atomic { j == N -> j = 0; waits = false; break }
	od;
#endif
	change(i);
	moving = false; /* nobody is in a guest: not even now may an old type be used */
	atomic {
		if
		:: leaf != NONE -> leaf = TYPE(count)
		:: else
		fi
	};
	atomic { flushes++; cached[i] = NONE; answered[i] = flushes };
	atomic { stop = false; locked = false }
}

/* As ept_fault_begin() and ept_fault_install(): the type under no lock, then the generation. */
inline fault(i)
{
	seen = generation;
	type = TYPE(count);
	lock(i);
	atomic {
		if
#ifdef NO_GENERATION
		:: leaf == NONE ->
#else
		:: leaf == NONE && seen == generation ->
#endif
			assert(type == TYPE(count)); /* no leaf of an old type is installed */
			leaf = type
		:: else
		fi;
		locked = false; seen = 0; type = 0
	}
}

/* The look at what is asked, and the entry. */
inline enter(i)
{
	do
	:: answer(i)
	:: park(i)
#ifdef NMI_LOST
	:: atomic { flushes == answered[i] && !stop -> skip };
		atomic { guest[i] = true; nmi[i] = false; break }
#else
	:: atomic { flushes == answered[i] && !stop -> guest[i] = true; break }
#endif
	od
}

inline leave(i)
{
	guest[i] = false; nmi[i] = false
}

proctype cpu(byte i)
{
	byte j, seen, type;

	do
	:: enter(i);
end:	   do
	   :: atomic { cached[i] == NONE && leaf != NONE -> cached[i] = leaf }
	   :: atomic { cached[i] == NONE && leaf == NONE -> leave(i) }; fault(i); break
	   :: atomic { nmi[i] -> leave(i); break }
	   :: atomic { INITIATOR && transitions < TRANSITIONS -> transitions++; leave(i) };
		if
		:: zap(i)
		:: retype(i)
		fi;
		break
	   /* Idle; when it wakes it is in before it looks: a flush sees the one or is seen. */
	   :: atomic { IDLER -> leave(i); in[i] = false }; in[i] = true; break
	   od
	od
}

/* A guest may never exit by itself: who is waited for and is in its guest has a kick to come. */
#define STUCK(k) (guest[k] && !nmi[k] && (stop || answered[k] != flushes))
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
end:	atomic { (waits && ANY(STUCK)) || (!moving && ANY(STALE)) -> assert(false) }
}

init
{
	byte k;

	atomic {
		do
		:: k < N -> in[k] = true; run cpu(k); k++
		:: else -> break
		od;
		run watch()
	}
}
