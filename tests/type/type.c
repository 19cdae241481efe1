/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the registry, and that every type built in keeps the rules. */
#include "type/table.h"
#include "type/type.h"

#include "unit.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PICTURE               \
	"     +-------+\n"    \
	"  >>-|       |->>\n" \
	"   >-|--[x]--|->\n"  \
	"     +-------+\n"

static const char *const example[] = {"CLIFeeder() > ConsoleSink()", NULL};
static const struct pt_type sample = {
	.api = PT_API,
	.name = "SampleDrain",
	.summary = "does nothing of note",
	.picture = PICTURE,
	.examples = example,
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT,
	.routes = PT_ROUTE(PT_LOW, PT_LOW),
};

static int complain(void *arg, const struct pt_type *type)
{
	struct pt_error err = PT_ERROR_INIT;
	int code = table_check_all(type, &err);
	for (size_t i = 0; i < err.count; i++)
		fprintf(stderr, "%s: %s: %s\n", type->name, err.faults[i].path,
		        err.faults[i].message);
	pt_error_clear(&err);
	*(int *)arg += code != 0;
	return 0;
}

START_TEST(every_built_in_type_keeps_the_rules)
{
	int bad = 0;
	type_each(complain, &bad);
	ck_assert_int_eq(bad, 0);
}
END_TEST

struct order {
	char last[80];
	int count;
};

static int compare(void *arg, const struct pt_type *type)
{
	struct order *order = arg;
	ck_assert_str_lt(order->last, type->name);
	snprintf(order->last, sizeof order->last, "%s", type->name);
	order->count++;
	return 0;
}

START_TEST(types_come_in_the_order_of_the_alphabet)
{
	struct order before = {"", 0}, after = {"", 0};
	static struct pt_type first, last;
	first = last = sample;
	first.name = "A";
	last.name = "Zz";
	type_each(compare, &before);
	ck_assert_int_eq(type_add(&last, NULL), 0);
	ck_assert_int_eq(type_add(&first, NULL), 0);
	type_each(compare, &after);
	ck_assert_int_eq(after.count, before.count + 2);
	ck_assert_ptr_eq(type_find("Zz"), &last);
	ck_assert_ptr_null(type_find("zz"));
}
END_TEST

START_TEST(a_name_is_taken_once)
{
	static struct pt_type twin;
	struct pt_error err = PT_ERROR_INIT;
	twin = sample;
	twin.name = "Twin";
	ck_assert_int_eq(type_add(&twin, NULL), 0);
	ck_assert_int_eq(type_add(&twin, &err), -PT_EEXISTS);
	pt_error_clear(&err);
}
END_TEST

START_TEST(an_unknown_type_finds_its_neighbour)
{
	static struct pt_type valve;
	struct pt_error err = PT_ERROR_INIT;
	valve = sample;
	valve.name = "OddlyNamedValve";
	type_add(&valve, NULL);
	ck_assert_ptr_null(type_get("OdlyNamedValve", "$.type", &err));
	ck_assert_int_eq(err.faults[0].code, -PT_ENOTYPE);
	ck_assert_str_eq(err.faults[0].path, "$.type");
	ck_assert_ptr_nonnull(strstr(err.faults[0].message, "did you mean 'OddlyNamedValve'?"));
	ck_assert_ptr_nonnull(strstr(err.faults[0].allowed, "\"OddlyNamedValve\""));
	pt_error_clear(&err);
	ck_assert_ptr_null(type_get("Nonsense12345", NULL, NULL));
}
END_TEST

static void expect_snake(const char *name, const char *expected)
{
	char *snake = type_snake_name(name);
	ck_assert_str_eq(snake, expected);
	free(snake);
}

START_TEST(blocks_made_in_place_are_named_after_their_type)
{
	expect_snake("Drain", "drain");
	expect_snake("CLIFeeder", "cli_feeder");
	expect_snake("CLIHighFeeder", "cli_high_feeder");
	expect_snake("TCPConnectPipe", "tcp_connect_pipe");
	expect_snake("Inject3Sink", "inject3_sink");
	expect_snake("UDPDrain", "udp_drain");
	expect_snake("RdpcapSource", "rdpcap_source");
	expect_snake("FDSourceSink", "fd_source_sink");
	expect_snake("My_Block", "my_block");
}
END_TEST

static struct pt_type many[64];
static char names[64][16];

static void *add_some(void *arg)
{
	for (size_t i = (size_t)(uintptr_t)arg; i < 64; i += 4) {
		ck_assert_int_eq(type_add(&many[i], NULL), 0);
		ck_assert_ptr_eq(type_find(names[i]), &many[i]);
	}
	return NULL;
}

START_TEST(threads_may_add_and_find_at_once)
{
	pthread_t threads[4];
	for (size_t i = 0; i < 64; i++) {
		snprintf(names[i], sizeof names[i], "Many%zu", i * 7919 % 64);
		many[i] = sample;
		many[i].name = names[i];
	}
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, add_some, (void *)(uintptr_t)i);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 64; i++)
		ck_assert_ptr_eq(type_find(names[i]), &many[i]);
}
END_TEST

UNIT_TESTS("type/type", every_built_in_type_keeps_the_rules,
           types_come_in_the_order_of_the_alphabet, a_name_is_taken_once,
           an_unknown_type_finds_its_neighbour, blocks_made_in_place_are_named_after_their_type,
           threads_may_add_and_find_at_once)
