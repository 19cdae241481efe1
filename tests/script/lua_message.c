/* SPDX-License-Identifier: BSD-2-Clause */
/* The message as a script sees it: read, written, kept for too long. */
#include "script/run.h"

/* Runs statements on the UDP packet, which comes back. */
static struct pt_msg *udp_after(struct pt_pool *pool, const char *statements)
{
	char text[1024];
	snprintf(text, sizeof text, "function(m) %s return m end", statements);
	return applied(text, PACKET(pool, UDP_PACKET));
}

static bool udp_says(const char *expression)
{
	char text[1024];
	snprintf(text, sizeof text, "function(m) return %s end", expression);
	return holds_of_udp(text);
}

START_TEST(all_methods_of_strings_are_there)
{
	becomes("function(m) return m:reverse() end", "abc", "cba");
	becomes("function(m) return m:upper() .. m:lower() end", "aB", "ABab");
	becomes("function(m) return m:sub(2, -2) end", "abcd", "bc");
	becomes("function(m) return m:rep(2, '-') end", "ab", "ab-ab");
	becomes("function(m) return (m:gsub('l+', 'L')) end", "hello", "heLo");
	becomes("function(m) return m:match('(%d+)') end", "a12b", "12");
	becomes("function(m) return m:find('l', 1, true) .. m:len() .. #m end", "hello", "355");
	becomes("function(m) return m:format(1, 2) end", "%d+%d", "1+2");
	becomes("function(m) return m:text():upper() .. tostring(m) end", "a", "Aa");
}
END_TEST

START_TEST(parts_are_those_of_the_string)
{
	static const int indices[] = {-9, -5, -4, -1, 0, 1, 2, 4, 5, 9};
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = predicate(
		"function(m) local n = m.time local i, j = n // 100 - 20, n % 100 - 20\n"
		"i, j = math.tointeger(i), math.tointeger(j) local s = m:text()\n"
		"return m:sub(i, j) == s:sub(i, j) and m:sub(i) == s:sub(i) and m:byte(i) == "
		"s:byte(i)\n"
		"and table.concat({m:byte(i, j)}, ' ') == table.concat({s:byte(i, j)}, ' ') end");
	struct pt_msg *m = pt_msg_new(pool, "abcd", 4);
	for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
		for (size_t j = 0; j < sizeof indices / sizeof *indices; j++) {
			int packed = (indices[i] + 20) * 100 + indices[j] + 20;
			m->time_ns = (uint64_t)packed * 1000000000;
			ck_assert_msg(func_test(f, m, NULL) == 1, "%d to %d", indices[i],
			              indices[j]);
		}
	}
	pt_msg_unref(m);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(messages_join_with_text)
{
	becomes("function(m) return m .. 'x' end", "a", "ax");
	becomes("function(m) return 'x' .. m end", "a", "xa");
	becomes("function(m) return m .. m .. 5 end", "a", "aa5");
	fails("function(m) return m .. {} end", "cannot be joined");
}
END_TEST

START_TEST(a_layer_is_there_or_nil)
{
	ck_assert(udp_says("m.eth and m.ip and m.udp and m.payload"));
	ck_assert(udp_says("not (m.vlan or m.arp or m.ip6 or m.tcp or m.icmp or m.icmp6)"));
	ck_assert(
		holds("function(m) return not (m.eth or m.ip or m.udp or m.payload) end", "plain"));
}
END_TEST

START_TEST(fields_have_types_of_their_own)
{
	ck_assert(udp_says("m.ip.src == '10.0.0.1' and m.eth.dst == '02:00:00:00:00:01'"));
	ck_assert(udp_says("m.ip.ttl == 64 and math.type(m.udp.dport) == 'integer'"));
	ck_assert(udp_says("m.udp.sport == 53 and m.ip.df == false and m.ip.chksum == 0x66c9"));
	ck_assert(udp_says("m.payload == 'hello'"));
	struct pt_pool *pool = pool_new(0);
	ck_assert(tested("function(m) return m.vlan.id == 7 and m.ip6.dst == '2001:db8::2'"
	                 " and m.tcp.syn == true and m.tcp.fin == false and m.payload == 'hi' end",
	                 PACKET(pool, TCP6_PACKET)));
	pool_free(pool);
}
END_TEST

