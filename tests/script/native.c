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

START_TEST(times_are_shifted_exactly)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied("shift_time '-1h'", PACKET(pool, UDP_PACKET));
	ck_assert_int_eq(m->time_ns, INT64_C(1499996400123456789));
	pt_msg_unref(m);
	m = PACKET(pool, UDP_PACKET);
	m->time_ns = 0;
	m = applied("shift_time '-1ns'", m);
	ck_assert_int_eq(m->time_ns, -1);
	pt_msg_unref(m);
	m = applied("shift_time '1d'", pt_msg_new(pool, "a", 1));
	ck_assert_int_eq(m->time_ns, 0);
	pt_msg_unref(m);
	struct pt_func *f = transform("shift_time '106000d'");
	m = PACKET(pool, UDP_PACKET);
	ck_assert_int_eq(func_transform(f, &m, NULL), -ERANGE);
	ck_assert_int_eq(m->time_ns, INT64_C(1500000000123456789));
	pt_msg_unref(m);
	func_free(f);
	pool_free(pool);
	refused_transform("shift_time 'soon'", "shift_time takes …");
	refused_transform("shift_time(3600)", "shift_time takes …");
	refused_transform("shift_time '1000000d'", "shift_time takes …");
	refused_transform("shift_time", "shift_time takes an argument: …");
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
	struct pt_msg *as_layers =
		applied("set{ip={src='1.1.1.1', dst='2.2.2.2', df=true}, ['udp.dport']=443}",
	                PACKET(pool, UDP_PACKET));
	m = applied("set{['ip.src']='1.1.1.1', ['ip.dst']='2.2.2.2', ['ip.df']=true,"
	            " udp={dport=443}}",
	            PACKET(pool, UDP_PACKET));
	ck_assert_mem_eq(as_layers->bytes, m->bytes, m->length);
	pt_msg_unref(as_layers);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(checksums_are_computed_anew_where_wished)
{
	static const char *const texts[] = {"checksums", "set{checksums=true}",
	                                    "set{['udp.dport']=443, checksums=true}"};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		memcpy(pt_msg_edit(&m) + 40, "\x12\x34", 2);
		m = applied(texts[i], m);
		ck_assert(sum_is_right(m));
		pt_msg_unref(m);
	}
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	memcpy(pt_msg_edit(&m) + 40, "\x12\x34", 2);
	m = applied("set{['udp.dport']=443, checksums=false}", m);
	ck_assert(!sum_is_right(m));
	pt_msg_unref(m);
	pool_free(pool);
	becomes("checksums", "text", "text");
	refused_transform("set{checksums='yes'}", "set takes true or false for checksums, not yes");
	refused_transform("checksums(1)", "…");
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
	becomes("set{ip={src='1.1.1.1'}}", UDP_PACKET, UDP_PACKET);
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
	refused_transform("set{ip={}}", "set{} sets nothing: …");
	refused_transform("set{ip={['src']=1, ttl=5}, ['ip.ttl']=5}", "…");
	refused_transform("set{ip={ttl=5}, ['ip.ttl']=5}", "set has 'ip.ttl' twice");
	refused_transform("set{ip={5}}", "set takes fields by name, not '5' alone: …");
	refused_transform("set{ip={srcc='1.1.1.1'}}", "packets have no field 'ip.srcc'…");
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
	refused_transform("anonymize{}", "anonymize{} is told nothing; …");
	refused_transform("anonymize{key='" KEY "0'}", "the key of …");
	refused_transform("anonymize{key=5}", "the key of …");
	refused_transform("anonymize{key='" KEY "', x=1}", "anonymize takes key, passphrase …");
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

static struct pt_msg *at(struct pt_pool *pool, int64_t time_ns)
{
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	m->time_ns = time_ns;
	return m;
}

START_TEST(times_are_within_bounds_or_not)
{
	static const struct {
		const char *text;
		int64_t before, first, last, after;
	} cases[] = {
		{"between('1970-01-01 00:00:10', '1970-01-01T00:00:20.5Z')", 9999999999,
	         10000000000, 20499999999, 20500000000},
		{"between('1970-01-01 02:00:10+02:00', '1969-12-31T19:00:20-0500')", 9999999999,
	         10000000000, 19999999999, 20000000000},
		{"between('1970-01-02')", 86399999999999, 86400000000000, 86400000000000, 0},
		{"between(nil, '1970-01-02')", 86400000000000, 1, 86399999999999, 86400000000000},
	};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert(!tested(cases[i].text, at(pool, cases[i].before)));
		ck_assert(tested(cases[i].text, at(pool, cases[i].first)));
		ck_assert(tested(cases[i].text, at(pool, cases[i].last)));
		ck_assert(!tested(cases[i].text, at(pool, cases[i].after)));
	}
	ck_assert(!tested("between(nil, '2030-01-01')", pt_msg_new(pool, "no time", 7)));
	pool_free(pool);
	refused(PT_KIND_PREDICATE, "between('yesterday', nil)",
	        "between takes times, not 'yesterday': …");
	refused(PT_KIND_PREDICATE, "between('2026-02-30', nil)", "between takes times, …");
	refused(PT_KIND_PREDICATE, "between('2026-02-20 24:00', nil)", "between takes times, …");
	refused(PT_KIND_PREDICATE, "between(5, nil)", "between takes times, not '5': …");
	refused(PT_KIND_PREDICATE, "between(nil, nil)", "between takes at least one time: …");
	refused(PT_KIND_PREDICATE, "between('2026-11-30', '2026-11-29')",
	        "between: '2026-11-30' is not before '2026-11-29', …");
	refused(PT_KIND_PREDICATE, "between('9999-01-01', nil)",
	        "between: '9999-01-01' is from 1678 to 2261");
	refused(PT_KIND_PREDICATE, "between", "between takes an argument: …");
}
END_TEST

