/* SPDX-License-Identifier: BSD-2-Clause */
/* Each operation does what its name says, and is refused with words that mend it. */
#include "script/run.h"

#define KEY "21222324252627280011223344556677A7FDb5fd8e14b67bd0e2f4c6d8fa0c1e"

static void refused_transform(const char *text, const char *words)
{
	refused(PT_KIND_TRANSFORM, text, words);
}

START_TEST(bytes_are_reversed)
{
	becomes("reverse", "foo bar", "rab oof");
	becomes("reverse", "ab", "ba");
	becomes("reverse", "a", "a");
	becomes("reverse", "", "");
}
END_TEST

START_TEST(letters_change_case_and_nothing_else)
{
	becomes("upper", "az AZ @[`{ 09 \xe4", "AZ AZ @[`{ 09 \xe4");
	becomes("lower", "az AZ @[`{ 09 \xc4", "az az @[`{ 09 \xc4");
}
END_TEST

START_TEST(truncating_keeps_the_length_on_the_wire)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied("truncate(20)", PACKET(pool, UDP_PACKET));
	ck_assert_uint_eq(m->wire_length, 47);
	expect_bytes("cut", m, UDP_PACKET, 20);
	m = applied("truncate(1000)", PACKET(pool, UDP_PACKET));
	expect_bytes("not cut", m, UDP_PACKET, 47);
	becomes("truncate(0)", "abc", "");
	becomes("truncate(2)", "abc", "ab");
	pool_free(pool);
	refused_transform("truncate(-1)",
	                  "truncate takes a number of bytes from 0 to 4294967295, not -1");
	refused_transform("truncate(1.5)", "truncate takes …");
	refused_transform("truncate 'x'", "truncate takes …");
	refused_transform("truncate(1 << 32)", "truncate takes …");
}
END_TEST

START_TEST(set_writes_fields)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied("set{['ip.src']='1.1.1.1', ['ip.dst']='2.2.2.2',"
	                           " ['udp.dport']=443, ['ip.df']=true}",
	                           PACKET(pool, UDP_PACKET));
	ck_assert(sum_is_right(m));
	ck_assert_uint_eq(sum_of(m->bytes + 14, 20, 0), 0xffff);
	ck_assert_mem_eq(m->bytes + 26, "\1\1\1\1\2\2\2\2\x00\x35\x01\xbb", 12);
	ck_assert_uint_eq(m->bytes[20], 0x40);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(set_and_anonymize_leave_others_alone)
{
	static const char *const texts[] = {"set{['ip6.src']='::1', ['tcp.dport']=1}",
	                                    "set{['arp.op']=1}"};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		ck_assert_ptr_eq(applied(texts[i], pt_msg_ref(m)), m); /* not even copied */
		pt_msg_unref(m);
		expect_bytes(texts[i], m, UDP_PACKET, 47);
	}
	pool_free(pool);
	becomes("set{['ip.src']='1.1.1.1'}", UDP_PACKET, UDP_PACKET);
	becomes("anonymize{key='" KEY "'}", "text", "text");
}
END_TEST

START_TEST(every_fault_of_a_set_is_listed)
{
	struct pt_func *f = NULL;
	struct pt_error err = PT_ERROR_INIT;
	ck_assert_int_lt(func_compile(PT_KIND_TRANSFORM,
	                              "set{['ip.src']='1.1.1.300', ['ip.chksum']=1, ['tcp.dprt']=5,"
	                              " ['udp.sport']=70000, ['ip.ttl']={}}",
	                              NULL, &f, &err),
	                 0);
	static const char *const words[] = {"ip.chksum", "1.1.1.300", "ip.ttl", "tcp.dport",
	                                    "70000"};
	ck_assert_uint_eq(err.count, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_msg(strstr(err.faults[i].message, words[i]), "%s", err.faults[i].message);
	pt_error_clear(&err);
	refused_transform("set{}", "set{} sets nothing: …");
	refused_transform("set 'ip.src'", "set takes a table: …");
	refused_transform("set{'1.1.1.1'}", "set takes fields by name, not '1.1.1.1' alone: …");
	refused_transform("set{['\\xff']=1}", "packets have no field '?'…");
	refused_transform("(function() local t = {} for i = 1, 300 do t['f' .. i] = 1 end"
	                  " return set(t) end)()",
	                  "set takes no more than 256 fields");
}
END_TEST

START_TEST(anonymizing_changes_addresses_alone)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied("anonymize{key='" KEY "'}", PACKET(pool, UDP_PACKET));
	ck_assert(sum_is_right(m));
	ck_assert(memcmp(m->bytes + 26, &UDP_PACKET[26], 4));
	ck_assert_mem_eq(m->bytes, UDP_PACKET, 24);
	ck_assert_mem_eq(m->bytes + 26, m->bytes + 30, 3); /* what was one prefix is one */
	ck_assert_mem_eq(m->bytes + 42, "hello", 5);
	pt_msg_unref(m);
	pool_free(pool);
	refused_transform("anonymize{}", "the key of anonymize is 64 hex digits: …");
	refused_transform("anonymize{key='" KEY "0'}", "the key of …");
	refused_transform("anonymize{key=5}", "the key of …");
	refused_transform("anonymize{key='" KEY "', x=1}", "anonymize takes a key, not 'x': …");
	refused_transform("anonymize '" KEY "'", "anonymize takes a table: …");
	refused_transform("anonymize{key=('g'):rep(64)}", "the key of …");
}
END_TEST

