/* SPDX-License-Identifier: BSD-2-Clause */
/* TermSink: messages as lines, on a terminal of its own. */
#include <pipetool/outside.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/program.h"
#include "base/quote.h"
#include "base/thread.h"
#include "net/viewer.h"
#include "packet/packet.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT      (8 * 1024 * 1024)
#define CONNECT_MS 5000 /* for the terminal to begin reading */
#define LOOK_NS    5000000

/* Run in the terminal: $1 is its title, $2 the file to read; what is left open then waits for a
   key. */
#define READ "if [ -n \"$2\" ]; then cat <\"$2\"; else cat <&3; fi\n"
#define WAIT                                               \
	"printf '\\n[%s has ended: press a key]' \"$1\"\n" \
	"stty -icanon -echo 2>/dev/null; dd bs=1 count=1 >/dev/null 2>&1\n"

struct term {
	struct viewer viewer;
	bool keepterm, newlines, openearly;
	char *terminal;
	uint64_t limit;
	struct buf line; /* kept from message to message */
	char *attach;    /* how to see a tmux window; NULL: it is a window on a display */

	/* Without openearly: a thread of its own opens the terminal. */
	pthread_t thread;
	bool opening, asked;
	int code;
	struct pt_error err;
};

static int init(struct pt_block *b, struct pt_error *err)
{
	struct term *t = pt_state(b);
	t->limit = LIMIT;
	viewer_init(&t->viewer, b, &t->limit);
	bool display = program_has_display();
	t->viewer.name = display ? t->terminal : "tmux";
	return pt_may_run(b, "terminal", t->viewer.name, err);
}

/* ---- a window on the display: [worker] ---- */

static int open_window(struct pt_block *b, struct pt_error *err)
{
	struct term *t = pt_state(b);
	static const char *const no_words[] = {NULL};
	const char *const titled[] = {"-title", pt_name(b), NULL};
	const char *const *title = program_is(t->terminal, "xterm") ? titled : no_words;
	const char *argv[12] = {t->terminal};
	size_t count = 1;
	while (*title)
		argv[count++] = *title++;
	const char *const command[] = {"-e", "sh",       "-c", t->keepterm ? READ WAIT : READ,
	                               "sh", pt_name(b), ""};
	memcpy(argv + count, command, sizeof command);
	return viewer_open(&t->viewer, (char *const *)(uintptr_t)argv, VIEWER_THREE, "terminal",
	                   err);
}

/* ---- a window of tmux: [worker] ---- */

/* A folder that is ours alone, with a FIFO in it, through which the terminal gets its text. */
static char *make_fifo(struct pt_error *err)
{
	const char *run = program_run_folder();
	char *folder = must_printf("%s/pipetool-XXXXXX", run ? run : "/tmp");
	char *path = mkdtemp(folder) ? must_printf("%s/text", folder) : NULL;
	if (!path || mkfifo(path, 0600)) {
		pt_fail(err, -errno, NULL, "no FIFO in '%s': %s", folder, error_words(errno));
		rmdir(folder);
		free(path);
		path = NULL;
	}
	free(folder);
	return path;
}

/* Both sides have it open, or never will. */
static void remove_fifo(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	free(path);
}

