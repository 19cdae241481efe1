/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be typed behind each verb, and with all of them. */
#include "ctl/verb.h"

#include "rpc/event.h"

#define ENGINE                                                              \
	{                                                                   \
		"engine", "Its name.", PT_KIND_STRING, .flags = PT_REQUIRED \
	}
#define TARGET                                                                  \
	{                                                                       \
		"engine.block", "Which block of which engine.", PT_KIND_STRING, \
			.flags = PT_REQUIRED                                    \
	}
#define CANAL                                                                              \
	{                                                                                  \
		"canal", "One canal alone.", PT_KIND_CHOICE, .flags = PT_OPTION | PT_SENT, \
							     .choices = canals             \
	}
/* Of verbs that show something again and again. */
#define WATCH(what)                                                                           \
	{"watch", "Again and again" what ", until Ctrl-C.", PT_KIND_BOOL, .flags = PT_OPTION, \
	 .letter = 'w'},                                                                      \
	{                                                                                     \
		"delay", "With --watch: how long from one to the next.", PT_KIND_SECONDS,     \
			.flags = PT_OPTION, .letter = 'd', .fallback = "1", .min = 0.01,      \
			.max = 1e6                                                            \
	}
#define PIPE                                                                                 \
	{"pipe", "The graph in the pipe language; several are one a line.", PT_KIND_STRING,  \
	 .flags = PT_MANY},                                                                  \
	{                                                                                    \
		"file", "Read the graph from this file; - is standard input.", PT_KIND_PATH, \
			.flags = PT_OPTION, .letter = 'f'                                    \
	}
#define DEFINE                                                                                  \
	{                                                                                       \
		"define",                                                                       \
			"A constant of the text, NAME=VALUE; it goes before the text's own. A " \
			"bare word is text.",                                                   \
			PT_KIND_STRING, .flags = PT_OPTION | PT_MANY, .letter = 'D'             \
	}

const struct pt_param verb_globals[] = {
	{"socket", "The daemon's control socket.", PT_KIND_PATH, .flags = PT_OPTION, .letter = 's'},
	{"host",
         "The daemon of another host, through ssh: [USER@]HOST; unix:PATH is a socket here. "
         "Several "
         "have commas between them; the names and @LABEL=VALUE of an inventory stand for its "
         "hosts.",
         PT_KIND_STRING, .flags = PT_OPTION, .letter = 'H'},
	{"jobs", "How many hosts are asked at a time.", PT_KIND_INT, .flags = PT_OPTION,
         .fallback = "64", .min = 1, .max = 1000},
	{"json", "Print the method's result as JSON.", PT_KIND_BOOL, .flags = PT_OPTION,
         .letter = 'j'},
	{"timeout", "How long to wait for an answer, at the longest.", PT_KIND_SECONDS,
         .flags = PT_OPTION, .fallback = "10"},
	{"fd",
         "A descriptor to hand over with the request, {\"fd\": 0} in the text; may be given again "
         "for {\"fd\": 1} and so on.",
         PT_KIND_INT, .flags = PT_OPTION | PT_MANY},
	{"help", "Show the help.", PT_KIND_BOOL, .flags = PT_OPTION, .letter = 'h'},
	{"version", "Show the version.", PT_KIND_BOOL, .flags = PT_OPTION, .letter = 'V'},
	{NULL},
};

static const char *const canals[] = {"low", "high", NULL};

const struct pt_param engine_rows[] = {
	ENGINE,
	{NULL},
};

