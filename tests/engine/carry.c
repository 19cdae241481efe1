/* SPDX-License-Identifier: BSD-2-Clause */
/* What a block leaves to the one that takes its place. */
#include "engine/carry.h"

#include "engine/ring.h"
#include "rig.h"
#include "type/type.h"
#include "unit.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- a type that has one descriptor, and loses it when it is told to ---- */

struct keeper {
	int64_t number;
	char *thing;
	int fd;
	bool kept;
};

static int opens, closes;
static bool fail_next;

static int init(struct pt_block *b, struct pt_error *err)
{
	struct keeper *k = pt_state(b);
	k->fd = -1;
	return 0;
}

static int open_it(struct pt_block *b, struct pt_error *err)
{
	struct keeper *k = pt_state(b);
	size_t length = 0;
	k->kept = pt_carried_fd(b, k->thing, &k->fd);
	const void *bytes = pt_carried_bytes(b, k->thing, &length);
	ck_assert(!k->kept == !bytes);
	if (bytes)
		ck_assert(length == 5 && !memcmp(bytes, "bytes", 5));
	ck_assert(!pt_carried_fd(b, "something else", &k->fd) &&
	          !pt_carried_bytes(b, "else", &length));
	if (fail_next)
		return pt_fail(err, -ENODEV, NULL, "the bench says no");
	if (k->kept)
		return 0;
	opens++;
	k->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return 0;
}

static void carry(struct pt_block *b, struct pt_carry *carry)
{
	const struct keeper *k = pt_state(b);
	pt_carry_fd(carry, k->thing, k->fd);
	pt_carry_bytes(carry, k->thing, "bytes", 5);
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct keeper *k = pt_state(b), *before = pt_state(old);
	if (!k->kept)
		return;
	k->fd = before->fd;
	before->fd = -1;
}

static int close_it(struct pt_block *b, struct pt_error *err)
{
	struct keeper *k = pt_state(b);
	if (k->fd >= 0) {
		closes++;
		close(k->fd);
	}
	k->fd = -1;
	return 0;
}

static const struct pt_type keeper = {
	.api = PT_API,
	.name = "Keeper",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW),
	.params =
		(const struct pt_param[]){
			{"thing", "What it has.", PT_STRING(struct keeper, thing), "\"a\""},
			{"number", "What differs.", PT_INT(struct keeper, number), "0"},
			{NULL}},
	.size = sizeof(struct keeper),
	.init = init,
	.open = open_it,
	.carry = carry,
	.take_over = take_over,
	.close = close_it,
};

static struct rig *bench(const char *text)
{
	if (!type_find("Keeper"))
		ck_assert_int_eq(type_add(&keeper, NULL), 0);
	opens = closes = 0;
	fail_next = false;
	return rig_graph(text);
}

static const struct keeper *state_of(struct rig *r)
{
	return pt_state(rig_block(r, "it"));
}

static bool set(struct rig *r, const char *params)
{
	char text[200];
	snprintf(text, sizeof text,
	         "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": %s}]}", params);
	return ask(r, "change", text);
}

START_TEST(what_is_carried_is_not_opened_anew)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	int fd = state_of(r)->fd;
	for (int n = 1; n <= 5; n++) {
		char params[40];
		snprintf(params, sizeof params, "{\"number\": %d}", n);
		ck_assert_msg(set(r, params), "%s", rig_words(r));
		ck_assert_int_eq(state_of(r)->fd, fd);
		push(r, LOW, "a");
		expect_at(r, "s>", "a");
	}
	ck_assert_int_eq(opens, 1);
	ck_assert_int_eq(closes, 0);
	rig_end(r);
	ck_assert_int_eq(closes, 1);
}
END_TEST

START_TEST(another_thing_is_opened_and_the_old_one_closed)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	ck_assert(set(r, "{\"thing\": \"b\"}"));
	ck_assert_int_eq(opens, 2);
	ck_assert_int_eq(closes, 1);
	ck_assert(ask_change(r, "c = Keeper('b')"));
	ck_assert_int_eq(opens, 3);
	rig_end(r);
	ck_assert_int_eq(closes, 3);
}
END_TEST

