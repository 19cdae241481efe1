/* SPDX-License-Identifier: BSD-2-Clause */
/* Workers: what hangs holds up nobody, and what must be done is done. */
#include "base/workers.h"

#include "threads.h"
#include "unit.h"
#include <semaphore.h>

static sem_t begun, gate, done;

static void hang(struct work *w)
{
	sem_post(&begun);
	sem_wait(&gate);
	sem_post(&done);
}

static void pass(struct work *w)
{
	sem_post(&done);
}

static void begin(void)
{
	sem_init(&begun, 0, 0);
	sem_init(&gate, 0, 0);
	sem_init(&done, 0, 0);
	ck_assert_int_eq(workers_begin(NULL), 0);
}

static void add(struct work *w, void (*run)(struct work *), bool must)
{
	*w = (struct work){.run = run, .must = must};
	workers_add(w);
}

static void await(sem_t *sem, int times)
{
	while (times--)
		ck_assert_int_eq(sem_wait(sem), 0);
}

START_TEST(what_hangs_holds_up_nobody)
{
	struct work hangs[20], other;
	begin();
	for (int i = 0; i < 20; i++)
		add(&hangs[i], hang, i % 2);
	await(&begun, 20);
	for (int i = 0; i < 100; i++) {
		add(&other, pass, i % 2);
		await(&done, 1);
	}
	for (int i = 0; i < 20; i++)
		sem_post(&gate);
	await(&done, 20);
}
END_TEST

START_TEST(what_must_be_done_is_done_when_all_the_others_hang)
{
	struct work hangs[WORKERS_MAX], late, must;
	begin();
	for (int i = 0; i < WORKERS_MAX - 1; i++)
		add(&hangs[i], hang, false);
	await(&begun, WORKERS_MAX - 1);
	add(&late, pass, false);
	add(&must, pass, true);
	await(&done, 1);
	ck_assert(workers_take_back(&late));
	ck_assert(!workers_take_back(&late));
	add(&late, pass, false);
	for (int i = 0; i < WORKERS_MAX - 1; i++)
		sem_post(&gate);
	await(&done, WORKERS_MAX);
	ck_assert(!workers_take_back(&late));
}
END_TEST

START_TEST(what_waits_may_be_taken_back_from_anywhere)
{
	struct work hangs[WORKERS_MAX], late[3];
	begin();
	for (int i = 0; i < WORKERS_MAX - 1; i++)
		add(&hangs[i], hang, false);
	await(&begun, WORKERS_MAX - 1);
	for (int i = 0; i < 3; i++)
		add(&late[i], pass, false);
	ck_assert(workers_take_back(&late[2]));
	ck_assert(workers_take_back(&late[0]));
	add(&late[0], pass, false);
	for (int i = 0; i < WORKERS_MAX - 1; i++)
		sem_post(&gate);
	await(&done, WORKERS_MAX + 1);
	ck_assert_int_eq(sem_trywait(&done), -1);
}
END_TEST

/* First of all, while there are the least workers. */
START_TEST(they_are_more_again_when_there_can_be_threads)
{
	struct work hangs[2], waits, later;
	begin();
	set_threads(false);
	add(&hangs[0], hang, true);
	add(&hangs[1], hang, false);
	await(&begun, 2);
	add(&waits, pass, true);
	ck_assert_int_eq(sem_trywait(&done), -1);
	set_threads(true);
	add(&later, pass, true);
	await(&done, 2);
	sem_post(&gate);
	sem_post(&gate);
	await(&done, 2);
}
END_TEST

UNIT_TESTS("base/workers", they_are_more_again_when_there_can_be_threads,
           what_hangs_holds_up_nobody, what_must_be_done_is_done_when_all_the_others_hang,
           what_waits_may_be_taken_back_from_anywhere)
