/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop that others write to. */
#include "unit.h"

#include "base/mailbox.h"

static uv_loop_t loop;
static struct mailbox box;
static unsigned seen[4], count;

static void begin(uint64_t turn_ns)
{
	count = 0;
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(mailbox_init(&box, &loop, turn_ns), 0);
}

static void end(void)
{
	mailbox_close(&box);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mailbox_fini(&box);
}

struct note {
	struct pt_letter letter;
	unsigned from, number;
};

static void read_note(struct pt_letter *letter)
{
	const struct note *note = (struct note *)letter;
	ck_assert_uint_eq(note->number, seen[note->from]);
	seen[note->from]++;
	count++;
}

enum { NOTES = 5000 };
static struct note notes[4][NOTES];

static void write_notes(void *arg)
{
	struct note *own = arg;
	for (unsigned i = 0; i < NOTES; i++) {
		own[i] =
			(struct note){{.read = read_note}, (unsigned)((own - notes[0]) / NOTES), i};
		mailbox_post(&box, &own[i].letter);
	}
}

START_TEST(each_is_read_in_the_order_of_its_writers)
{
	uv_thread_t threads[4];
	begin(0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(uv_thread_create(&threads[i], write_notes, notes[i]), 0);
	while (count < 4 * NOTES)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < 4; i++)
		uv_thread_join(&threads[i]);
	end();
}
END_TEST

static unsigned turns;

static void on_turn(uv_check_t *check)
{
	turns++;
}

static void read_slowly(struct pt_letter *letter)
{
	uint64_t until = uv_hrtime() + 100000;
	while (uv_hrtime() < until)
		;
	count++;
}

START_TEST(a_turn_has_its_length)
{
	struct pt_letter letters[8];
	uv_check_t check;
	begin(1);
	uv_check_init(&loop, &check);
	uv_check_start(&check, on_turn);
	for (int i = 0; i < 8; i++) {
		letters[i].read = read_slowly;
		mailbox_post(&box, &letters[i]);
	}
	while (count < 8)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_uint_ge(turns, 8);
	uv_close((uv_handle_t *)&check, NULL);
	end();
}
END_TEST

static struct pt_letter late;

static void read_at_once(struct pt_letter *letter)
{
	count++;
}

static void read_and_write(struct pt_letter *letter)
{
	late.read = read_at_once;
	mailbox_post(&box, &late);
	read_slowly(letter);
}

/* Its wake is one with that for the rest of the turn. */
START_TEST(what_comes_at_the_end_of_a_turn_is_read)
{
	struct pt_letter letters[2] = {{.read = read_and_write}, {.read = read_at_once}};
	begin(50000);
	mailbox_post(&box, &letters[0]);
	mailbox_post(&box, &letters[1]);
	for (int i = 0; i < 100; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(count, 3);
	end();
}
END_TEST

UNIT_TESTS("base/mailbox", each_is_read_in_the_order_of_its_writers, a_turn_has_its_length,
           what_comes_at_the_end_of_a_turn_is_read)