START_TEST(a_change_that_fails_leaves_it_where_it_was)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	int fd = state_of(r)->fd;
	fail_next = true;
	ck_assert(!set(r, "{\"number\": 1}"));
	ck_assert_int_eq(state_of(r)->fd, fd);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(closes, 0);
	fail_next = false;
	rig_end(r);
	ck_assert_int_eq(closes, 1);
}
END_TEST

START_TEST(nothing_is_carried_by_what_does_not_run)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(set(r, "{\"number\": 1}"));
	ck_assert_int_eq(opens, 1);
	ck_assert(ask(r, "start", "{}"));
	ck_assert_int_eq(opens, 2);
	rig_end(r);
}
END_TEST

START_TEST(a_trial_carries_nothing)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	int fd = state_of(r)->fd;
	ck_assert(ask(r, "change",
	              "{\"dry_run\": true, \"ops\": [{\"op\": \"set\", \"name\": \"it\", "
	              "\"params\": {\"number\": 1}}]}"));
	ck_assert_int_eq(state_of(r)->fd, fd);
	ck_assert_int_eq(opens, 1);
	rig_end(r);
}
END_TEST

/* Without a successor that takes over: what the next daemon gets. */
START_TEST(a_copy_of_a_descriptor_is_taken_once_or_closed)
{
	struct rig *r = bench("it = Keeper(); s = RigSink(); it > s");
	struct pt_block *b = rig_block(r, "it");
	size_t count;
	b->carried = carry_of(b, PT_FOR_RESTART);
	const struct carry_item *items = carry_items(b->carried, &count);
	ck_assert_uint_eq(count, 2);
	int copy = items[0].fd, fd = -1;
	ck_assert_int_ne(copy, state_of(r)->fd);
	ck_assert(pt_carried_fd(b, "a", &fd));
	int taken = fd;
	ck_assert(!pt_carried_fd(b, "a", &fd));
	carry_ask_anew(b);
	ck_assert(pt_carried_fd(b, "a", &fd));
	carry_free(b->carried);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	ck_assert_int_eq(close(taken), 0);
	ck_assert_int_eq(close(fd), 0);

	b->carried = carry_of(b, PT_FOR_RESTART);
	copy = carry_items(b->carried, &count)[0].fd;
	carry_free(b->carried);
	b->carried = NULL;
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	rig_end(r);
}
END_TEST

/* ---- rows ---- */

struct tally {
	bool open;
	int64_t seen, starts, every;
	struct coarse {
		uint16_t a;
		char b[6];
	} coarse;
	int64_t alive;
};

static void tally_start(struct pt_block *b)
{
	struct tally *t = pt_state(b);
	if (!pt_goes_on(b))
		*t = (struct tally){.every = t->every, .coarse = {1, "begun"}};
	t->starts++;
}

static struct pt_msg *tally_act(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct tally *t = pt_state(b);
	t->open = !t->open;
	t->seen++;
	t->alive++;
	t->coarse.b[0] = 'B';
	return m;
}

static const struct pt_carried tally_carries[] = {
	{"open", PT_CARRY_BOOL(struct tally, open), .flags = PT_SHOWN},
	{"seen", PT_CARRY_INT(struct tally, seen), .flags = PT_SHOWN},
	{"coarse", PT_CARRY_BYTES(struct tally, coarse)},
	{"alive", PT_CARRY_INT(struct tally, alive), .flags = PT_ALIVE},
	{NULL},
};

static const struct pt_type tally = {
	.api = PT_API,
	.name = "Tally",
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW),
	.params =
		(const struct pt_param[]){
			{"every", "What differs.", PT_INT(struct tally, every), "0"}, {NULL}},
	.carries = tally_carries,
	.size = sizeof(struct tally),
	.start = tally_start,
	.act = tally_act,
};

static struct rig *tally_bench(void)
{
	if (!type_find("Tally"))
		ck_assert_int_eq(type_add(&tally, NULL), 0);
	return rig_graph("it = Tally(); s = RigSink(); it > s");
}

