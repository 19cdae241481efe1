/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks in Lua: what a function gets, sends, keeps, and may not do. */
#include "lua.h"

#include "base/buf.h"
#include "engine/carry.h"

START_TEST(a_drain_sends_what_it_makes_of_a_message)
{
	struct rig *r =
		rig_lua("Drain{name='Both', push=function(self, m) self:send(m:reverse()) end,"
	                " high_push=function(self, m) self:high_send(m) end}",
	                "");
	push(r, LOW, "abc");
	expect(r, LOW, "cba");
	push(r, HIGH, "abc");
	expect(r, HIGH, "abc");
	rig_end(r);
}
END_TEST

START_TEST(a_message_is_joined_to_more_than_one_text)
{
	static const struct {
		const char *text, *wanted;
	} joined[] = {
		{"'<' .. self.name .. '>' .. m", "<it>abc"},
		{"'<' .. m .. '>' .. self.name", "<abc>it"},
		{"1 .. 2 .. m .. m .. 3", "12abcabc3"},
		{"'<' .. self.name .. '>' .. m:copy()", "<it>abc"},
	};
	for (size_t i = 0; i < sizeof joined / sizeof *joined; i++) {
		char *body = must_printf("self:send(%s)", joined[i].text);
		struct rig *r = rig_push(body);
		push(r, LOW, "abc"); /* the first, for which the stack might have to grow */
		expect(r, LOW, joined[i].wanted);
		rig_end(r);
		free(body);
	}
}
END_TEST

START_TEST(what_there_is_no_function_for_passes)
{
	struct rig *r = rig_push("self:high_send(m)");
	push(r, HIGH, "high");
	expect(r, HIGH, "high");
	push(r, LOW, "low");
	expect(r, HIGH, "low");
	rig_end(r);
}
END_TEST

START_TEST(every_message_is_accounted_for)
{
	struct rig *r = rig_push("local t = m:text()\n"
	                         "if t == 'twice' then self:send(m) self:send(m) end\n"
	                         "if t == 'more' then self:send(m) self:send('x') end\n"
	                         "if t == 'drop' then self:drop(m, 'unloved') end\n"
	                         "if t == 'out' then self:filter_out(m, 'unasked') end\n"
	                         "if t == 'fail' then self:send(m) self:trigger() error('x') end");
	push_all(r, LOW, (const char *const[]){"twice", "more", "drop", "out", "nothing", "fail"},
	         6);
	expect(r, LOW, "twice");
	expect(r, LOW, "twice");
	expect(r, LOW, "more");
	expect(r, LOW, "x");
	expect_nothing(r);
	ck_assert_int_eq(counted(r, "out"), 4);
	ck_assert_int_eq(counted(r, "unloved"), 1);
	ck_assert_int_eq(counted(r, "unasked"), 1);
	ck_assert_uint_eq(block_sum(rig_block(r, "it"), true), 2);
	ck_assert_uint_eq(block_sum(rig_block(r, "it"), false), 2);
	ck_assert_int_eq(counted(r, "filtered"), 1);
	ck_assert_int_eq(counted(r, "error"), 1);
	ck_assert_int_eq(counted(r, "errors"), 1);
	rig_end(r);
}
END_TEST

START_TEST(each_sending_is_of_the_message_as_it_was)
{
	struct rig *r = rig_push("self:send(m) m:set_byte(1, 66) self:send(m)\n"
	                         "m:set_byte(1, 67) self:high_send(m)");
	push(r, LOW, "Ax");
	expect(r, LOW, "Ax");
	expect(r, LOW, "Bx");
	expect(r, HIGH, "Cx");
	rig_end(r);
}
END_TEST

START_TEST(things_happen_in_the_order_in_which_they_were_asked_for)
{
	struct rig *r =
		rig_push("self:send('1') self:trigger() self:high_send('2') self:send('3')");
	push(r, LOW, "go");
	expect(r, LOW, "1");
	expect_trigger(r);
	expect(r, HIGH, "2");
	expect(r, LOW, "3");
	rig_end(r);
}
END_TEST