static int connect_fifo(const char *path, struct pt_error *err)
{
	const struct timespec pause = {0, LOOK_NS};
	for (int n = 0; n < CONNECT_MS * 1000000LL / LOOK_NS; n++) {
		int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	return pt_fail(err, -ETIMEDOUT, "terminal",
	               "tmux has made a window, and nothing reads in it");
}

/* The server of this daemon: where it listens, and the option that says so. */
static char *server_of(const char **option)
{
	const char *run = program_run_folder();
	*option = run ? "-S" : "-L";
	return run ? must_printf("%s/pipetool-tmux-%d", run, (int)getpid())
	           : must_printf("pipetool-%d", (int)getpid());
}

/* Runs tmux to its end; *session is what it prints. */
static int run_tmux(char *const *argv, char *session, size_t room, struct pt_error *err)
{
	int ends[2], status = 0, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	if (null < 0 || pipe2(ends, O_CLOEXEC)) {
		pt_fail(err, -errno, NULL, "no pipe: %s", error_words(errno));
		if (null >= 0)
			close(null);
		return -PT_EIO;
	}
	const struct program_ends places = {
		.in = null, .out = ends[1], .more = -1, .detached = true};
	int rc = program_start(argv, &places, "terminal", &pid, err);
	close(null);
	close(ends[1]);
	ssize_t n = rc ? 0 : read(ends[0], session, room - 1);
	close(ends[0]);
	if (rc)
		return rc;
	session[n > 0 ? n : 0] = '\0';
	session[strcspn(session, "\n")] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	char *fate = program_fate(status);
	if (fate)
		rc = pt_fail(err, -PT_EIO, "terminal", "tmux makes no window: it %s", fate);
	free(fate);
	return rc;
}

static int open_tmux(struct pt_block *b, struct pt_error *err)
{
	struct term *t = pt_state(b);
	char session[64] = "", *fifo = make_fifo(err);
	const char *option;
	if (!fifo)
		return -PT_EIO;
	char *server = server_of(&option);
	const char *argv[] = {"tmux",
	                      option,
	                      server,
	                      "new-session",
	                      "-d",
	                      "-P",
	                      "-F",
	                      "#{session_name}",
	                      "-n",
	                      pt_name(b),
	                      "sh",
	                      "-c",
	                      t->keepterm ? READ WAIT : READ,
	                      "sh",
	                      pt_name(b),
	                      fifo,
	                      NULL};
	int fd = -1, rc = run_tmux((char *const *)(uintptr_t)argv, session, sizeof session, err);
	if (!rc)
		rc = fd = connect_fifo(fifo, err);
	if (fd >= 0) {
		viewer_open_fd(&t->viewer, fd);
		free(t->attach);
		t->attach = must_printf("tmux %s %s attach -t %s", option, server, session);
	}
	remove_fifo(fifo);
	free(server);
	return rc < 0 ? rc : 0;
}

static int no_terminal(struct pt_error *err)
{
	pt_fail(err, -PT_ESTATE, "terminal", "the daemon has neither a display nor tmux");
	pt_hint(err, "install tmux, or let a ConsoleSink print and 'ptctl attach' show it, or "
	             "'ptctl tap ENGINE.BLOCK' what leaves a block");
	return -PT_ESTATE;
}

static int open_terminal(struct pt_block *b, struct pt_error *err)
{
	if (program_has_display())
		return open_window(b, err);
	return program_is_there("tmux") ? open_tmux(b, err) : no_terminal(err);
}

/* ---- handing over ---- */

static char *key_of(const struct term *t)
{
	return must_printf("terminal %s%s", t->viewer.name, t->keepterm ? " kept" : "");
}

/* One that is being opened is no other block's yet. */
static void carry(struct pt_block *b, struct pt_carry *carry)
{
	struct term *t = pt_state(b);
	viewer_carry(&t->viewer, carry, key_of(t));
}

static void take_over(struct pt_block *b, struct pt_block *old)
{
	struct term *t = pt_state(b), *before = pt_state(old);
	if (!t->viewer.taken_over)
		return;
	viewer_take_over(&t->viewer, &before->viewer);
	t->attach = before->attach;
	before->attach = NULL;
}

/* ---- life ---- */

static int open_sink(struct pt_block *b, struct pt_error *err)
{
	struct term *t = pt_state(b);
	free(t->attach);
	t->attach = NULL;
	if (viewer_carried(&t->viewer, key_of(t)))
		return 0;
	if (!program_has_display() && !program_is_there("tmux"))
		return no_terminal(err);
	return t->openearly ? open_terminal(b, err) : 0;
}

static void begun(struct pt_block *b)
{
	struct term *t = pt_state(b);
	if (t->attach)
		pt_note(b, "%s", t->attach);
}

static void start(struct pt_block *b)
{
	struct term *t = pt_state(b);
	t->asked = t->viewer.taken_over;
	viewer_start(&t->viewer);
	begun(b);
}

static void *open_late(void *arg)
{
	struct pt_block *b = arg;
	struct term *t = pt_state(b);
	t->code = open_terminal(b, &t->err);
	pt_wake(b);
	return NULL;
}

static void open_aside(struct pt_block *b)
{
	struct term *t = pt_state(b);
	struct pt_error err = PT_ERROR_INIT; /* t->err is the thread's */
	int rc = thread_start("what opens the terminal", 0, open_late, b, &t->thread, &err);
	t->opening = !rc;
	if (rc)
		viewer_fail(&t->viewer, rc, pt_error_text(&err, "no thread"));
	pt_error_clear(&err);
}

static void join(struct term *t)
{
	if (t->opening)
		pthread_join(t->thread, NULL);
	t->opening = false;
}

static void woken(struct pt_block *b)
{
	struct term *t = pt_state(b);
	if (!t->opening)
		return;
	join(t);
	if (t->code) {
		viewer_fail(&t->viewer, t->code, pt_error_text(&t->err, "no terminal"));
	} else {
		viewer_begin(&t->viewer);
		begun(b);
	}
	pt_error_clear(&t->err);
}

static void show(struct buf *line, const struct pt_msg *m)
{
	char summary[512];
	if (pt_msg_is_packet(m)) {
		packet_summary(m, summary, sizeof summary);
		buf_adds(line, summary);
	} else {
		quote_harmless(line, (const char *)m->bytes, m->length);
	}
}

static void push(struct pt_block *b, enum pt_canal canal, struct pt_msg *m)
{
	struct term *t = pt_state(b);
	if (!t->openearly && !t->asked) {
		t->asked = true;
		open_aside(b);
	}
	buf_clear(&t->line);
	show(&t->line, m);
	if (t->newlines)
		buf_addc(&t->line, '\n');
	struct pt_msg *line = pt_msg_new(pt_pool(b), t->line.data, t->line.length);
	if (!line) {
		pt_drop(b, m, "memory");
		return;
	}
	pt_msg_unref(m);
	viewer_push(&t->viewer, &line, 1);
}

static void stop(struct pt_block *b)
{
	struct term *t = pt_state(b);
	if (t->opening)
		viewer_stop_early(&t->viewer);
	else
		viewer_stop(&t->viewer);
}

static int close_sink(struct pt_block *b, struct pt_error *err)
{
	struct term *t = pt_state(b);
	bool late = t->opening;
	join(t);
	int rc = viewer_close(&t->viewer, err);
	if (rc && late && t->code)
		pt_fail(err, t->code, NULL, "%s", pt_error_text(&t->err, ""));
	pt_error_clear(&t->err);
	return rc;
}

static void fini(struct pt_block *b)
{
	struct term *t = pt_state(b);
	viewer_fini(&t->viewer);
	buf_free(&t->line);
	free(t->attach);
}

static const struct pt_type term_sink = {
	.api = PT_API,
	.name = "TermSink",
	.summary = "Prints the messages of both canals on a terminal of their own",
	.help = "Text as it is, but for what could drive the terminal, and packets as summaries, "
		"in an xterm on the daemon's display; where there is no display in a window of "
		"tmux: `ptctl show` and the log tell how to attach to it. It may be closed at any "
		"time: what comes then is dropped, and the engine goes on.",
	.picture = "     +-------+\n"
		   "  >>-|--.    |\n"
		   "     | print |\n"
		   "   >-|--'    |\n"
		   "     +-------+\n",
	.examples = (const char *const[]){"CLIFeeder() > TermSink()",
                                          "CLIFeeder() > TermSink(keepterm=False, "
                                          "openearly=False)",
                                          NULL},
	.role = PT_SINK,
	.ports = PT_LOW_ENTRY | PT_HIGH_ENTRY,
	.params =
		(const struct pt_param[]){
			{"keepterm",
                         "When the engine stops, keeps the terminal open until a key is pressed.",
                         PT_BOOL(struct term, keepterm), "true"},
			{"newlines", "Ends each message with a newline.",
                         PT_BOOL(struct term, newlines), "true", .flags = PT_LIVE},
			{"openearly",
                         "Opens the terminal when the engine starts, not with the first message.",
                         PT_BOOL(struct term, openearly), "true"},
			{"terminal",
                         "The terminal's program on a display; it takes a command behind -e.",
                         PT_STRING(struct term, terminal), "xterm"},
			{NULL}},
	.size = sizeof(struct term),
	.init = init,
	.open = open_sink,
	.carry = carry,
	.take_over = take_over,
	.start = start,
	.push = push,
	.woken = woken,
	.stop = stop,
	.close = close_sink,
	.fini = fini,
};

PT_TYPES(term_sink, &term_sink);