START_TEST(writing_a_field_puts_checksums_right)
{
	static const char *const statements[] = {
		"m.ip.src = '1.2.3.4'",
		"m.udp.dport = 9",
		"m.udp.sport = '80'",
		"m.ip.dst = '255.0.0.1'",
		"m.ip.src = '9.9.9.9' m.udp.sport = 65535 m.ip.ttl = 1",
	};
	struct pt_pool *pool = pool_new(0);
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		struct pt_msg *m = udp_after(pool, statements[i]);
		ck_assert_msg(sum_is_right(m), "%s", statements[i]);
		ck_assert_uint_eq(sum_of(m->bytes + 14, 20, 0), 0xffff);
		ck_assert(memcmp(m->bytes, UDP_PACKET, m->length));
		pt_msg_unref(m);
	}
	struct pt_msg *six = applied("function(m) m.ip6.src = 'fe80::1' m.tcp.fin = true"
	                             " m.tcp.window = 7 m.vlan.id = 4095 return m end",
	                             PACKET(pool, TCP6_PACKET));
	ck_assert(sum_is_right(six));
	pt_msg_unref(six);
	pool_free(pool);
}
END_TEST

START_TEST(what_was_written_can_be_read)
{
	becomes("function(m) return m end", "", "");
	struct pt_pool *pool = pool_new(0);
	pt_msg_unref(udp_after(pool, "m.ip.src = '1.2.3.4' assert(m.ip.src == '1.2.3.4')"
	                             "m.ip.df = true assert(m.ip.df == true)"
	                             "m.udp.dport = 0x50 assert(m.udp.dport == 80)"
	                             "m.udp.dport = 81.0 assert(m.udp.dport == 81)"
	                             "m.ip.proto = 6 assert(not m.udp)"));
	pool_free(pool);
}
END_TEST

START_TEST(a_wrong_value_names_the_field)
{
	fails_on_udp("function(m) m.ip.ttl = 256 end", "ip.ttl cannot be 256");
	fails_on_udp("function(m) m.ip.ttl = -1 end", "ip.ttl cannot be -1");
	fails_on_udp("function(m) m.ip.ttl = 1.5 end", "ip.ttl cannot be 1.5");
	fails_on_udp("function(m) m.ip.ttl = true end", "ip.ttl cannot be true");
	fails_on_udp("function(m) m.ip.src = 5 end", "ip.src cannot be 5");
	fails_on_udp("function(m) m.ip.src = {} end", "ip.src cannot be table");
	fails_on_udp("function(m) m.ip.src = '1.2.3' end", "ip.src: '1.2.3' is not");
	fails_on_udp("function(m) m.ip.len = 5 end", "ip.len cannot be written");
	fails_on_udp("function(m) m.ip.chksum = 5 end", "ip.chksum cannot be written");
}
END_TEST

START_TEST(unknown_names_bring_the_nearest)
{
	fails_on_udp("function(m) return m.ip.scr end", "ip has no 'scr'; did you mean 'src'?");
	fails_on_udp("function(m) m.udp.dprt = 1 end", "udp has no 'dprt'; did you mean 'dport'?");
	fails_on_udp("function(m) return m.paylod end", "did you mean 'payload'?");
	fails_on_udp("function(m) m.tiem = 1 end", "did you mean 'time'?");
	fails_on_udp("function(m) return m[{}] end", "a message has no 'table");
	fails_on_udp("function(m) m.tcp.dport = 1 end",
	             "attempt to index a nil value (field 'tcp')");
	fails_on_udp("function(m) m.ip = 1 end", "'ip' of a message cannot be written");
	fails_on_udp("function(m) m.upper = 1 end", "'upper' of a message cannot be written");
	fails_on_udp("function(m) return m.ip:upper() end", "ip has no 'upper'");
	fails_on_udp("function(m) return string.upper(m.ip) end", "a layer is not a message");
	fails_on_udp("function(m) return #m.ip end", "a layer is not a message");
	fails_on_udp("function(m) return m.text() end", "message expected, got no value");
	fails_on_udp("function(m) return m.sub('x', 1) end", "message expected, got string");
}
END_TEST