START_TEST(state_is_the_blocks_own)
{
	struct rig *r = rig_lua("local shared = 0\n"
	                        "Drain{name='Own', push=function(self, m)\n"
	                        "  shared = shared + 1\n"
	                        "  self.state.n = (self.state.n or 0) + 1\n"
	                        "  self:send(self.name .. self.state.n .. shared) end}",
	                        "");
	ck_assert(ask_change(r, "other = Own(); it > other; sink = RigSink(); other > sink") !=
	          NULL);
	push(r, LOW, "a");
	push(r, LOW, "a");
	expect(r, LOW, "it11");
	expect_at(r, "sink>", "other11");
	expect(r, LOW, "it22");
	expect_at(r, "sink>", "other22");
	rig_end(r);
}
END_TEST

START_TEST(a_message_that_is_kept_is_a_copy)
{
	struct rig *r = rig_lua("Drain{name='Keeps', push=function(self, m)\n"
	                        "  self.state.kept = m:copy() end,\n"
	                        "on_trigger=function(self)\n"
	                        "  local k = self.state.kept\n"
	                        "  self:send(k) self:send(#k .. k:upper() .. k.wire_length)\n"
	                        "  self:send(k .. tostring(k.link_type) .. k:text()) end}",
	                        "");
	push(r, LOW, "abc");
	expect_nothing(r);
	fire(r);
	expect(r, LOW, "abc");
	expect(r, LOW, "3ABC3");
	expect(r, LOW, "abcnilabc");
	rig_end(r);
}
END_TEST

START_TEST(a_packet_that_is_kept_stays_one)
{
	struct rig *r = rig_push("local k = m:copy() self:send(k)\n"
	                         "if k.link_type ~= 1 or k.time ~= m.time then error('lost') end");
	push_packet(r, "0123456789abcdef", 16, 1);
	expect(r, LOW, "0123456789abcdef");
	ck_assert_int_eq(counted(r, "errors"), 0);
	rig_end(r);
}
END_TEST

START_TEST(a_stale_message_is_an_error)
{
	struct rig *r = rig_lua("local old\n"
	                        "Drain{name='Stale', push=function(self, m)\n"
	                        "  if old then self:send(old) end old = m end}",
	                        "");
	push(r, LOW, "a");
	push(r, LOW, "b");
	expect_nothing(r);
	expect_report(r, "this message is gone");
	ck_assert_int_eq(counted(r, "error"), 1);
	rig_end(r);
}
END_TEST

START_TEST(a_vector_comes_at_once)
{
	struct rig *r = rig_lua("Drain{name='Many', push_many=function(self, list)\n"
	                        "  for i = #list, 1, -1 do\n"
	                        "    if i ~= 2 then self:send(list[i]) end end\n"
	                        "  self:send(#list .. list[1]:upper()) end}",
	                        "");
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	expect(r, LOW, "c");
	expect(r, LOW, "a");
	expect(r, LOW, "3A");
	push(r, HIGH, "passes");
	expect(r, HIGH, "passes");
	ck_assert_int_eq(counted(r, "filtered"), 1);
	rig_end(r);
}
END_TEST

START_TEST(a_vector_that_fails_is_dropped)
{
	struct rig *r = rig_lua("Drain{name='ManyFail', push_many=function(self, list)\n"
	                        "  self:send(list[1]) self:send(list[2].nonsense) end}",
	                        "");
	push_all(r, LOW, (const char *const[]){"a", "b", "c"}, 3);
	expect_nothing(r);
	expect_report(r, "a message has no 'nonsense'");
	ck_assert_int_eq(counted(r, "error"), 3);
	rig_end(r);
}
END_TEST

START_TEST(a_sink_delivers_what_it_got)
{
	struct rig *r = rig_graph("it = RigSource()");
	load("Sink{name='Prints', push=function(self, m) self:print('>' .. repr(m)) end,\n"
	     "high_push=function(self, m) self:print('>>' .. repr(m)) end}");
	ck_assert(ask_change(r, "s = Prints(); a = CLIFeeder(); a > s; it >> s") != NULL);
	ck_assert(ask(r, "send", "{\"block\": \"a\", \"message\": \"it's\"}") != NULL);
	expect_printed(r, ">\"it's\"\n");
	rig_end(r);
}
END_TEST

