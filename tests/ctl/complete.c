/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests what is offered to shells while there is no daemon: all that the tables say. */
#include "ctl/complete.h"

#include "unit.h"
#include <stdlib.h>
#include <string.h>

static struct ctl ctl;
static struct completion completion;
static char offered[65536];

static void complete(const char *line)
{
	char copy[1024];
	char *words[32];
	int count = 0;
	strcpy(copy, line);
	for (char *rest = copy; rest; count++)
		words[count] = strsep(&rest, "|");
	ctl = (struct ctl){.values = json_object(), .socket = "/nowhere/control.sock"};
	completion = (struct completion){.ctl = &ctl};
	complete_words(&completion, count, words);
	strcpy(offered, "");
	for (size_t i = 0; i < completion.count; i++) {
		strcat(offered, completion.items[i].word);
		strcat(offered, completion.items[i].open ? "+ " : " ");
	}
	json_decref(ctl.values);
	completion_fini(&completion);
}

/* `line` is words parted by '|', the last being typed. */
static void offers(const char *line, const char *expected)
{
	complete(line);
	ck_assert_str_eq(offered, expected);
	ck_assert(!completion.files);
}

static void offers_also(const char *line, const char *expected)
{
	complete(line);
	ck_assert_msg(strstr(offered, expected), "%s not in: %s", expected, offered);
}

static void offers_files(const char *line)
{
	complete(line);
	ck_assert_str_eq(offered, "");
	ck_assert(completion.files);
}

START_TEST(every_verb_is_offered)
{
	for (const struct verb *v = verbs; v->name; v++) {
		complete("");
		ck_assert_ptr_nonnull(strstr(offered, v->name));
	}
	offers("cre", "create ");
	offers("-j|cre", "create ");
	offers("-s|/x|cre", "create ");
	offers("-s/x|cre", "create ");
	offers("nonsense|", "");
}
END_TEST

START_TEST(options_are_the_verbs_and_those_for_all)
{
	offers("create|x|--st", "--start ");
	offers_also("create|x|--", "--timeout ");
	offers("--sock", "--socket ");
	offers("create|--|--st", "");
}
END_TEST

START_TEST(values_of_options_are_choices_and_files)
{
	offers("tap|p.q|--canal|", "low high ");
	offers("tap|p.q|--canal|h", "high ");
	offers("tap|p.q|--canal=l", "--canal=low ");
	offers_files("create|x|-f|");
	offers_files("graph|p|--output|");
	offers_files("load|");
	offers("recv|p.q|--count|", "");
}
END_TEST

START_TEST(without_a_daemon_names_are_left_out)
{
	offers("start|", "");
	offers("show|p.", "");
	offers("add|p|b", "");
	offers("call|eng", "");
}
END_TEST

START_TEST(a_statement_begins_with_a_type_or_a_block)
{
	offers("create|x|TCPL", "TCPListenPipe(+ ");
	offers("create|x|a = CLIFeeder(); b = CLIH", "a = CLIFeeder(); b = CLIHighFeeder(+ ");
	offers("create|x|aa = Drain(); bb = Sink(); b", "aa = Drain(); bb = Sink(); bb+ ");
	offers("create|x|aa = Drain(); aa > bb >> ^ a", "aa = Drain(); aa > bb >> ^ aa+ ");
	offers("create|x|# TCPL", "");
	offers("create|x|# a\nTCPL", "# a\nTCPListenPipe(+ ");
	offers("create|x|a = Drain( # TCP", "");
	offers("create|x|a = Drain()\nb = TCPL", "a = Drain()\nb = TCPListenPipe(+ ");
	offers("create|x|a", "");
}
END_TEST

START_TEST(behind_a_block_comes_a_link)
{
	offers("run|Drain() ", "Drain() > + Drain() >> + Drain() ^ + Drain() % + Drain() // + ");
	offers_also("run|a >", "a >Drain(+ ");
	offers_also("run|Drain()", "Drain() >> + ");
}
END_TEST

START_TEST(in_a_call_parameters_are_offered_that_are_not_given)
{
	offers("run|TCPConnectPipe(a", "TCPConnectPipe(addr=+ ");
	offers("run|TCPConnectPipe(addr='x', p", "TCPConnectPipe(addr='x', port=+ ");
	offers("run|TCPConnectPipe('x', a", "");
	offers("run|TCPConnectPipe(addr='x', a", "");
	offers("run|Drain(", "Drain()+ ");
	offers("run|Nonsense(", "Nonsense()+ ");
	offers("run|Drain(addr='x'", "Drain(addr='x')+ Drain(addr='x', + ");
	offers("run|PeriodicSource(['a', ", "");
}
END_TEST

START_TEST(values_follow_their_kinds)
{
	offers("run|TriggeredValve(start_state=", "TriggeredValve(start_state=True+ "
	                                          "TriggeredValve(start_state=False+ ");
	offers("run|QueueSink(overflow=\"drop-n", "QueueSink(overflow=\"drop-newest\"+ ");
	offers("run|QueueSink('1k', '''b", "");
	offers("run|QueueSink('1k', 'b", "QueueSink('1k', 'block'+ ");
	offers("run|TransformDrain(f=\"rev", "TransformDrain(f=\"reverse\"+ ");
	offers("run|TransformDrain(r'tr", "TransformDrain(r'truncate(+ ");
	offers("run|TransformDrain('tr", "TransformDrain('truncate(+ ");
	offers("run|FilterDrain('bp", "FilterDrain('bpf + ");
	offers("run|UDPDrain(port=", "UDPDrain(port=1234+ ");
	offers("run|RdpcapSource('/et", "RdpcapSource('/etc/+ ");
}
END_TEST

START_TEST(whatever_is_typed_does_no_harm)
{
	static const char *const odd[] = {
		"create|x|(((((((((",
		"create|x|))))]]}}",
		"create|x|'''",
		"create|x|\"\\",
		"create|x|a = = = (",
		"set||=",
		"set|p|x=",
		"unlink|",
		"-|",
		"--|",
		"=|",
		"-s|",
		"--=|",
		"create|--=",
		"replace|p.q|Drain('a',,,,=",
		"create|x|\xff\xfe(",
		"undo|",
		"create|x|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa(",
	};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		complete(odd[i]);
}
END_TEST

UNIT_TESTS("ctl/complete", every_verb_is_offered, options_are_the_verbs_and_those_for_all,
           values_of_options_are_choices_and_files, without_a_daemon_names_are_left_out,
           a_statement_begins_with_a_type_or_a_block, behind_a_block_comes_a_link,
           in_a_call_parameters_are_offered_that_are_not_given, values_follow_their_kinds,
           whatever_is_typed_does_no_harm)
