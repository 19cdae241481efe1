/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of sentences in braces, and a tap into Wireshark's pipe. */
#include "ctl/extcap.h"

#include "base/error.h"
#include "base/json.h"
#include "base/path.h"
#include "ctl/out.h"
#include "paths.h"
#include "script/filter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One that is configured: which daemon, and which block. */
#define ELSEWHERE "pipetool"

const struct pt_param extcap_rows[] = {
	{"extcap_interfaces", "List them.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"extcap_version", "Wireshark's.", PT_KIND_STRING, .flags = PT_OPTION},
	{"extcap_interface", "Which of them.", PT_KIND_STRING, .flags = PT_OPTION},
	{"extcap_dlts", "Tell its link types.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"extcap_config", "Tell its options.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"extcap_reload_option", "Of a list that is read again.", PT_KIND_STRING,
         .flags = PT_OPTION},
	{"extcap_capture_filter", "What to capture, or to check.", PT_KIND_STRING,
         .flags = PT_OPTION},
	{"extcap_cleanup_postkill", "Nothing stays of one that was killed.", PT_KIND_BOOL,
         .flags = PT_OPTION},
	{"extcap_control_in", "Where Wireshark's tool bar speaks.", PT_KIND_PATH,
         .flags = PT_OPTION},
	{"extcap_control_out", "Where it listens.", PT_KIND_PATH, .flags = PT_OPTION},
	{"capture", "Begin.", PT_KIND_BOOL, .flags = PT_OPTION},
	{"fifo", "Where the packets go.", PT_KIND_PATH, .flags = PT_OPTION},
	{"block", "The block to look at: ENGINE.BLOCK.", PT_KIND_STRING, .flags = PT_OPTION},
	{NULL},
};

bool extcap_calls(int count, char *const *words)
{
	for (int i = 0; i < count && strcmp(words[i], "--"); i++)
		if (!strncmp(words[i], "--extcap-", 9) || !strcmp(words[i], "--capture"))
			return true;
	return false;
}

/* ---- sentences ---- */

static void add_value(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "{%s=", key);
	for (; *value; value++)
		if (strchr("{}\\\n", *value))
			buf_addf(b, *value == '\n' ? " " : "\\%c", *value);
		else
			buf_addc(b, *value);
	buf_addc(b, '}');
}

static void add_interface(struct buf *b, const char *value, const char *display)
{
	buf_adds(b, "interface ");
	add_value(b, "value", value);
	add_value(b, "display", display);
	buf_addc(b, '\n');
}

static void add_blocks(struct ctl *ctl, struct buf *b, const char *engine)
{
	struct pt_error err = PT_ERROR_INIT;
	json_t *shown = NULL;
	ctl_call(ctl, "engine.show", json_pack("{s:s}", "engine", engine), &shown, &err);
	json_each (block, json_object_get(shown, "blocks")) {
		char *value = must_printf(ELSEWHERE ":%s.%s", engine, text_of(block, "name"));
		char *display = must_printf("%s.%s: %s", engine, text_of(block, "name"),
		                            text_of(block, "type"));
		add_interface(b, value, display);
		free(value);
		free(display);
	}
	json_decref(shown);
	pt_error_clear(&err); /* gone meanwhile */
}

/* Without a daemon there is the one that can be told where one is. */
static int list(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	struct buf b = BUF_INIT;
	json_t *engines = NULL;
	buf_adds(&b, "extcap {version=" PIPETOOL_VERSION "}{display=pipetool}\n");
	add_interface(&b, ELSEWHERE, "pipetool: a block of another host, or behind another socket");
	ctl_call(ctl, "engine.list", NULL, &engines, &err);
	json_each (engine, json_object_get(engines, "engines")) {
		const char *state = text_of(engine, "state");
		if (!strcmp(state, "running") || !strcmp(state, "draining"))
			add_blocks(ctl, &b, text_of(engine, "engine"));
	}
	pt_error_clear(&err);
	json_decref(engines);
	out_buf(&b);
	return EXIT_DONE;
}

/* What comes says by itself what it is, for it is pcapng. */
static int tell_link_types(void)
{
	static const char text[] = "dlt {number=1}{name=EN10MB}{display=As the packets say}\n";
	out_print(text, sizeof text - 1);
	return EXIT_DONE;
}

static int tell_options(const char *interface)
{
	static const char text[] =
		"arg {number=0}{call=--host}{display=Host}{type=string}"
		"{tooltip=The daemon of another host, through ssh: user@host}{group=Daemon}\n"
		"arg {number=1}{call=--socket}{display=Socket}{type=string}"
		"{tooltip=The daemon's control socket, if it is not where it usually is}"
		"{group=Daemon}\n"
		"arg {number=2}{call=--block}{display=Block}{type=string}{required=true}"
		"{validation=^.+\\.[A-Za-z_][A-Za-z0-9_]*$}"
		"{tooltip=Whose messages to show: engine.block}{group=Daemon}\n";
	if (!strcmp(interface, ELSEWHERE))
		out_print(text, sizeof text - 1);
	return EXIT_DONE;
}