START_TEST(what_it_prints_comes_behind_what_it_sent_before)
{
	struct rig *r = rig_graph("it = Drain(); c = ConsoleSink()");
	load("Drain{name='Says', push=function(self, m) self:print(m:text()) self:send(m) end}");
	ck_assert(ask_change(r, "s = Says(); it > s > c") != NULL);
	push_all(r, LOW, (const char *const[]){"a", "b"}, 2);
	expect_printed(r, "a\n>'a'\nb\n>'b'\n");
	rig_end(r);
}
END_TEST

START_TEST(what_it_sends_when_it_starts_comes_to_blocks_that_have_started)
{
	struct rig *r = rig_graph("it = Drain()");
	load("Drain{name='Greets', start=function(self) self:send('a') end}");
	ck_assert(
		ask_change(r, "g = Greets(); v = TriggeredValve(); c = ConsoleSink(); g > v > c"));
	expect_printed(r, ">'a'\n");
	ck_assert(ask(r, "stop", "{}") && ask(r, "start", "{}"));
	expect_printed(r, ">'a'\n");
	rig_end(r);
}
END_TEST

START_TEST(parameters_are_members)
{
	struct rig *r = rig_lua(
		"Drain{name='Params', params={{name='n', kind='int', default=3, live=true},\n"
		"  {name='s', kind='seconds', default='100ms'}, {name='z', kind='size', "
		"default='2k'},\n"
		"  {name='c', kind='choice', choices={'a', 'b'}, default='b'}, {name='t'\n"
		"  , kind='string'}, {name='y', kind='bytes', default='\\255'}, {name='b', "
		"default=true}},\n"
		"push=function(self, m) self:send(table.concat({self.n, self.s, self.z, self.c,\n"
		"  tostring(self.t), #self.y, tostring(self.b)}, ' ')) end}",
		"s=1, t=\"x\", b=false");
	push(r, LOW, "");
	expect(r, LOW, "3 1.0 2000 b x 1 false");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"n\": 4}}]}"));
	push(r, LOW, "");
	expect(r, LOW, "4 1.0 2000 b x 1 false");
	rig_end(r);
}
END_TEST

START_TEST(a_parameter_may_be_a_function)
{
	struct rig *r = rig_lua("Drain{name='Fun', params={{name='f', kind='transform',\n"
	                        "  required=true, live=true}, {name='p', kind='predicate'}},\n"
	                        "push=function(self, m) if self.p == nil or self.p(m) then\n"
	                        "  self:send(self.f(m)) end self:send(self.f('str')) end}",
	                        "\"reverse\", \"equals 'abc'\"");
	push(r, LOW, "abc");
	expect(r, LOW, "cba");
	expect(r, LOW, "rts");
	push(r, LOW, "abd");
	expect(r, LOW, "rts");
	ck_assert(ask(
		r, "change",
		"{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"f\": "
		"\"function(m) if m:text() ~= 'str' then return nil end error('long') end\"}}]}"));
	push(r, LOW, "abc");
	expect_nothing(r);
	expect_report(r, "long");
	rig_end(r);
}
END_TEST

START_TEST(self_cannot_be_written_or_misused)
{
	static const char *const uses[][2] = {
		{"self.x = 1", "self.x cannot be set; what a block keeps is in self.state"},
		{"self.send(m)", "with a colon"},
		{"self:sned(m)", "self has no 'sned'; did you mean 'send'?"},
		{"self:gen_data(m)", "self has no 'gen_data'"},
		{"self:send({})", "can be sent, not a table"},
		{"self:send()", "value expected"},
		{"self:drop('text')", "only the message that came can be dropped"},
		{"Drain{name='Late'}", "types are defined while their file is loaded"},
		{"while true do self:print(('x'):rep(100000)) end", "one call can print at most"},
		{"print('x')", "in a function of a block type it is self:print"},
		{"self:every(0, nothing)", "function expected"},
		{"self:every(0, pairs)", "a time is from"},
		{"io.open('x')", "global 'io'"},
		{"getmetatable(self).__index.send = nil", "attempt to index a boolean"},
	};
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		struct rig *r = rig_push(uses[i][0]);
		push(r, LOW, "a");
		expect_report(r, uses[i][1]);
		expect_nothing(r);
		rig_end(r);
	}
}
END_TEST