const struct pt_param create_rows[] = {
	{"engine", "The new engine's name.", PT_KIND_STRING, .flags = PT_REQUIRED},
	PIPE,
	DEFINE,
	{"start", "Start it, too.", PT_KIND_BOOL, .flags = PT_OPTION | PT_SENT},
	{"ephemeral", "Do not keep it over a restart of the daemon.", PT_KIND_BOOL,
         .flags = PT_OPTION | PT_SENT},
	{"or_apply", "If it is there already, change what differs, as apply does.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param destroy_rows[] = {
	{"engine", "Their names.", PT_KIND_STRING, .flags = PT_REQUIRED | PT_MANY},
	{"if_exists", "One that is not there is none to be refused.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"if_revision", "Refuse (exit status 5) unless it is at this revision.", PT_KIND_INT,
         .flags = PT_OPTION | PT_SENT, .max = 9007199254740992.0},
	{"comment", "Why, for the daemon's log.", PT_KIND_STRING, .flags = PT_OPTION | PT_SENT},
	{"confirm", "It is there again, as it was, after so long, unless that is confirmed.",
         PT_KIND_SECONDS, .flags = PT_OPTION | PT_SENT},
	{NULL},
};

const struct pt_param confirm_rows[] = {
	ENGINE,
	{"revision", "Only if it is this one that waits.", PT_KIND_INT,
         .flags = PT_OPTION | PT_SENT, .max = 9007199254740992.0},
	{"extend", "Not yet: go on waiting, for so long from now on.", PT_KIND_SECONDS,
         .flags = PT_OPTION | PT_SENT},
	{NULL},
};

const struct pt_param add_rows[] = {
	ENGINE,
	PIPE,
	DEFINE,
	{"may_exist", "Blocks and links that are there already are no fault.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param remove_rows[] = {
	ENGINE,
	{"block", "The blocks that go, with their links.", PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{"if_exists", "What is not there is none to be refused.", PT_KIND_BOOL, .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param unlink_rows[] = {
	ENGINE,
	{"links", "The links that go, as 'a > b' or 'a >> b > c'.", PT_KIND_STRING,
         .flags = PT_REQUIRED | PT_MANY},
	{"if_exists", "What is not there is none to be refused.", PT_KIND_BOOL, .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param replace_rows[] = {
	TARGET,
	{"type(…)", "The block that takes its place, as 'Drain()'; links and name stay.",
         PT_KIND_STRING, .flags = PT_REQUIRED},
	DEFINE,
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param set_rows[] = {
	TARGET,
	{"key=value", "Parameters; a value is a literal of the pipe language, a bare word is text.",
         PT_KIND_STRING, .flags = PT_REQUIRED | PT_MANY},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param apply_rows[] = {
	{"engine", "The engine.", PT_KIND_STRING, .flags = PT_REQUIRED},
	PIPE,
	DEFINE,
	{"empty", "Without a graph: take out every block, with what its queues hold.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param log_rows[] = {
	{"engine", "Its name; without it, every engine.", PT_KIND_STRING},
	{"since", "What came from then on: 10:00, 2026-11-30T10:00:00Z, -1h.", PT_KIND_STRING,
         .flags = PT_OPTION},
	{"number", "How many entries are shown, the last.", PT_KIND_INT, .flags = PT_OPTION,
         .letter = 'n', .min = 1, .max = 1e9},
	{NULL},
};

const struct pt_param save_rows[] = {
	ENGINE,
	{"file", "Another file than the engine's own; - is standard output.", PT_KIND_PATH},
	{NULL},
};

const struct pt_param diff_rows[] = {
	ENGINE,
	{"revision", "What an undo to this one would do; without it, what the last change did.",
         PT_KIND_INT, .flags = PT_SENT, .max = 9007199254740992.0},
	{"to", "Then what leads from that revision to this one.", PT_KIND_INT, .flags = PT_SENT,
         .max = 9007199254740992.0},
	{"file", "What leads from the engine's file, as it is now, to the graph.", PT_KIND_BOOL,
         .flags = PT_OPTION | PT_SENT},
	{NULL},
};

const struct pt_param undo_rows[] = {
	ENGINE,
	{"revision", "Whose graph comes back; without it, that of the one before.", PT_KIND_INT,
         .flags = PT_SENT, .max = 9007199254740992.0},
	VERB_CHANGE_OPTIONS,
	{NULL},
};

const struct pt_param stop_rows[] = {
	ENGINE,
	{"wait", "Wait until every source is exhausted and every sink is flushed.", PT_KIND_BOOL,
         .flags = PT_OPTION | PT_SENT},
	{"timeout",
         "With --wait: for how long. When the time is out (exit status 4), the engine goes on "
         "draining.",
         PT_KIND_SECONDS, .flags = PT_OPTION, .fallback = "10"},
	{NULL},
};

const struct pt_param wait_rows[] = {
	{"engine[.block]", "What is waited for.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"state", "One of running, stopped, exhausted, failed, drained, gone; of several, any.",
         PT_KIND_STRING, .flags = PT_REQUIRED | PT_MANY},
	{"timeout", "For how long; then the exit status is 4.", PT_KIND_SECONDS, .flags = PT_OPTION,
         .fallback = "10"},
	{NULL},
};

const struct pt_param run_rows[] = {
	PIPE,
	DEFINE,
	{"private", "Start a daemon for just this, so that none need be running.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"allow_drops",
         "What was dropped is no failure: all of it, or with =REASON,… what was dropped for these.",
         PT_KIND_BOOL, .flags = PT_OPTION | PT_MAYBE},
	{"timeout", "Stop it cleanly after so long; the exit status is 4 then.", PT_KIND_SECONDS,
         .flags = PT_OPTION},
	{NULL},
};

const struct pt_param show_rows[] = {
	{"engine[.block]", "An engine, or one of its blocks.", PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{NULL},
};

const struct pt_param stats_rows[] = {
	{"engine[.block]", "An engine, or one of its blocks; without it, every engine.",
         PT_KIND_STRING},
	WATCH(", with rates"),
	{NULL},
};

const struct pt_param list_rows[] = {
	WATCH(""),
	{NULL},
};

const struct pt_param graph_rows[] = {
	ENGINE,
	{"stats", "With the states of blocks and the numbers of messages.", PT_KIND_BOOL,
         .flags = PT_OPTION | PT_SENT},
	{"params", "With the blocks' parameters.", PT_KIND_BOOL, .flags = PT_OPTION | PT_SENT},
	{"text", "In text, as on a terminal.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"dot", "In Graphviz's language, as elsewhere.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"mermaid", "In Mermaid's language, which Markdown pages draw.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"output",
         "Write it to this file: a picture, if it ends in .svg, .png or .dot. - is standard "
         "output.",
         PT_KIND_PATH, .flags = PT_OPTION, .letter = 'o'},
	{NULL},
};

const struct pt_param health_rows[] = {
	{"engine", "Its name; without it, every engine.", PT_KIND_STRING},
	{"strict", "Warnings are faults, too.", PT_KIND_BOOL, .flags = PT_OPTION},
	{NULL},
};

const struct pt_param attach_rows[] = {
	{"engine[.block]", "An engine, or the one block to listen to.", PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{"names", "Put the block's name before each line.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"time", "Put the time before each line.", PT_KIND_BOOL, .flags = PT_OPTION},
	VERB_READY,
	{NULL},
};

const struct pt_param events_rows[] = {
	{"engine", "Whose events; without it, those of all.", PT_KIND_STRING},
	{"only", "Only these, and not first how things are: engine.state,block.error.",
         PT_KIND_CHOICE, .flags = PT_OPTION | PT_MANY, .choices = event_names},
	VERB_READY,
	{NULL},
};

const struct pt_param tap_rows[] = {
	{"engine.block", "The block to look at.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"filter", "Only packets that this capture filter matches: tcp port 443.", PT_KIND_STRING,
         .flags = PT_MANY | PT_SENT},
	{"time", "Put each one's time before it.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"write", "Write pcapng to this file instead; - is standard output.", PT_KIND_PATH,
         .flags = PT_OPTION, .letter = 'w'},
	CANAL,
	{"count", "End after so many messages.", PT_KIND_INT, .flags = PT_OPTION, .min = 1,
         .letter = 'n'},
	VERB_READY,
	{NULL},
};

const struct pt_param wireshark_rows[] = {
	{"engine.block", "The block to look at.", PT_KIND_STRING, .flags = PT_REQUIRED},
	{"args", "Further arguments for Wireshark, behind --.", PT_KIND_STRING, .flags = PT_MANY},
	{"program",
         "What to run: a wireshark gets -Slki -, a tshark -l -i -, any other program its arguments "
         "alone.",
         PT_KIND_STRING, .flags = PT_OPTION, .fallback = "wireshark"},
	CANAL,
	{NULL},
};

const struct pt_param extcap_verb_rows[] = {
	{"install", "Make the link in the folders where Wireshark looks for yours.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{NULL},
};

const struct pt_param send_rows[] = {
	TARGET,
	{"message", "What to send; without it, each line of standard input is a message.",
         PT_KIND_STRING, .flags = PT_MANY},
	{"high", "By the high exit of a block that has both.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"hex", "Messages are written as bytes in hex.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"base64", "Messages are written in base64.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"wait", "Return when programs that speak frames are done with them, too.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{NULL},
};

const struct pt_param target_rows[] = {
	TARGET,
	{NULL},
};

const struct pt_param recv_rows[] = {
	{"engine.block", "A block that keeps messages, as QueueSink does.", PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{"count", "How many messages.", PT_KIND_INT, .flags = PT_OPTION, .fallback = "1", .min = 1,
         .letter = 'n'},
	{"timeout", "How long to wait for them all; the exit status is 4 if fewer came.",
         PT_KIND_SECONDS, .flags = PT_OPTION, .fallback = "10"},
	{"follow", "Go on until Ctrl-C.", PT_KIND_BOOL, .flags = PT_OPTION},
	{NULL},
};

const struct pt_param load_rows[] = {
	{"file.lua", "The file; - reads standard input.", PT_KIND_PATH, .flags = PT_REQUIRED},
	{NULL},
};

const struct pt_param help_rows[] = {
	{"verb|type|method", "What to tell of; without it, an overview.", PT_KIND_STRING},
	{NULL},
};

const struct pt_param call_rows[] = {
	{"method", "As 'engine.show'; 'ptctl help METHOD' tells what it takes.", PT_KIND_STRING,
         .flags = PT_REQUIRED},
	{"params", "The parameters as a JSON object; - reads it from standard input.",
         PT_KIND_STRING},
	{NULL},
};

const struct pt_param proxy_rows[] = {
	{"many",
         "Carry any number of connections, and descriptors with them, in frames of ptctl's own.",
         PT_KIND_BOOL, .flags = PT_OPTION},
	{NULL},
};

const struct pt_param complete_rows[] = {
	{"words", "What stands behind ptctl, without quotes; the last is being typed.",
         PT_KIND_STRING, .flags = PT_MANY},
	{"line", "The line as it was typed into bash, up to the cursor, in place of words.",
         PT_KIND_STRING, .flags = PT_OPTION},
	{"word", "With --line: what bash takes for the word that is being typed.", PT_KIND_STRING,
         .flags = PT_OPTION},
	{NULL},
};