static const struct tally *tally_of(struct rig *r)
{
	return pt_state(rig_block(r, "it"));
}

START_TEST(rows_go_to_the_successor_of_a_block_that_runs)
{
	struct rig *r = tally_bench();
	push(r, LOW, "a");
	expect_at(r, "s>", "a");
	ck_assert(set(r, "{\"every\": 1}"));
	const struct tally *t = tally_of(r);
	ck_assert(t->open && t->seen == 1 && t->alive == 1 && t->starts == 1);
	ck_assert_str_eq(t->coarse.b, "Begun");
	push(r, LOW, "b");
	expect_at(r, "s>", "b");
	const json_t *shown = json_object_get(ask(r, "show", "{}"), "blocks");
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_object_get(json_array_get(shown, 0), "now"), "seen")),
	                 2);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(set(r, "{\"every\": 2}"));
	ck_assert(ask(r, "start", "{}"));
	ck_assert_int_eq(tally_of(r)->seen, 0);
	rig_end(r);
}
END_TEST

/* What the first would leave is given to the second, but for a row of the size of `cut`. */
static struct rig *restarted(const char *cut)
{
	struct rig *r = tally_bench();
	push(r, LOW, "a");
	expect_at(r, "s>", "a");
	struct pt_carry *told = carry_of(rig_block(r, "it"), PT_FOR_RESTART);
	size_t count;
	struct carry_item *items = carry_items(told, &count);
	ck_assert_uint_eq(count, 3); /* and not what is alive */
	for (size_t i = 0; i < count; i++)
		if (!strcmp(items[i].key, cut))
			items[i].length--;
	ck_assert(ask(r, "stop", "{}"));
	rig_block(r, "it")->carried = told;
	ck_assert(ask(r, "start", "{}"));
	return r;
}

START_TEST(rows_go_over_a_restart)
{
	struct rig *r = restarted("");
	const struct tally *t = tally_of(r);
	ck_assert(t->open && t->seen == 1);
	ck_assert_str_eq(t->coarse.b, "Begun");
	ck_assert_ptr_null(rig_block(r, "it")->count.gone[0].why);
	rig_end(r);
}
END_TEST

/* A daemon that dies before the block has started leaves what it was left. */
START_TEST(what_is_not_taken_up_yet_is_carried_on)
{
	struct rig *r = tally_bench();
	push(r, LOW, "a");
	expect_at(r, "s>", "a");
	struct pt_carry *told = carry_of(rig_block(r, "it"), PT_FOR_RESTART);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert_ptr_null(carry_of(rig_block(r, "it"), PT_FOR_RESTART));
	rig_block(r, "it")->carried = told;
	struct pt_carry *again = carry_of(rig_block(r, "it"), PT_FOR_RESTART);
	carry_free(told);
	rig_block(r, "it")->carried = again;
	ck_assert(ask(r, "start", "{}"));
	ck_assert(tally_of(r)->open && tally_of(r)->seen == 1);
	rig_end(r);
}
END_TEST

START_TEST(with_one_that_cannot_be_read_all_begin_anew_and_it_is_told)
{
	struct rig *r = restarted("coarse");
	const struct tally *t = tally_of(r);
	ck_assert(!t->open && t->seen == 0);
	ck_assert_str_eq(t->coarse.b, "begun");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "restart");
	ck_assert_uint_eq(rig_block(r, "it")->count.gone[0].count, 1);
	rig_end(r);
}
END_TEST

/* ---- a queue of an earlier daemon ---- */

static void join(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	uint32_t head = bytes[14] & 4 ? 24 : 16;
	strncat(arg, (const char *)bytes + head, length - head);
}

static int fd_of(const struct pt_carry *carry)
{
	size_t count;
	const struct carry_item *items = carry_items(carry, &count);
	ck_assert_uint_eq(count, 1);
	return items[0].fd;
}

static void add_carried(struct ring *s, const char *text)
{
	static const uint8_t head[16];
	ck_assert(ring_push(s, &(const struct ring_record){RING_MESSAGE, head, text, sizeof head,
	                                                   (uint32_t)strlen(text)}));
}