START_TEST(a_port_that_is_not_there_cannot_be_used)
{
	struct rig *r = rig_lua("Drain{name='Narrow', ports={'low_entry', 'low_exit'},\n"
	                        "push=function(self, m) self:high_send(m) end}",
	                        "");
	push(r, LOW, "a");
	expect_report(r, "a Narrow has no high exit");
	rig_end(r);
}
END_TEST

START_TEST(a_loop_ends_and_the_engine_goes_on)
{
	const uint64_t before_ns = rig_limits.script_time_ns;
	rig_limits.script_time_ns = 100000000;
	struct rig *r = rig_push("while m:text() == 'loop' do end self:send(m)");
	push_all(r, LOW, (const char *const[]){"loop", "fine"}, 2);
	expect(r, LOW, "fine");
	expect_report(r, "time limit");
	rig_end(r);
	rig_limits.script_time_ns = before_ns;
}
END_TEST

START_TEST(what_is_kept_and_what_is_sent_is_bounded)
{
	struct rig *r = rig_push("local s = self.state\n"
	                         "if #m == 1 then while true do self:send(m) end end\n"
	                         "for i = 1, 100 do s[#s + 1] = m:copy() end self:send(m)");
	static char large[60001];
	memset(large, 'x', 60000);
	for (int i = 0; i < 4; i++)
		push(r, LOW, large);
	ck_assert_int_eq(counted(r, "out"), 2);
	ck_assert_int_eq(counted(r, "error"), 2);
	expect_report(r, "not enough memory");
	push(r, LOW, "y");
	ck_assert_int_eq(counted(r, "error"), 3);
	rig_end(r);
}
END_TEST

START_TEST(a_source_is_fed_and_closed)
{
	load("Source{name='Fed', send=function(self, m, canal)\n"
	     "  if canal == 'high' then self:gen_high_data(m) else self:gen_data(m) end end,\n"
	     "close=function(self) self:gen_data('bye') self:exhaust() end}");
	struct rig *r = rig("Fed", "");
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"messages\": [\"a\", \"b\"]}") != NULL);
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"message\": \"c\", \"canal\": \"high\"}"));
	expect(r, LOW, "a");
	expect(r, LOW, "b");
	expect(r, HIGH, "c");
	ck_assert(ask(r, "close", "{\"block\": \"it\"}") != NULL);
	expect(r, LOW, "bye");
	ck_assert_ptr_null(ask(r, "send", "{\"block\": \"it\", \"message\": \"d\"}"));
	ck_assert_str_eq(rig_kind(r), "wrong-state");
	ck_assert(ask(r, "stop", "{\"wait\": true}") != NULL);
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"message\": \"early\"}") != NULL);
	ck_assert(ask(r, "start", "{}") != NULL);
	turn(r);
	expect(r, LOW, "early");
	rig_end(r);
}
END_TEST

START_TEST(who_feeds_a_source_is_told_of_its_errors)
{
	struct rig *r =
		rig_lua("Source{name='Picky', send=function(self, m) error('not ' .. m) end}", "");
	ck_assert_ptr_null(ask(r, "send", "{\"block\": \"it\", \"message\": \"this\"}"));
	ck_assert_str_eq(rig_kind(r), "script");
	ck_assert_str_eq(rig_words(r), "mine.lua:1: not this");
	expect_report(r, "not this");
	ck_assert_int_eq(counted(r, "error"), 1);
	rig_end(r);
}
END_TEST

START_TEST(of_several_messages_it_takes_all_or_none)
{
	struct rig *r =
		rig_lua("Source{name='Wary', send=function(self, m)\n"
	                "  if m:text() == 'bad' then error('no') end\n"
	                "  self:print('saw ' .. m) self:gen_data(m) self:gen_data(m .. '!') end}",
	                "");
	ck_assert_ptr_null(
		ask(r, "send", "{\"block\": \"it\", \"messages\": [\"a\", \"bad\", \"b\"]}"));
	ck_assert_str_eq(rig_kind(r), "script");
	expect_nothing(r);
	expect_printed(r, "");
	ck_assert_int_eq(counted(r, "error"), 3);
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"messages\": [\"a\", \"b\"]}") != NULL);
	expect(r, LOW, "a");
	expect(r, LOW, "a!");
	expect(r, LOW, "b");
	expect(r, LOW, "b!");
	rig_end(r);
}
END_TEST

