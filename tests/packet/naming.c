/* SPDX-License-Identifier: BSD-2-Clause */
/* Names with fields: what is a name's part, and what values may not do. */
#include "unit.h"

#include "packet/naming.h"

#include <string.h>

static const char *path_of(const char *name, const struct pt_msg *m)
{
	static struct buf path;
	struct naming *n;
	buf_clear(&path);
	ck_assert_int_eq(naming_new(name, &n, NULL), 0);
	naming_path(n, m, false, &path);
	naming_free(n);
	return path.data;
}

static const char *iface_path(const char *iface)
{
	struct pt_msg m = {.link_type = PT_NO_LINK_TYPE};
	struct pt_origin *origin = pt_origin_new(iface);
	m.origin = origin;
	const char *path = path_of("{iface}", &m);
	pt_origin_unref(origin);
	return path;
}

START_TEST(values_cannot_leave_their_folder)
{
	ck_assert_str_eq(iface_path("../../etc/x"), "%2E.%2F..%2Fetc%2Fx");
	ck_assert_str_eq(iface_path(".hidden"), "%2Ehidden");
	ck_assert_str_eq(iface_path("a b\n"), "a%20b%0A");
	ck_assert_str_eq(iface_path("ok-1_2:3@4+5.6"), "ok-1_2:3@4+5.6");
	ck_assert_str_eq(iface_path("100%"), "100%25");
	ck_assert_str_eq(iface_path("\xc3\xa4"), "%C3%A4");
	ck_assert_str_eq(iface_path(""), "none");
}
END_TEST

START_TEST(long_values_are_cut_with_a_hash)
{
	char value[301] = {0}, other[301] = {0}, path[256];
	memset(value, 'x', 200);
	ck_assert_str_eq(iface_path(value), value);
	memset(value, 'x', 300);
	memset(other, 'x', 299);
	strcpy(path, iface_path(value));
	ck_assert_uint_eq(strlen(path), 200);
	ck_assert_int_eq(strncmp(path, value, 183), 0);
	ck_assert_int_eq(path[183], '-');
	ck_assert_str_ne(path, iface_path(other));
	memset(value, '/', 300);
	strcpy(path, iface_path(value));
	ck_assert_uint_le(strlen(path), 200);
	ck_assert_int_eq(strncmp(path + 180, "%2F-", 4), 0);
}
END_TEST

START_TEST(braces_are_written_twice)
{
	struct pt_msg m = {.link_type = PT_NO_LINK_TYPE};
	ck_assert_str_eq(path_of("{{a}}-{canal}{{", &m), "{a}-low{");
	ck_assert_str_eq(path_of("a}b{canal}", &m), "a}blow");
	ck_assert(naming_has_fields("{{"));
	ck_assert(!naming_has_fields("a}b"));
}
END_TEST

START_TEST(times_are_utc_and_may_be_before_1970)
{
	struct pt_msg m = {.link_type = 1, .time_ns = -1, .bytes = (const uint8_t *)""};
	ck_assert_str_eq(path_of("{time:%Y%m%d-%H}", &m), "19691231-23");
	m.time_ns = 3600 * INT64_C(1000000000);
	ck_assert_str_eq(path_of("{time:%H}-{time:%M}", &m), "01-00");
	m.link_type = PT_NO_LINK_TYPE;
	m.time_ns = 0;
	ck_assert_str_eq(path_of("{time:%H}-{ip.src}-{vlan.id}-{flow}", &m), "none-none-none-none");
}
END_TEST

START_TEST(fields_that_are_unknown_are_refused)
{
	static const char *const names[] = {"{",      "{ip.src", "{}",      "{ip}",
	                                    "{time}", "{time:}", "{iface ", "{ip.scr}x"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct naming *n;
		struct pt_error err = PT_ERROR_INIT;
		ck_assert_int_lt(naming_new(names[i], &n, &err), 0);
		ck_assert_ptr_null(n);
		ck_assert_str_eq(err.faults[0].path, "fname");
		pt_error_clear(&err);
	}
}
END_TEST

START_TEST(other_stands_for_all_values)
{
	struct buf path = BUF_INIT;
	struct naming *n;
	ck_assert_int_eq(naming_new("{ip.src}/{{{flow}.pcap", &n, NULL), 0);
	naming_other(n, &path);
	ck_assert_str_eq(path.data, "other/{other.pcap");
	buf_free(&path);
	naming_free(n);
}
END_TEST

UNIT_TESTS("packet/naming", values_cannot_leave_their_folder, long_values_are_cut_with_a_hash,
           braces_are_written_twice, times_are_utc_and_may_be_before_1970,
           fields_that_are_unknown_are_refused, other_stands_for_all_values)
