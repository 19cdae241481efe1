/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels of hosts, and what has to hold of them. */
#include "fleet/label.h"

#include "unit.h"

static json_t *labels_of(const char *const *texts)
{
	json_t *labels = json_object();
	while (*texts)
		label_set(labels, *texts++);
	return labels;
}

START_TEST(a_label_is_held_by_name_or_by_value)
{
	json_t *labels = labels_of((const char *const[]){"role=web", "lab", "x=a=b", NULL});
	ck_assert(label_held(labels, "role"));
	ck_assert(label_held(labels, "role=web"));
	ck_assert(!label_held(labels, "role=we"));
	ck_assert(!label_held(labels, "rol"));
	ck_assert(label_held(labels, "lab"));
	ck_assert(label_held(labels, "lab="));
	ck_assert(!label_held(labels, "lab=1"));
	ck_assert(label_held(labels, "x=a=b"));
	ck_assert(!label_held(labels, "web"));
	json_decref(labels);
}
END_TEST

START_TEST(a_label_has_a_name_and_is_there_once)
{
	json_t *labels = json_object();
	ck_assert(label_set(labels, "role=web") && label_set(labels, "lab"));
	ck_assert(!label_set(labels, "role=db") && !label_set(labels, "=x") &&
	          !label_set(labels, ""));
	ck_assert(label_held(labels, "role=web"));
	json_decref(labels);
}
END_TEST

START_TEST(all_of_one_list_fit_or_those_of_another)
{
	json_t *labels = labels_of((const char *const[]){"role=web", "site=north", NULL});
	json_t *wanted = NULL;
	ck_assert(label_fits(labels, wanted));
	ck_assert(label_want(&wanted, "role=web, site=south"));
	ck_assert(!label_fits(labels, wanted));
	ck_assert(label_want(&wanted, " @site=north ,role"));
	ck_assert(label_fits(labels, wanted));
	json_decref(wanted);
	wanted = NULL;
	ck_assert(!label_want(&wanted, " , "));
	json_decref(wanted);
	json_decref(labels);
}
END_TEST

UNIT_TESTS("fleet/label", a_label_is_held_by_name_or_by_value, a_label_has_a_name_and_is_there_once,
           all_of_one_list_fit_or_those_of_another)