START_TEST(many_messages_do_not_count_as_one_call)
{
	struct rig *r = rig_lua("Source{name='Doubles', send=function(self, m)\n"
	                        "  for i = 1, 30000 do self:gen_data(m) end end}",
	                        "");
	ck_assert(ask(r, "send", "{\"block\": \"it\", \"messages\": [\"a\", \"b\", \"c\"]}"));
	ck_assert_uint_eq(rig_block(r, "it")->count.out, 90000);
	rig_end(r);
}
END_TEST

START_TEST(a_source_produces_until_it_is_exhausted)
{
	struct rig *r = rig_lua("Source{name='Counter', params={n=3}, start=function(self)\n"
	                        "  self.state.i = 0 end, produce=function(self, max)\n"
	                        "  local s = self.state s.i = s.i + 1 self:gen_data(s.i)\n"
	                        "  if s.i == self.n then self:exhaust() end end}",
	                        "");
	turn(r);
	expect(r, LOW, "1");
	expect(r, LOW, "2");
	expect(r, LOW, "3");
	expect_nothing(r);
	ck_assert(ask(r, "stop", "{\"wait\": true}") != NULL);
	rig_end(r);
}
END_TEST

START_TEST(a_source_whose_produce_fails_has_failed)
{
	struct rig *r =
		rig_lua("Source{name='Broken', produce=function(self) error('broken') end}", "");
	turn(r);
	expect_report(r, "broken");
	ck_assert_str_eq(block_state_word(rig_block(r, "it")), "failed");
	rig_end(r);
}
END_TEST

START_TEST(a_trigger_may_come_back_into_the_block_that_sent)
{
	load("Drain{name='Echo', push=function(self, m) self:send(m) self:trigger() end,\n"
	     "on_trigger=function(self) self.state.n = (self.state.n or 0) + 1\n"
	     "  self:high_send('back ' .. self.state.n) end,\n"
	     "ports={'low_entry', 'low_exit', 'high_exit', 'trigger_entry', 'trigger_exit'}}");
	struct rig *r = rig_graph("it = Echo(); t = TriggerDrain(\"always\"); s = RigSink();"
	                          "it > t > s; it >> s; t ^ it");
	push(r, LOW, "a");
	expect_at(r, "s>>", "back 1");
	expect_at(r, "s>", "a");
	push(r, LOW, "b");
	expect_at(r, "s>>", "back 2");
	expect_at(r, "s>", "b");
	rig_end(r);
}
END_TEST

START_TEST(a_fault_at_the_beginning_refuses_the_change)
{
	struct rig *r = rig_graph("it = RigSource()");
	load("n = 0 for i = 1, 10 do n = n + i end\n"
	     "Drain{name=math.random() < 2 and 'Steady' or 'No', params={{name='f',\n"
	     "  kind='transform', required=true}}, push=function() end}");
	ck_assert_ptr_null(ask_change(r, "s = Steady(\"function(m\")"));
	ck_assert_str_eq(rig_kind(r), "script");
	ck_assert_ptr_null(ask(r, "show", "{}") ? NULL : "gone");
	rig_end(r);
}
END_TEST

START_TEST(a_new_load_is_for_blocks_made_later)
{
	struct rig *r =
		rig_lua("Drain{name='Again', push=function(self, m) self:send('1') end}", "");
	const struct pt_type *first = type_find("Again");
	ck_assert_ptr_eq(load("Drain{name='Again', push=function(self, m) self:send('1') end}"),
	                 first);
	ck_assert_ptr_ne(load("Drain{name='Again', push=function(self, m) self:send('2') end}"),
	                 first);
	push(r, LOW, "");
	expect(r, LOW, "1");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"replace\", \"name\": \"it\", \"type\": \"Again\"}]}"));
	push(r, LOW, "");
	expect(r, LOW, "2");
	rig_end(r);
}
END_TEST

/* ---- what is carried ---- */