START_TEST(a_payload_is_written_in_its_length)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = udp_after(pool, "m.payload = 'HELLO' assert(m.payload == 'HELLO')");
	ck_assert(sum_is_right(m));
	pt_msg_unref(m);
	fails_on_udp("function(m) m.payload = 'longer' end", "keeps its length, which is 5, not 6");
	fails("function(m) m.payload = 'hello' end", "no payload");
	pool_free(pool);
}
END_TEST

START_TEST(bytes_are_written_as_they_are)
{
	becomes("function(m) m:set_byte(1, 0x41) m:set_byte(-1, 0x5a) return m end", "abc", "AbZ");
	fails("function(m) m:set_byte(6, 0) end", "no such byte");
	fails("function(m) m:set_byte(0, 0) end", "no such byte");
	fails("function(m) m:set_byte(-6, 0) end", "no such byte");
	fails("function(m) m:set_byte(1, 256) end", "0 to 255");
	fails("function(m) m:byte(1, math.huge) end", "no integer representation");
}
END_TEST

START_TEST(time_and_link_type_are_written)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = udp_after(pool, "m.time = m.time");
	ck_assert_uint_eq(m->time_ns, UINT64_C(1500000000123456789));
	pt_msg_unref(m);
	m = udp_after(pool, "m.time = 1.5 assert(m.time == 1.5) m.link_type = 101"
	                    " assert(m.link_type == 101 and m.wire_length == 47 and not m.eth)");
	ck_assert_uint_eq(m->time_ns, 1500000000);
	ck_assert_uint_eq(m->link_type, 101);
	pt_msg_unref(m);
	m = udp_after(pool, "m.link_type = nil assert(m.link_type == nil and not m.ip)");
	ck_assert(!pt_msg_is_packet(m));
	pt_msg_unref(m);
	m = udp_after(pool, "m.time = -1 assert(m.time_ns == -1000000000)");
	ck_assert_int_eq(m->time_ns, -1000000000);
	pt_msg_unref(m);
	fails("function(m) m.time = 0/0 end", "a time is in seconds");
	fails("function(m) m.time = 1e11 end", "a time is in seconds");
	fails("function(m) m.link_type = 65535 end", "a link type is");
	fails("function(m) m.len = 5 end", "'len' of a message cannot be written");
	pool_free(pool);
}
END_TEST

START_TEST(nanoseconds_are_kept)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = udp_after(pool, "assert(math.type(m.time_ns) == 'integer')"
	                                   " m.time_ns = m.time_ns + 3600000000001");
	ck_assert_int_eq(m->time_ns, INT64_C(1500003600123456790));
	pt_msg_unref(m);
	m = udp_after(pool, "m.time_ns = math.mininteger");
	ck_assert_int_eq(m->time_ns, INT64_MIN);
	pt_msg_unref(m);
	m = udp_after(pool, "local n = now_ns() assert(n > 1700000000000000000)"
	                    " assert(math.abs(now() * 1e9 - n) < 600e9) m.time_ns = n");
	ck_assert_int_gt(m->time_ns, INT64_C(1700000000000000000));
	pt_msg_unref(m);
	fails("function(m) m.time_ns = 0.5 end", "no integer representation");
	fails("function(m) m.time_ns = 'a' end", "number expected");
	pool_free(pool);
}
END_TEST

