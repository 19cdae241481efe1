/* SPDX-License-Identifier: BSD-2-Clause */
/* self:every and self:after. */
#include "lua.h"

START_TEST(every_runs_again_and_after_once)
{
	struct rig *r = rig_lua("Source{name='Ticks', start=function(self)\n"
	                        "  self:every(1, function() self:gen_data('tick') end)\n"
	                        "  self:after(1.5, function() self:gen_data('once') end) end}",
	                        "");
	expect_nothing(r);
	pass_time(r, 1);
	expect(r, LOW, "tick");
	pass_time(r, 1);
	expect(r, LOW, "once");
	expect(r, LOW, "tick");
	pass_time(r, 1);
	expect(r, LOW, "tick");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_timer_is_cancelled_also_by_itself)
{
	struct rig *r = rig_push("local n, t = 0\n"
	                         "local never = self:after(3, function() self:send('never') end)\n"
	                         "t = self:every(1, function() n = n + 1 self:send('n' .. n)\n"
	                         "  if n == 2 then t:cancel() never:cancel() t:cancel() end end)");
	push(r, LOW, "go");
	pass_time(r, 10);
	expect(r, LOW, "n1");
	expect(r, LOW, "n2");
	expect_nothing(r);
	rig_end(r);
}
END_TEST

START_TEST(a_function_that_fails_is_called_again)
{
	struct rig *r = rig_lua("Source{name='FailsLater', start=function(self)\n"
	                        "  self:every(2, function(s) error('later ' .. s.name) end) end}",
	                        "");
	pass_time(r, 4);
	expect_report(r, "later it");
	expect_report(r, "later it");
	rig_end(r);
}
END_TEST

START_TEST(one_that_sets_itself_anew_lets_others_run)
{
	struct rig *r = rig_lua("Source{name='Chain', start=function(self)\n"
	                        "  local n = 0\n"
	                        "  local function again() n = n + 1\n"
	                        "    if n < 100 then self:after(0, again) end end\n"
	                        "  again()\n"
	                        "  self:after(0.5, function() self:gen_data(n) end) end}",
	                        "");
	pass_time(r, 1);
	expect(r, LOW, "100");
	rig_end(r);
}
END_TEST

START_TEST(timers_are_bounded_and_end_with_the_run)
{
	struct rig *r = rig_lua("Source{name='TooMany', params={n=2000}, start=function(self)\n"
	                        "  for i = 1, self.n do self:after(1, function()\n"
	                        "    self:gen_data('x') end) end end,\n"
	                        "stop=function(self) self:gen_data('end') end}",
	                        "");
	expect_report(r, "a block has at most 1024 timers");
	ck_assert_str_eq(block_state_word(rig_block(r, "it")), "failed");
	ck_assert(ask(r, "stop", "{}") != NULL);
	expect(r, LOW, "end");
	pass_time(r, 2);
	expect_nothing(r);
	rig_end(r);
}
END_TEST

UNIT_TESTS("custom/timer", every_runs_again_and_after_once, a_timer_is_cancelled_also_by_itself,
           a_function_that_fails_is_called_again, one_that_sets_itself_anew_lets_others_run,
           timers_are_bounded_and_end_with_the_run)