/* What is wrong with it is what is printed. */
static int check_filter(const char *filter)
{
	struct pt_error err = PT_ERROR_INIT;
	struct filter *compiled = NULL;
	if (filter_new(filter, &compiled, &err)) {
		out_print(err.faults[0].message, strlen(err.faults[0].message));
		out_print("\n", 1);
	}
	filter_free(compiled);
	pt_error_clear(&err);
	return EXIT_DONE;
}

/* ---- capturing ---- */

static const char *block_of(const struct ctl *ctl, const char *interface)
{
	static const char own[] = ELSEWHERE ":";
	return strncmp(interface, own, sizeof own - 1) ? ctl_text(ctl, "block")
	                                               : interface + sizeof own - 1;
}

/* As `ptctl tap BLOCK FILTER -w FIFO` does. */
static int capture(struct ctl *ctl, const char *interface, struct pt_error *err)
{
	const char *block = block_of(ctl, interface), *fifo = ctl_text(ctl, "fifo");
	const char *filter = ctl_text(ctl, "extcap_capture_filter");
	if (!block || !*block)
		return pt_fail(err, -PT_EREQUEST, NULL,
		               "which block? '--block ENGINE.BLOCK' is missing");
	if (!fifo)
		return pt_fail(err, -PT_EREQUEST, NULL, "'--fifo' is missing");
	ctl->verb = verb_find("tap");
	json_object_set_new(ctl->values, "engine.block", json_string(block));
	json_object_set_new(ctl->values, "write", json_string(fifo));
	if (filter && *filter)
		json_object_set_new(ctl->values, "filter", json_pack("[s]", filter));
	return ctl_take_target(ctl, err);
}

static void take_daemon(struct ctl *ctl)
{
	const char *host = ctl_text(ctl, "host"), *socket = ctl_text(ctl, "socket");
	ctl->host = host && *host ? host : NULL;
	ctl->socket = socket && *socket ? socket : NULL;
	ctl->timeout_s = ctl->patience_s;
}

int extcap_run(struct ctl *ctl, int count, char *const *words)
{
	const struct argv argv = {"ptctl", NULL, extcap_rows, verb_globals};
	struct pt_error err = PT_ERROR_INIT;
	if (argv_read(&argv, count, words, ctl->values, &err))
		return ctl_refused(ctl, &err);
	take_daemon(ctl);
	if (ctl_flag(ctl, "extcap_interfaces"))
		return list(ctl);
	if (ctl_flag(ctl, "extcap_cleanup_postkill"))
		return EXIT_DONE;
	const char *interface = ctl_text(ctl, "extcap_interface");
	if (!interface)
		pt_fail(&err, -PT_EREQUEST, NULL, "'--extcap-interface' is missing");
	else if (ctl_flag(ctl, "extcap_dlts"))
		return tell_link_types();
	else if (ctl_flag(ctl, "extcap_config"))
		return tell_options(interface);
	else if (!ctl_flag(ctl, "capture") && ctl_text(ctl, "extcap_capture_filter"))
		return check_filter(ctl_text(ctl, "extcap_capture_filter"));
	else if (!capture(ctl, interface, &err))
		return verb_tap(ctl);
	return ctl_refused(ctl, &err);
}

/* ---- the link ---- */

static int make_link(const char *program, const char *path, struct pt_error *err)
{
	char there[4096];
	ssize_t length = readlink(path, there, sizeof there);
	if (length > 0 && (size_t)length == strlen(program) &&
	    !memcmp(there, program, strlen(program)))
		return 0;
	int code = path_make_folders(NULL, path, 0755);
	if (!code && length > 0 && unlink(path))
		code = -errno;
	if (!code && symlink(program, path))
		code = -errno;
	if (!code)
		return 0;
	return pt_fail(err, -EIO, NULL, "cannot make the link '%s': %s", path, error_words(code));
}

/* Wireshark looks into the first since 4.2, into the other before. */
static void find_folders(char *folders[2], const char *home)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	folders[0] = must_printf("%s/.local/lib/wireshark/extcap", home);
	folders[1] = config && *config == '/' ? must_printf("%s/wireshark/extcap", config)
	                                      : must_printf("%s/.config/wireshark/extcap", home);
}

static int install(json_t *links, struct pt_error *err)
{
	const char *home = getenv("HOME");
	char *program = realpath("/proc/self/exe", NULL), *folders[2];
	int code = 0;
	if (!home || *home != '/' || !program) {
		free(program);
		return pt_fail(err, -EIO, NULL, "where is the personal folder? $HOME is not set");
	}
	find_folders(folders, home);
	for (size_t i = 0; i < 2; i++) {
		char *path = must_printf("%s/" ELSEWHERE, folders[i]);
		code = code ? code : make_link(program, path, err);
		json_array_append_new(links, json_string(path));
		free(path);
		free(folders[i]);
	}
	free(program);
	return code;
}

void print_extcap(struct ctl *ctl, struct buf *b, json_t *result)
{
	json_each (link, json_object_get(result, "links"))
		buf_addf(b, "%s\n", json_string_value(link));
}

int verb_extcap(struct ctl *ctl)
{
	struct pt_error err = PT_ERROR_INIT;
	if (!ctl_flag(ctl, "install"))
		return list(ctl);
	json_t *links = json_array();
	int code = install(links, &err);
	return ctl_end(ctl, code, json_pack("{s:o}", "links", links), &err);
}