START_TEST(a_length_on_the_wire_is_written)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = udp_after(pool, "m.wire_length = 1500 assert(m.wire_length == 1500)");
	ck_assert_uint_eq(m->wire_length, 1500);
	pt_msg_unref(m);
	fails_on_udp("function(m) m.wire_length = #m - 1 end", "a length on the wire is from");
	fails_on_udp("function(m) m.wire_length = 1 << 32 end", "a length on the wire is from");
	fails("function(m) m.wire_length = #m + 1 end", "no packet has no other length");
	pool_free(pool);
}
END_TEST

START_TEST(a_message_is_made_of_a_message)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *m = applied("function(m) m.time_ns = 5 return m:with(m:sub(1, 20)) end",
	                           PACKET(pool, UDP_PACKET));
	uint32_t whole = sizeof UDP_PACKET;
	ck_assert_uint_lt(m->length, whole);
	ck_assert_uint_eq(m->length, 20);
	ck_assert_uint_eq(m->wire_length, 20);
	ck_assert_uint_eq(m->link_type, 1);
	ck_assert_int_eq(m->time_ns, 5);
	pt_msg_unref(m);
	m = applied("function(m) m.wire_length = #m + 100 return m:with(m .. 'tail'):with(m) end",
	            PACKET(pool, UDP_PACKET));
	ck_assert_uint_eq(m->wire_length, m->length + 100);
	pt_msg_unref(m);
	m = applied("function(m) local k = m:with('') assert(k.link_type == nil and #k == 0)"
	            " return k:with('plain') end",
	            pt_msg_new(pool, "a", 1));
	ck_assert(!pt_msg_is_packet(m));
	ck_assert_uint_eq(m->wire_length, 5);
	pt_msg_unref(m);
	fails("function(m) return m:with() end", "string expected");
	fails("function(m) return m:with({}) end", "string expected");
	fails("function(m) local k = m:copy() k.time_ns = 1 end", "cannot be written");
	pool_free(pool);
}
END_TEST

START_TEST(a_message_that_is_kept_is_gone)
{
	static const char *const uses[] = {
		"kept:text()", "#kept",        "kept .. 'x'",        "tostring(kept)", "kept.ip",
		"kept.time",   "kept:upper()", "string.upper(kept)", "layer.src",      "kept",
	};
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		char text[512];
		snprintf(text, sizeof text,
		         "local kept, layer; return function(m)\n"
		         "if kept then return %s end kept, layer = m, m.ip return m end",
		         uses[i]);
		struct pt_pool *pool = pool_new(0);
		struct pt_func *f = transform(text);
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		ck_assert_int_eq(func_transform(f, &m, NULL), 0);
		fails_with(f, m, strcmp(uses[i], "kept") ? "this message is gone" : "returned a");
		func_free(f);
		pool_free(pool);
	}
}
END_TEST

START_TEST(the_interface_is_kept)
{
	static const char *const kept[] = {
		"m", "m:copy()", "m:with('x')", "m:copy():with('x'):copy()", "m .. 'x'",
	};
	struct pt_pool *pool = pool_new(0);
	struct pt_origin *eth0 = pt_origin_new("eth0");
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		char text[200];
		snprintf(text, sizeof text,
		         "function(m) assert(m.iface == 'eth0' and m:copy().iface == 'eth0')"
		         " return %s end",
		         kept[i]);
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		pt_msg_set_origin(m, eth0);
		m = applied(text, m);
		ck_assert_str_eq(pt_msg_iface(m), "eth0");
		pt_msg_unref(m);
	}
	pt_origin_unref(eth0);
	struct pt_msg *m = udp_after(pool, "assert(m.iface == nil and m:copy().iface == nil)");
	pt_msg_unref(m);
	fails("function(m) m.iface = 'a' end", "cannot be written");
	pool_free(pool);
}
END_TEST