static void begin_with(struct pt_block *b, struct ring *s)
{
	b->carried = carry_new(PT_FOR_RESTART);
	carry_add_fd(b->carried, CARRY_QUEUE, dup(ring_fd(s)));
	ring_free(s);
	carry_begin(b);
}

static void look_at_carried(struct pt_block *b, ring_each_one *each, void *arg)
{
	struct pt_carry *next = carry_of(b, PT_FOR_RESTART);
	struct ring *found = ring_open(dup(fd_of(next)));
	ck_assert_uint_eq(ring_each(found, RING_MESSAGE, each, arg), 0);
	ring_free(found);
	carry_free(next);
}

/* Or all that comes later would be lost behind what is damaged. */
START_TEST(a_queue_that_is_damaged_is_begun_anew)
{
	struct rig *r = rig_graph("it = QueueSink()");
	struct pt_block *b = rig_block(r, "it");
	struct ring *s = ring_new(0);
	add_carried(s, "one ");
	add_carried(s, "two ");
	const uint32_t too_long = UINT32_MAX - 100;
	ck_assert_int_eq(pwrite(ring_fd(s), &too_long, sizeof too_long, 4096 + 40 + 8), 4);
	begin_with(b, s);
	push(r, LOW, "three ");
	char text[100] = "";
	look_at_carried(b, join, text);
	ck_assert_str_eq(text, "one three ");
	ck_assert_str_eq(b->count.gone[0].why, "restart");
	ck_assert_uint_eq(b->count.gone[0].count, 1);
	rig_end(r);
}
END_TEST

static void expect_place(void *arg, const uint8_t *bytes, uint32_t length, uint32_t gone)
{
	unsigned *sum = arg;
	ck_assert(bytes[14] & 4);
	ck_assert_mem_eq(bytes + 16, &(uint64_t){*sum}, 8);
	*sum += length - 24;
}

/* Or the first of those that stay would be taken for the first of all. */
START_TEST(a_queue_without_places_gets_them)
{
	struct rig *r = rig_graph("it = QueueSink()");
	struct pt_block *b = rig_block(r, "it");
	struct ring *s = ring_new(0);
	add_carried(s, "one ");
	add_carried(s, "three ");
	begin_with(b, s);
	push(r, LOW, "two ");
	unsigned sum = 0;
	look_at_carried(b, expect_place, &sum);
	ck_assert_uint_eq(sum, 4 + 6 + 4);
	rig_end(r);
}
END_TEST

/* Or a kill after it has to grow finds it as it was before that. */
START_TEST(a_queue_that_was_carried_gets_the_room_that_is_wanted)
{
	enum { ROOM = 1 << 20 };
	struct rig *r = rig_graph("it = QueueSink()");
	struct pt_block *b = rig_block(r, "it");
	struct pt_queue q = {.shadow = NULL};
	struct ring *s = ring_new(0);
	add_carried(s, "one ");
	add_carried(s, "two ");
	b->carried = carry_new(PT_FOR_RESTART);
	carry_add_fd(b->carried, CARRY_QUEUE, dup(ring_fd(s)));
	pt_queue_carried(b, &q);
	ck_assert_uint_lt(ring_room(q.shadow), ROOM);
	pt_queue_set_room(b, &q, ROOM);
	ck_assert_uint_ge(ring_room(q.shadow), ROOM);
	char text[100] = "";
	ck_assert_uint_eq(ring_each(q.shadow, RING_MESSAGE, join, text), 0);
	ck_assert_str_eq(text, "one two ");
	const struct ring *kept = q.shadow;
	pt_queue_set_room(b, &q, 1);
	ck_assert_ptr_eq(q.shadow, kept);
	pt_queue_drop(b, &q, "left");
	pt_queue_clear(&q);
	ring_free(s);
	rig_end(r);
}
END_TEST

static void hear(void *arg, const char *block, const char *type, struct pt_carry *carry)
{
	carry_free(carry);
}

