/* SPDX-License-Identifier: BSD-2-Clause */
/* What is restored of an engine's past, whatever the clock says by then. */
#include "daemon/revisions.h"

#include "base/moment.h"
#include "unit.h"

enum { YEARS_S = 10 * 365 * 86400 };

static void change(struct revisions *r, int number, double confirm_s)
{
	const struct author author = {.uid = 1, .pid = 2, .confirm_s = confirm_s};
	json_t *none = json_array();
	revisions_add(r, &author, &(struct pt_made){(uint64_t)number, none, none, none});
	json_decref(none);
}

/* Found by a daemon whose clock goes so much before, or behind (less than 0), the one that
   wrote. */
static int64_t left_after(int by_s)
{
	struct revisions written, found;
	struct revisions_wait wait = {.left_ns = -1};
	revisions_init(&written, NULL);
	revisions_init(&found, NULL);
	change(&written, 1, 0);
	change(&written, 2, 60);
	json_t *records = history_records(&written.history), *record;
	size_t i;
	json_array_foreach (records, i, record) {

		json_t *confirm = json_object_get(record, "confirm");
		int64_t then = moment_now() - (int64_t)by_s * 1000000000;
		json_object_set_new(record, "time", revisions_time_json(then));
		if (confirm)
			json_object_set_new(confirm, "until",
			                    revisions_time_json(then + INT64_C(60000000000)));
	}
	ck_assert_int_eq(revisions_restore(&found, records, NULL), 0);
	ck_assert(revisions_waits(&found, &wait));
	ck_assert_int_eq(wait.else_, WAIT_BACK);
	ck_assert_uint_eq(wait.back, 1);
	json_decref(records);
	revisions_fini(&written);
	revisions_fini(&found);
	return wait.left_ns;
}

START_TEST(what_waits_never_waits_longer_than_it_was_to)
{
	const int64_t all = INT64_C(60000000000);
	ck_assert_int_eq(left_after(-YEARS_S), all);
	ck_assert_int_eq(left_after(-1), all);
	ck_assert_int_lt(left_after(1), all);
	ck_assert_int_gt(left_after(1), 0);
	ck_assert_int_eq(left_after(61), 0);
	ck_assert_int_eq(left_after(YEARS_S), 0);
}
END_TEST

START_TEST(what_was_lost_is_kept_until_it_is_told_how_it_goes_on)
{
	struct revisions r, found;
	revisions_init(&r, NULL);
	revisions_init(&found, NULL);
	change(&r, 0, 0);
	json_t *records = history_records(&r.history);
	json_array_append_new(records,
	                      json_pack("{s:s, s:s}", "state", "failed", "why", "damaged"));
	ck_assert_int_eq(revisions_restore(&found, records, NULL), 0);
	ck_assert_str_eq(found.lost, "damaged");
	ck_assert(!found.running);
	revisions_set_running(&found, false, NULL);
	ck_assert_ptr_null(found.lost);
	json_decref(records);
	revisions_fini(&r);
	revisions_fini(&found);
}
END_TEST

UNIT_TESTS("daemon/revisions", what_waits_never_waits_longer_than_it_was_to,
           what_was_lost_is_kept_until_it_is_told_how_it_goes_on)