START_TEST(an_edit_is_not_seen_by_others)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *shared = PACKET(pool, UDP_PACKET);
	struct pt_msg *m = applied("function(m) m.ip.src = '1.1.1.1' m.time = 5 m:set_byte(1, 9)"
	                           " m.link_type = 101 return m end",
	                           pt_msg_ref(shared));
	ck_assert_ptr_ne(m, shared);
	ck_assert_uint_eq(m->bytes[0], 9);
	ck_assert_uint_eq(m->time_ns, UINT64_C(5000000000));
	ck_assert_uint_eq(shared->time_ns, UINT64_C(1500000000123456789));
	ck_assert_uint_eq(shared->link_type, 1);
	expect_bytes("shared", shared, UDP_PACKET, sizeof UDP_PACKET - 1);
	pt_msg_unref(m);
	pool_free(pool);
}
END_TEST

START_TEST(an_error_undoes_the_edits)
{
	static const char edits[] = "function(m) m.ip.src = '1.1.1.1' m.time = 5 m.link_type = nil"
				    " m:set_byte(1, 9) error('late') end";
	struct pt_pool *pool = pool_new(0);
	struct pt_func *f = transform(edits);
	struct pt_msg *m = PACKET(pool, UDP_PACKET);
	fails_with(f, pt_msg_ref(m), "late");
	ck_assert_int_eq(func_transform(f, &m, NULL), -PT_ESCRIPT);
	ck_assert_uint_eq(m->time_ns, UINT64_C(1500000000123456789));
	ck_assert_uint_eq(m->link_type, 1);
	ck_assert_uint_eq(m->wire_length, m->length);
	expect_bytes(edits, m, UDP_PACKET, sizeof UDP_PACKET - 1);
	func_free(f);
	pool_free(pool);
}
END_TEST

START_TEST(a_predicate_changes_nothing)
{
	static const char *const edits[] = {
		"m.ip.src = '1.1.1.1'", "m.time = 5",          "m:set_byte(1, 9)",
		"m.link_type = 5",      "m.payload = 'HELLO'",
	};
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		char text[256];
		snprintf(text, sizeof text, "function(m) %s end", edits[i]);
		struct pt_pool *pool = pool_new(0);
		struct pt_func *f = predicate(text);
		struct pt_msg *m = PACKET(pool, UDP_PACKET);
		struct pt_error err = PT_ERROR_INIT;
		ck_assert_int_eq(func_test(f, m, &err), -PT_ESCRIPT);
		ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "cannot change the message"));
		pt_error_clear(&err);
		expect_bytes(text, m, UDP_PACKET, sizeof UDP_PACKET - 1);
		func_free(f);
		pool_free(pool);
	}
}
END_TEST

START_TEST(the_limit_of_messages_is_told_apart)
{
	struct pt_pool *pool = pool_new(0);
	struct pt_msg *shared = large_packet(pool), *m = pt_msg_ref(shared);
	struct pt_func *f = transform("function(m) m.time = 1 m:set_byte(1, 9) return m end");
	struct pt_error err = PT_ERROR_INIT;
	pool_set_limit(pool, 1);
	ck_assert_int_eq(func_transform(f, &m, &err), -ENOMEM);
	ck_assert_int_eq(err.faults[0].code, -ENOMEM);
	ck_assert_uint_eq(m->time_ns, shared->time_ns);
	pt_error_clear(&err);
	ck_assert_mem_eq(m->bytes, UDP_PACKET, 47);
	pt_msg_unref(m);
	pt_msg_unref(shared);
	func_free(f);
	pool_free(pool);
}
END_TEST

UNIT_TESTS("script/lua_message", all_methods_of_strings_are_there, parts_are_those_of_the_string,
           messages_join_with_text, a_layer_is_there_or_nil, fields_have_types_of_their_own,
           writing_a_field_puts_checksums_right, what_was_written_can_be_read,
           a_wrong_value_names_the_field, unknown_names_bring_the_nearest,
           a_payload_is_written_in_its_length, bytes_are_written_as_they_are,
           time_and_link_type_are_written, nanoseconds_are_kept, a_length_on_the_wire_is_written,
           a_message_is_made_of_a_message, a_message_that_is_kept_is_gone, the_interface_is_kept,
           an_edit_is_not_seen_by_others, an_error_undoes_the_edits, a_predicate_changes_nothing,
           the_limit_of_messages_is_told_apart)