START_TEST(predicates_say_yes_or_no)
{
	ck_assert(holds("always", ""));
	ck_assert(!holds("never", ""));
	ck_assert(holds("equals 'trigger'", "trigger"));
	ck_assert(!holds("equals 'trigger'", "triggers"));
	ck_assert(!holds("equals 'trigger'", "trigge"));
	ck_assert(holds("equals ''", ""));
	ck_assert(holds("equals [[a\nb]]", "a\nb"));
	ck_assert(holds_of_udp("bpf 'udp dst port 4096'"));
	ck_assert(!holds_of_udp("bpf 'tcp'"));
	ck_assert(!holds("bpf 'len > 0'", "plain"));
	refused(PT_KIND_PREDICATE, "bpf 'tcp and and'", "bpf: …");
	refused(PT_KIND_PREDICATE, "bpf(5)", "bpf takes a filter as text: …");
	refused(PT_KIND_PREDICATE, "bpf 'tcp\\0x'", "bpf takes a filter as text: …");
	refused(PT_KIND_PREDICATE, "equals {}", "equals takes a string: …");
}
END_TEST

START_TEST(equal_bytes_may_hold_anything)
{
	struct pt_pool *pool = pool_new(0);
	ck_assert(tested("equals 'a\\0\\xff'", pt_msg_new(pool, "a\0\xff", 3)));
	ck_assert(!tested("equals 'a\\0\\xff'", pt_msg_new(pool, "a\0\xfe", 3)));
	pool_free(pool);
}
END_TEST

START_TEST(shared_messages_are_copied_first)
{
	static const char *const texts[] = {"reverse", "upper", "truncate(3)", "set{['ip.ttl']=1}",
	                                    "anonymize{key='" KEY "'}"};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		struct pt_msg *changed = applied(texts[i], pt_msg_ref(m));
		ck_assert_ptr_ne(changed, m);
		ck_assert_uint_eq(changed->link_type, 1);
		pt_msg_unref(changed);
		expect_bytes(texts[i], m, UDP_PACKET, 47);
	}
	pool_free(pool);
}
END_TEST

START_TEST(the_limit_of_messages_is_told)
{
	static const char *const texts[] = {"reverse",
	                                    "upper",
	                                    "lower",
	                                    "set{['ip.ttl']=1}",
	                                    "anonymize{key='" KEY "'}",
	                                    "function(m) return m:rep(1000) end"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_pool *pool = pool_new(0);
		struct pt_func *f = transform(texts[i]);
		struct pt_msg *shared = large_packet(pool), *m = pt_msg_ref(shared);
		struct pt_error err = PT_ERROR_INIT;
		pool_set_limit(pool, 1);
		ck_assert_msg(func_transform(f, &m, &err) == -ENOMEM, "%s", texts[i]);
		ck_assert_uint_eq(err.count, 1);
		ck_assert_ptr_eq(m, shared);
		pt_error_clear(&err);
		pt_msg_unref(m);
		pt_msg_unref(shared);
		func_free(f);
		pool_free(pool);
	}
}
END_TEST

UNIT_TESTS("script/native", bytes_are_reversed, letters_change_case_and_nothing_else,
           truncating_keeps_the_length_on_the_wire, set_writes_fields,
           set_and_anonymize_leave_others_alone, every_fault_of_a_set_is_listed,
           anonymizing_changes_addresses_alone, predicates_say_yes_or_no,
           equal_bytes_may_hold_anything, shared_messages_are_copied_first,
           the_limit_of_messages_is_told)