static const char counts[] =
	"Drain{name='Counts', carries={'seen', 'last', 'open', 'half', 'table'}, params={n=0},"
	" start=function(self) self.state.seen = self.state.seen or 0 end,"
	" push=function(self, m) local s = self.state; s.seen = s.seen + 1; s.last = m:text();"
	"  s.open = s.seen == 2; s.half = s.seen / 2;"
	"  self:send(s.seen .. s.last .. tostring(s.open) .. s.half .. tostring(s.lost)) end,"
	" changed=function(self) self.state.table = {} end}";

START_TEST(what_is_carried_is_in_the_state_of_the_successor)
{
	struct rig *r = rig_lua(counts, "");
	push(r, LOW, "a");
	expect(r, LOW, "1afalse0.5nil");
	ck_assert(ask(r, "change",
	              "{\"ops\": [{\"op\": \"set\", \"name\": \"it\", \"params\": {\"n\": 1}}]}"));
	push(r, LOW, "b");
	expect(r, LOW, "2btrue1.0nil");
	rig_end(r);
}
END_TEST

START_TEST(what_is_carried_goes_over_a_restart)
{
	struct rig *r = rig_lua(counts, "");
	struct pt_block *b = rig_block(r, "it");
	push(r, LOW, "a");
	expect(r, LOW, "1afalse0.5nil");
	struct pt_carry *told = carry_of(b, PT_FOR_RESTART);
	push(r, LOW, "b");
	expect(r, LOW, "2btrue1.0nil");
	ck_assert(ask(r, "stop", "{}"));
	b->carried = told;
	ck_assert(ask(r, "start", "{}"));
	push(r, LOW, "c");
	expect(r, LOW, "2ctrue1.0nil");
	ck_assert_int_eq(counted(r, "errors"), 0);
	rig_end(r);
}
END_TEST

START_TEST(what_cannot_be_carried_is_told)
{
	refused("Drain{name='Bad', carries='seen'}", "carries={");
	refused("Drain{name='Bad', carries={1}}", "'carries' is text");
	struct rig *r = rig_lua("Drain{name='Holds', carries={'t'},"
	                        " push=function(self, m) self.state.t = {}; self:send(m) end}",
	                        "");
	push(r, LOW, "a");
	expect(r, LOW, "a");
	ck_assert_ptr_null(carry_of(rig_block(r, "it"), PT_FOR_RESTART));
	ck_assert_int_eq(counted(r, "errors"), 1);
	ck_assert_msg(strstr(rig_block(r, "it")->last_error, "self.state.t is a table"), "%s",
	              rig_block(r, "it")->last_error);
	rig_end(r);
}
END_TEST

UNIT_TESTS("custom/block", a_drain_sends_what_it_makes_of_a_message,
           a_message_is_joined_to_more_than_one_text, what_there_is_no_function_for_passes,
           every_message_is_accounted_for, each_sending_is_of_the_message_as_it_was,
           things_happen_in_the_order_in_which_they_were_asked_for, state_is_the_blocks_own,
           a_message_that_is_kept_is_a_copy, a_packet_that_is_kept_stays_one,
           a_stale_message_is_an_error, a_vector_comes_at_once, a_vector_that_fails_is_dropped,
           a_sink_delivers_what_it_got, what_it_prints_comes_behind_what_it_sent_before,
           what_it_sends_when_it_starts_comes_to_blocks_that_have_started, parameters_are_members,
           a_parameter_may_be_a_function, self_cannot_be_written_or_misused,
           a_port_that_is_not_there_cannot_be_used, a_loop_ends_and_the_engine_goes_on,
           what_is_kept_and_what_is_sent_is_bounded, a_source_is_fed_and_closed,
           who_feeds_a_source_is_told_of_its_errors, of_several_messages_it_takes_all_or_none,
           many_messages_do_not_count_as_one_call, a_source_produces_until_it_is_exhausted,
           a_source_whose_produce_fails_has_failed,
           a_trigger_may_come_back_into_the_block_that_sent,
           a_fault_at_the_beginning_refuses_the_change, a_new_load_is_for_blocks_made_later,
           what_is_carried_is_in_the_state_of_the_successor, what_is_carried_goes_over_a_restart,
           what_cannot_be_carried_is_told)
