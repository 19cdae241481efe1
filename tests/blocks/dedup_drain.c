/* SPDX-License-Identifier: BSD-2-Clause */
/* DedupDrain, and tables as a block finds them that another daemon has left. */
#include "engine/carry.h"
#include "rig.h"
#include "unit.h"
#include <string.h>

/* It is stopped, and was left this, which is the rig's now. */
static struct rig *rig_left(struct pt_carry *left)
{
	struct rig *r = rig("DedupDrain", "");
	ck_assert(ask(r, "stop", "{}"));
	rig_block(r, "it")->carried = left;
	return r;
}

static struct pt_carry *left_of_one(void)
{
	struct rig *r = rig("DedupDrain", "");
	push(r, LOW, "a");
	expect(r, LOW, "a");
	struct pt_carry *left = carry_of(rig_block(r, "it"), PT_AT_END);
	rig_end(r);
	return left;
}

static int64_t shown(struct rig *r, const char *name)
{
	json_t *now = carry_show(rig_block(r, "it"));
	int64_t number = json_integer_value(json_object_get(now, name));
	json_decref(now);
	return number;
}

START_TEST(what_has_passed_is_known_to_the_next)
{
	struct rig *r = rig_left(left_of_one());
	ck_assert(ask(r, "start", "{}"));
	push(r, LOW, "a");
	expect_nothing(r);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(ask(r, "start", "{}"));
	push(r, LOW, "a");
	expect(r, LOW, "a");
	rig_end(r);
}
END_TEST

/* A daemon that dies before the block has started leaves what it was left. */
START_TEST(what_is_not_taken_up_yet_is_carried_on)
{
	struct pt_carry *left = left_of_one();
	struct rig *r = rig_left(left);
	rig_block(r, "it")->carried = carry_of(rig_block(r, "it"), PT_AT_END);
	carry_free(left);
	ck_assert(ask(r, "start", "{}"));
	push(r, LOW, "a");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

/* As another version may have left it: not of its form. */
START_TEST(what_is_damaged_is_told_and_counted)
{
	size_t count;
	struct pt_carry *left = left_of_one();
	struct carry_item *items = carry_items(left, &count);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(items[i].key, "seen by time"))
			items[i].length--;
	struct rig *r = rig_left(left);
	ck_assert(ask(r, "start", "{}"));
	expect_report(r, "damaged: it begins anew");
	ck_assert_str_eq(rig_block(r, "it")->count.gone[0].why, "restart");
	push(r, LOW, "a");
	expect(r, LOW, "a");
	rig_end(r);
}
END_TEST

/* A bench has no checkpoints. */
START_TEST(what_a_crash_leaves_is_a_number)
{
	struct rig *before = rig("DedupDrain", "");
	push_all(before, LOW, (const char *const[]){"a", "b", "a"}, 3);
	struct pt_carry *left = carry_of(rig_block(before, "it"), PT_FOR_RESTART);
	expect(before, LOW, "a");
	expect(before, LOW, "b");
	rig_end(before);
	struct rig *r = rig_left(left);
	ck_assert(ask(r, "start", "{}"));
	expect_report(r, "what it had of 2 keys before the restart is forgotten");
	ck_assert_int_eq(shown(r, "evicted"), 2);
	ck_assert_int_eq(shown(r, "kept"), 0);
	ck_assert(ask(r, "stop", "{}"));
	ck_assert(ask(r, "start", "{}"));
	ck_assert_int_eq(shown(r, "evicted"), 0);
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/dedup_drain", what_has_passed_is_known_to_the_next,
           what_is_not_taken_up_yet_is_carried_on, what_is_damaged_is_told_and_counted,
           what_a_crash_leaves_is_a_number)
