/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that can be typed. */
#include "ctl/verb.h"

#include "ctl/change.h"
#include <string.h>

const struct verb verbs[] = {
	{"create", "make an engine, with a graph if one is given",
         "All of it or nothing: if the graph is refused, or the start fails, there is no engine. "
         "Without PIPE and FILE the engine is empty.\n\n  ptctl create p 's = CLIFeeder(); s > "
         "Drain() > ConsoleSink()' --start",
         create_rows, VERB_GRAPH, .run = verb_create, .print = change_print, .done = change_done},
	{"destroy", "stop engines, flushing their sinks, and forget them", NULL, destroy_rows,
         VERB_GRAPH, .run = verb_destroy},
	{"add", "add blocks and links to an engine, also while it runs",
         "The text may link blocks that the engine has already. What is added to a running engine "
         "runs at once.\n\n  ptctl add p 'd1 > WrpcapSink(\"copy.pcap\")'",
         add_rows, VERB_GRAPH, .run = verb_add, .print = change_print, .done = change_done},
	{"remove", "take blocks out of an engine", NULL, remove_rows, VERB_GRAPH,
         .run = verb_remove, .print = change_print, .done = change_done},
	{"unlink", "take links out of an engine", NULL, unlink_rows, VERB_GRAPH, .run = verb_unlink,
         .print = change_print, .done = change_done},
	{"replace", "put another block in the place of one", NULL, replace_rows, VERB_GRAPH,
         .run = verb_replace, .print = change_print, .done = change_done},
	{"set", "give a block other parameters",
         "Parameters that 'ptctl help TYPE' shows as such can be set while the engine runs.\n\n  "
         "ptctl set p.sink rotate=\"{'size': '10MiB'}\"",
         set_rows, VERB_GRAPH, .run = verb_set, .print = change_print, .done = change_done},
	{"apply", "make an engine's graph what the text says, touching only what differs",
         "What `ptctl export` prints changes nothing. --dry-run prints the operations that lead "
         "there.\n\n  ptctl export p > p.pipe; edit p.pipe; ptctl apply p -f p.pipe --dry-run",
         apply_rows, VERB_GRAPH, .run = verb_apply, .print = change_print, .done = change_done},
	{"export", "print an engine's graph in the pipe language",
         "What it prints makes the same graph again: 'ptctl create q -f FILE'.", engine_rows,
         VERB_GRAPH, .method = "engine.show", .print = print_export},
	{"save", "write an engine's graph into its file of engines.d",
         "ptctl writes it, with your rights. Lines that make what the graph has still stay as they "
         "are, with their comments; what is new comes at the end. From then on the engine is the "
         "file's: it is made of it at each start of the daemon. With another FILE it is only "
         "written.\n\n  ptctl save p p.pipe",
         save_rows, VERB_GRAPH, .run = verb_save, .print = print_save, .one_host = true},
	{"log", "show who changed engines' graphs, when and how",
         "The oldest first, with its starts and stops, and starts that were refused. 'ptctl undo "
         "ENGINE REVISION' brings a graph back.",
         log_rows, VERB_GRAPH, .run = verb_log, .print = print_log},
	{"diff", "tell what differs between two graphs of an engine",
         "Prints the operations that lead from one to the other; behind those that set or replace "
         "something stands what was before. The exit status is 9 if there are any, else 0. 'ptctl "
         "diff p' tells what the last change did, 'ptctl diff p 3' what 'ptctl undo p 3' would do, "
         "and 'ptctl diff p 3 5' what leads from revision 3 to 5.",
         diff_rows, VERB_GRAPH, .method = "engine.diff", .print = change_print_diff,
         .done = change_diff_done},
	{"undo", "bring back the graph of an earlier revision, as a new one",
         "Touches only what differs, also while the engine runs. Undoing again goes further back.",
         undo_rows, VERB_GRAPH, .method = "engine.undo", .print = change_print,
         .done = change_done},
	{"confirm", "let stay what was done with --confirm", NULL, confirm_rows, VERB_GRAPH,
         .method = "engine.confirm", .print = print_confirm},
	{"fleet", "keep the engines of many hosts as a folder of graphs says", fleet_help,
         fleet_rows, VERB_GRAPH, .run = verb_fleet, .one_host = true},
	{"start", "start an engine, or what has failed in one that runs", NULL, engine_rows,
         VERB_RUNNING, .method = "engine.start", .print = print_notes},
	{"stop", "stop an engine: sources first, then sinks are flushed", NULL, stop_rows,
         VERB_RUNNING, .run = verb_stop},
	{"wait", "wait until an engine or a block is in a state",
         "Prints the state that came. An engine has failed if it could not be started, or if a "
         "block has; it is exhausted when every block that nothing leads to is, and drained when "
         "moreover no block holds a message. 'gone' is what is not there.\n\n  ptctl wait lab "
         "running\n  ptctl wait p stopped failed --timeout 60",
         wait_rows, VERB_RUNNING, .run = verb_wait, .print = print_wait},
	{"run", "run a graph until its sources are exhausted",
         "Makes an engine for just this, starts it, prints what its console sinks print, waits "
         "until every source is exhausted and every sink flushed, or every sink has failed, prints "
         "what its queues hold as 'ptctl recv' would, and destroys it. Ctrl-C stops it cleanly, "
         "and so does a reader of standard output that is gone; when ptctl is gone, however that "
         "came, so is the engine. On a terminal a line shows how far it is. The last line on "
         "standard error says what became of everything: how many messages the sources sent, how "
         "many the sinks took, each copy of a fan-out once, how many were filtered, how many "
         "were dropped, where and why, and what a valve still held. The exit status is 1 if a "
         "block failed or anything was dropped. With -j the last line of standard output is the "
         "engine's last stats. Capture files are opened by ptctl and handed to the daemon, so "
         "they are read and written with your own rights, also where their names come only later "
         "(globs, follow, fields, rotate: the folder is lent whole meanwhile; with -H with the "
         "daemon's, over there; but /dev/stdin, /dev/stdout and the like are always ptctl's "
         "own).\n\n  ptctl run --private "
         "'RdpcapSource(\"in.pcap\") > WrpcapSink(\"out.pcapng\")'",
         run_rows, VERB_RUNNING, .run = verb_run, .streams = true},
	{"list", "list the engines with their states",
         "STATE: 'failed' should run and could not be started: why stands below, and it is "
         "tried again. KEPT: whether it is there again after a restart of the daemon; 'file' is "
         "one of engines.d, 'file, differs' one that is not as its file has it.",
         list_rows, VERB_LOOKING, .run = verb_list},
	{"show", "show an engine's graph and states, or all about one block", NULL, show_rows,
         VERB_LOOKING, .run = verb_show},
	{"stats", "count messages on every block and link",
         "What comes in goes out, is held, is filtered, as the graph was told to, or is dropped, "
         "which means lost; the last two for a reason ('ptctl help reasons'). A difference would "
         "be a fault, and is shown as unexplained. With --watch -j, one JSON document a line.",
         stats_rows, VERB_LOOKING, .run = verb_stats},
	{"graph", "draw an engine's graph",
         "Low links are blue, high links purple and triggers red. Without -o it is drawn in text "
         "on a terminal, and printed in dot elsewhere. For .svg and .png, dot of the graphviz "
         "package is run.",
         graph_rows, VERB_LOOKING, .run = verb_graph, .print = print_graph},
	{"metrics", "print the counts of all engines for Prometheus and its like",
         "In the text format of OpenMetrics. The text file collector of Prometheus' node "
         "exporter takes it from a file.\n\n  "
         "ptctl metrics > pipetool.prom",
         NULL, VERB_LOOKING, .method = "daemon.metrics", .print = print_metrics},
	{"health", "tell what does not run as it should",
         "Prints a line for each fault: an engine that should run and does not, one that is not as "
         "its file says, a block that has failed. The exit status is 1 if there is any, else 0. "
         "Behind them stand warnings: what has dropped messages or had errors since it was "
         "started, and what takes nothing while a source waits for it.",
         health_rows, VERB_LOOKING, .run = verb_health, .print = print_health},
	{"attach", "show what the console sinks of an engine print, until Ctrl-C",
         "With -j each piece is a JSON object on a line.", attach_rows, VERB_LOOKING,
         .run = verb_attach, .streams = true},
	{"events", "show what happens, until Ctrl-C",
         "First how things are, then each change of an engine or a block: who changed a graph, "
         "what failed, what was dropped. With -j each is a JSON object on a line, the first "
         "holding the state.",
         events_rows, VERB_LOOKING, .run = verb_events, .streams = true},
	{"tap", "show what leaves a block, live, until Ctrl-C",
         "Shows what leaves the block by its exits, or enters it if it has none, and changes "
         "nothing. Prints as ConsoleSink does, one message a line; with -j each is a JSON object "
         "on a line, with its bytes, time and link type. The tap goes with the block's name, and "
         "ends when the block is removed; where the daemon ends first, the exit status is 3. Who "
         "reads too slowly misses messages, never holds up the engine, and is told how many: on "
         "standard error, or in the file's interface statistics.\n\n  ptctl tap lab.d1 -w - | "
         "tcpdump -nr -",
         tap_rows, VERB_LOOKING, .run = verb_tap, .streams = true},
	{"top", "a screen of engines, or of an engine's blocks, until q",
         "What runs, how much of it, and what holds it up: in and out a second, bits a second, "
         "what was filtered, dropped (red) and is held, CPU time, and WAITS FOR, the full sinks "
         "and closed valves that hold sources back. Above it, what came in during the last minute; "
         "below, what is wrong with the row that is selected. r b d h c n sort, Enter goes into an "
         "engine and Esc out of it, / filters, ? tells the keys, q ends. Where there is no "
         "terminal, or with -b, rounds are printed as text, with what is wrong behind each row; "
         "with -j each is a JSON document on a line.\n\n  "
         "ptctl top -b -n 1 --sort drops",
         top_rows, VERB_LOOKING, .run = verb_top, .one_host = true},
	{"trace", "tell what becomes of the next message, block by block",
         "Follows the next messages that leave the engine's sources, or the block, and tells of "
         "each, when all its copies have come to rest, what every block that it came to has done "
         "with it: passed, changed (the fields that are others now), filtered, dropped or error "
         "(why), held, delivered; and of what was held before, released. Below a block stands "
         "what it sent the message to, and with ^ what it triggered meanwhile. What a block makes "
         "by itself is not followed. An engine that is stopped may be traced, too: what comes when "
         "it is started.\n\n  ptctl trace lab -n 3",
         trace_rows, VERB_LOOKING, .run = verb_trace, .streams = true},
	{"wireshark", "show what leaves a block in Wireshark, on this side",
         "Runs Wireshark here, fed from a tap, which changes nothing in the engine, and ends when "
         "Wireshark is closed. The daemon may be elsewhere and have no display.\n\n  ptctl "
         "wireshark lab.d1 -- -Y tcp",
         wireshark_rows, VERB_LOOKING, .run = verb_wireshark, .one_host = true},
	{"extcap", "have Wireshark list every block among its interfaces",
         "With --install, links named pipetool are made to this ptctl, once for each user; the "
         "package has made one for all. Then Wireshark, tshark and dumpcap know an interface "
         "pipetool:ENGINE.BLOCK for each block of a running engine, and 'pipetool', whose options "
         "take --host, --socket and --block. Without --install it prints them, as Wireshark reads "
         "them.\n\n  ptctl extcap",
         extcap_verb_rows, VERB_LOOKING, .run = verb_extcap, .print = print_extcap,
         .one_host = true},
	{"send", "send messages into the graph from a feeder",
         "Returns when the messages have gone through the graph, or tells how many wait for it: "
         "while the engine is stopped, or a sink is full, they wait in the block, in order. "
         "Several "
         "messages are taken together or not at all; lines of standard input are sent as they "
         "come.\n\n  ptctl send p.s foo 'i like potato'\n  tail -f "
         "/var/log/syslog | ptctl send p.s",
         send_rows, VERB_FEEDING, .run = verb_send},
	{"close", "tell a feeder that nothing more will be sent, cut a pipe's connection", NULL,
         target_rows, VERB_FEEDING, .method = "block.close"},
	{"trigger", "trigger a block, as a trigger link would", NULL, target_rows, VERB_FEEDING,
         .method = "block.trigger"},
	{"recv", "take messages out of a queue",
         "Prints one message a line, its bytes as they are. With -j each is a JSON object on a "
         "line, with its canal, and for packets with time and link type. Bytes that are not text "
         "are not printed on a terminal.",
         recv_rows, VERB_FEEDING, .run = verb_recv},
	{"types", "list the block types", "'ptctl help TYPE' tells all about one.", NULL, VERB_REST,
         .method = "type.list", .print = print_types},
	{"load", "add block types that are written in Lua",
         "The daemon checks the file and adds all of its types, or none. Those that were loaded "
         "before under the same names are replaced for blocks that are made from now on; 'ptctl "
         "replace' gives the new type to a running block. It is kept over a restart of the daemon; "
         "what is in blocks.d comes after it.\n\n  ptctl load mine.lua && ptctl help Mine",
         load_rows, VERB_REST, .run = verb_load, .print = print_load},
	{"help", "tell of a verb, a block type or a method of the daemon",
         "'reasons' lists why messages do not go on.\n\n  ptctl help TriggeredValve\n  ptctl help "
         "send\n  ptctl help engine.change\n  ptctl help reasons",
         help_rows, VERB_REST, .run = verb_help},
	{"call", "call a method of the daemon by its name",
         "  ptctl call engine.show '{\"engine\": \"p\"}'", call_rows, VERB_REST, .run = verb_call,
         .print = print_call},
	{"proxy", "pass standard input and output to and from the control socket",
         "The socket for whoever comes by ssh. It ends when either side does, and when nobody "
         "reads its output any more. With --many it is what `ptctl -H HOST` runs on the other "
         "side.\n\n  ssh host ptctl proxy",
         proxy_rows, VERB_REST, .run = verb_proxy, .one_host = true},
	{NULL},
};

static const struct verb hidden = {
	"complete",
	"tell shells what could be typed next",
	"Prints a candidate a line: the word, a tab, a description, and a tab and + where more "
	"belongs to the word. A line ':files' says that the word is a file's name, for the shell "
	"to complete.\n\n  ptctl complete -- create p 'TCP'",
	complete_rows,
	VERB_REST,
	.run = verb_complete};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return strcmp(name, hidden.name) ? NULL : &hidden;
}

struct argv verb_argv(const struct verb *verb)
{
	return (struct argv){"ptctl", verb ? verb->name : NULL, verb ? verb->params : NULL,
	                     verb_globals};
}