static int passed_of(struct pt_func *f, int count)
{
	struct pt_pool *pool = pool_new(0);
	int passed = 0;
	for (int i = 0; i < count; i++) {
		struct pt_msg *m = pt_msg_new(pool, "x", 1);
		passed += func_test(f, m, NULL) == 1;
		pt_msg_unref(m);
	}
	pool_free(pool);
	return passed;
}

START_TEST(each_so_many_is_counted_anew_at_a_start)
{
	struct pt_func *f = predicate("every(10)");
	ck_assert_int_eq(passed_of(f, 9), 0);
	ck_assert_int_eq(passed_of(f, 1), 1);
	ck_assert_int_eq(passed_of(f, 29), 2);
	func_begin(f);
	ck_assert_int_eq(passed_of(f, 9), 0);
	ck_assert_int_eq(passed_of(f, 1), 1);
	func_free(f);
	ck_assert(holds("every(1)", "x"));
	refused(PT_KIND_PREDICATE, "every(0)", "every takes a number from 1, not 0: every(10)");
	refused(PT_KIND_PREDICATE, "every 'x'", "every takes a number from 1, not x: …");
}
END_TEST

START_TEST(what_is_nearly_an_operation_is_mended)
{
	refused_transform("truncate 64",
	                  "script:1: <eof> expected near '64'; write it as truncate(64)");
	refused_transform("set{ip.src=\"1.1.1.1\", ip.dst = '2.2.2.2'}",
	                  "script:1: '}' expected near '='; write it as "
	                  "set{['ip.src']=\"1.1.1.1\", ['ip.dst']='2.2.2.2'}");
	refused_transform("set(eth.src='02:00:00:00:00:01')",
	                  "script:1: ')' expected near '='; write it as "
	                  "set{['eth.src']='02:00:00:00:00:01'}");
	refused_transform("set({ip.src='1.1.1.1'})", "script:1: '}' expected near '='; write it as "
	                                             "set({['ip.src']='1.1.1.1'})");
	refused_transform("set{'ip.src': '1.1.1.1'}",
	                  "script:1: '}' expected near ':'; write it as "
	                  "set{['ip.src']='1.1.1.1'}");
	refused_transform("set ip.src=1.1.1.1", "script:1: …");
	refused(PT_KIND_PREDICATE, "bpf tcp port 80",
	        "script:1: <eof> expected near 'tcp'; write it as bpf 'tcp port 80'");
	refused(PT_KIND_PREDICATE, "every 10",
	        "script:1: <eof> expected near '10'; write it as every(10)");
}
END_TEST

START_TEST(a_filter_is_told_from_a_function)
{
	static const char *const texts[] = {
		"tcp port 443",  "icmp",   "icmp[0]==8", "not port 22", "(tcp or udp) and port 53",
		"vlan 5 and ip", "len > 9"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char words[200];
		snprintf(words, sizeof words,
		         "that is a capture filter, not a function; write filter=\"%s\", or "
		         "bpf '%s'",
		         texts[i], texts[i]);
		refused(PT_KIND_PREDICATE, texts[i], words);
	}
	static const char *const displays[] = {"udp.dport == 53", "ip.src == 1.2.3.4",
	                                       "!(tcp.port == 80) && ip.ttl < 5", "not eth.src"};
	for (size_t i = 0; i < sizeof displays / sizeof *displays; i++)
		refused(PT_KIND_PREDICATE, displays[i],
		        "that is a display filter, not a function; …");
	refused(PT_KIND_FILTER, "tcp.port == 80",
	        "bpf: can't parse filter expression: syntax error; that is a display filter: a "
	        "capture filter is written as 'udp port 53'");
	refused_transform("udp.dport", "script:1: …");
	refused(PT_KIND_PREDICATE, "tcp port what", "script:1: …");
	refused_transform("icmp", "there is no 'icmp'");
	refused(PT_KIND_FILTER, "tcp and and", "bpf: …");
	struct pt_func *f = compile_under(PT_KIND_FILTER, "udp dst port 4096", NULL);
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = PACKET(pool, UDP_PACKET), *plain = pt_msg_new(pool, "x", 1);
	ck_assert_int_eq(func_test(f, m, NULL), 1);
	ck_assert_int_eq(func_test(f, plain, NULL), 0);
	pt_msg_unref(m);
	pt_msg_unref(plain);
	func_free(f);
	pool_free(pool);
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
           truncating_keeps_the_length_on_the_wire, times_are_shifted_exactly, set_writes_fields,
           checksums_are_computed_anew_where_wished, set_and_anonymize_leave_others_alone,
           every_fault_of_a_set_is_listed, anonymizing_changes_addresses_alone,
           times_are_within_bounds_or_not, each_so_many_is_counted_anew_at_a_start,
           what_is_nearly_an_operation_is_mended, a_filter_is_told_from_a_function,
           predicates_say_yes_or_no, equal_bytes_may_hold_anything,
           shared_messages_are_copied_first, the_limit_of_messages_is_told)