START_TEST(messages_of_a_queue_are_what_they_were)
{
	struct rig *r = rig_graph("f = CLIFeeder(); g = CLIHighFeeder(); q = QueueSink()\n"
	                          "it = QueueSink(); f > q; g >> q");
	rig_engine(r)->hooks.carry = hear;
	ck_assert(ask(r, "send",
	              "{\"block\": \"f\", \"message\": {\"message\": \"a\", "
	              "\"link_type\": 1, \"wire_length\": 9, \"time\": \"1.5\"}}"));
	ck_assert(ask(r, "send", "{\"block\": \"g\", \"message\": {\"message\": \"b\"}}"));
	ck_assert(ask(r, "send",
	              "{\"block\": \"f\", \"message\": {\"message\": \"c\", "
	              "\"text\": true}}"));
	struct pt_block *b = rig_block(r, "it");
	b->carried = carry_of(rig_block(r, "q"), PT_FOR_RESTART);
	carry_begin(b);
	json_t *before = json_deep_copy(ask(r, "recv", "{\"block\": \"q\", \"max\": 9}"));
	ck_assert_uint_eq(json_array_size(json_object_get(before, "messages")), 3);
	ck_assert(json_equal(before, ask(r, "recv", "{\"block\": \"it\", \"max\": 9}")));
	json_decref(before);
	rig_end(r);
}
END_TEST

static void limit_descriptors(rlim_t most)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = most ? most : limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(where_no_memory_can_be_had_it_is_tried_with_the_next_message)
{
	struct rig *r = rig_graph("it = QueueSink()");
	struct pt_block *b = rig_block(r, "it");
	rig_engine(r)->hooks.carry = hear;
	limit_descriptors(1);
	push(r, LOW, "one ");
	pt_carry_changed(b);
	turn(r);
	ck_assert(!b->carry_stale);
	limit_descriptors(0);
	push(r, LOW, "two ");
	turn(r);
	struct pt_carry *next = carry_of(b, PT_FOR_RESTART);
	struct ring *found = ring_open(dup(fd_of(next)));
	char text[100] = "";
	ck_assert_uint_eq(ring_each(found, RING_MESSAGE, join, text), 0);
	ck_assert_str_eq(text, "one two ");
	ring_free(found);
	carry_free(next);
	rig_end(r);
}
END_TEST

START_TEST(what_is_carried_damaged_is_told_and_counted)
{
	struct rig *r = rig_graph("it = QueueSink()");
	struct pt_carry *damaged = carry_new(PT_FOR_RESTART);
	carry_set_damaged(damaged);
	pt_engine_carry(rig_engine(r), "it", NULL, damaged);
	struct pt_block *b = rig_block(r, "it");
	ck_assert_ptr_null(carry_take(rig_engine(r), "other", "QueueSink"));
	b->carried = carry_take(rig_engine(r), "it", "QueueSink");
	ck_assert_ptr_eq(b->carried, damaged);
	carry_tell_damage(b);
	carry_tell_damage(b);
	ck_assert_str_eq(b->count.gone[0].why, "restart");
	ck_assert_uint_eq(b->count.gone[0].count, 1);
	rig_end(r);
}
END_TEST

UNIT_TESTS("engine/carry", what_is_carried_is_not_opened_anew,
           another_thing_is_opened_and_the_old_one_closed,
           a_change_that_fails_leaves_it_where_it_was, nothing_is_carried_by_what_does_not_run,
           a_trial_carries_nothing, a_copy_of_a_descriptor_is_taken_once_or_closed,
           rows_go_to_the_successor_of_a_block_that_runs, rows_go_over_a_restart,
           what_is_not_taken_up_yet_is_carried_on,
           with_one_that_cannot_be_read_all_begin_anew_and_it_is_told,
           a_queue_that_is_damaged_is_begun_anew, a_queue_without_places_gets_them,
           a_queue_that_was_carried_gets_the_room_that_is_wanted,
           messages_of_a_queue_are_what_they_were,
           where_no_memory_can_be_had_it_is_tried_with_the_next_message,
           what_is_carried_damaged_is_told_and_counted)
