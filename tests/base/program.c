/* SPDX-License-Identifier: BSD-2-Clause */
/* What is typed to run a viewer, and how it starts and ends. */
#include "base/program.h"

#include "base/buf.h"
#include "threads.h"
#include "unit.h"
#include <fcntl.h>
#include <string.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_viewer(const char *program, const char *const *args, const char *wanted)
{
	char **argv = program_viewer(program, args);
	struct buf line = BUF_INIT;
	for (char **word = argv; *word; word++)
		buf_addf(&line, "%s%s", word == argv ? "" : " ", *word);
	ck_assert_str_eq(line.data, wanted);
	buf_free(&line);
	texts_free(argv);
}

START_TEST(a_viewer_is_told_to_read_its_input)
{
	const char *const args[] = {"-Y", "tcp", NULL};
	expect_viewer("wireshark", NULL, "wireshark -Slki -");
	expect_viewer("/opt/bin/wireshark-4", args, "/opt/bin/wireshark-4 -Slki - -Y tcp");
	expect_viewer("tshark", args, "tshark -l -i - -Y tcp");
	expect_viewer("/tmp/script", args, "/tmp/script -Y tcp");
	expect_viewer("wire", NULL, "wire");
}
END_TEST

START_TEST(a_display_is_one_variable_or_the_other)
{
	unsetenv("DISPLAY");
	unsetenv("WAYLAND_DISPLAY");
	ck_assert(!program_has_display());
	setenv("DISPLAY", "", 1);
	ck_assert(!program_has_display());
	setenv("WAYLAND_DISPLAY", "wayland-0", 1);
	ck_assert(program_has_display());
}
END_TEST

START_TEST(programs_are_found_as_they_will_be_run)
{
	ck_assert(program_is_there("sh"));
	ck_assert(program_is_there("/bin/sh"));
	ck_assert(!program_is_there("no-such-program"));
	ck_assert(!program_is_there("/etc/passwd"));
	setenv("PATH", "/no/such/folder", 1);
	ck_assert(!program_is_there("sh"));
	setenv("PATH", "/bin:/usr/bin", 1);
}
END_TEST

/* Runs a line of shell: its descriptor 3 is `more`, 4 is `also`, and what it prints comes back. */
static char *shell_with(const char *line, int more, int also, int *status)
{
	char *argv[] = {must_strdup("sh"), must_strdup("-c"), must_strdup(line), NULL};
	struct buf text = BUF_INIT;
	int ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	const struct program_ends places = {
		.in = null, .out = ends[1], .more = more, .detached = true, .also = also};
	ck_assert_int_eq(program_start(argv, &places, NULL, &pid, NULL), 0);
	close(ends[1]);
	close(null);
	for (ssize_t n; (n = read(ends[0], buf_reserve(&text, 100), 100)) > 0;)
		text.length += (size_t)n;
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, status, 0), pid);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
	if (text.data)
		text.data[text.length] = '\0';
	return buf_steal(&text);
}

static char *shell(const char *line, int more, int *status)
{
	return shell_with(line, more, 0, status);
}

START_TEST(it_gets_its_descriptors_and_no_others)
{
	int status, ends[2];
	ck_assert_int_eq(pipe(ends), 0); /* not closed on exec */
	ck_assert_int_eq(write(ends[1], "three\n", 6), 6);
	char *text = shell("read x <&3; echo $x; ls /proc/$$/fd", ends[0], &status);
	ck_assert_str_eq(text, "three\n0\n1\n2\n3\n");
	free(text);
	text = shell("ls /proc/$$/fd", -1, &status);
	ck_assert_str_eq(text, "0\n1\n2\n");
	free(text);
	text = shell_with("echo four >&4; ls /proc/$$/fd", ends[0], ends[1], &status);
	ck_assert_str_eq(text, "0\n1\n2\n3\n4\n");
	free(text);
	text = shell("read x <&3; echo $x", ends[0], &status);
	ck_assert_str_eq(text, "four\n");
	free(text);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(it_cannot_speak_to_the_service_manager)
{
	int status;
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	setenv("NOTIFY_SOCKETS", "2", 1);
	char *text = shell("echo ${NOTIFY_SOCKET-none} $NOTIFY_SOCKETS", -1, &status);
	ck_assert_str_eq(text, "none 2\n");
	ck_assert_str_eq(getenv("NOTIFY_SOCKET"), "/run/notify");
	free(text);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("NOTIFY_SOCKETS");
}
END_TEST

START_TEST(its_fate_is_told_in_words)
{
	int status;
	free(shell("exit 3", -1, &status));
	char *fate = program_fate(status);
	ck_assert_str_eq(fate, "ended with status 3");
	free(fate);
	free(shell("kill -9 $$", -1, &status));
	fate = program_fate(status);
	ck_assert_str_eq(fate, "was killed by signal 9");
	free(fate);
	free(shell(":", -1, &status));
	ck_assert_ptr_null(program_fate(status));
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
	char name[] = "no-such-program", *argv[] = {name, NULL};
	const struct program_ends places = {.in = 0, .out = 1, .more = -1};
	struct pt_error err = PT_ERROR_INIT;
	pid_t pid;
	ck_assert_int_eq(program_start(argv, &places, "program", &pid, &err), -PT_EIO);
	ck_assert_str_eq(err.faults[0].message, "there is no program 'no-such-program' in $PATH");
	ck_assert_str_eq(err.faults[0].path, "program");
	pt_error_clear(&err);
}
END_TEST

/* The line prints one when it is ready. Also where no descriptor is left to wait with. */
static void expect_end(const char *line, int patience_ms, bool any_left, const char *wanted)
{
	char *argv[] = {must_strdup("sh"), must_strdup("-c"), must_strdup(line), NULL}, byte;
	struct rlimit before, now;
	pid_t pid;
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	const struct program_ends places = {.in = 0, .out = ends[1], .more = -1};
	ck_assert_int_eq(program_start(argv, &places, NULL, &pid, NULL), 0);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = (struct rlimit){any_left ? before.rlim_cur : 1, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	char *fate = program_fate(program_end(pid, patience_ms));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_str_eq(fate, wanted);
	close(ends[0]);
	close(ends[1]);
	free(fate);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
}

START_TEST(an_end_is_waited_for)
{
	for (int left = 0; left < 2; left++) {
		expect_end("echo; sleep 0.1; exit 3", 60000, left, "ended with status 3");
		expect_end("trap 'exit 4' TERM; echo; while :; do sleep 0.01; done", 1000, left,
		           "ended with status 4");
		expect_end("trap '' TERM; echo; while :; do sleep 0.01; done", 50, left,
		           "was killed by signal 9");
	}
}
END_TEST

/* The last, as the process is another user's from then on. */
START_TEST(without_a_thread_it_is_reaped_later)
{
	char name[] = "cat", *argv[] = {name, NULL};
	int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	siginfo_t how;
	pid_t pid;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	const struct program_ends places = {.in = ends[0], .out = null, .more = -1};
	ck_assert_int_eq(program_start(argv, &places, NULL, &pid, NULL), 0);
	set_threads(false);
	program_reap(pid);
	set_threads(true);
	close(ends[0]);
	close(ends[1]); /* its input ends, and so does it */
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &how, WEXITED | WNOWAIT), 0);
	int status;
	free(shell(":", -1, &status));
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	close(null);
}
END_TEST

UNIT_TESTS("base/program", a_viewer_is_told_to_read_its_input,
           a_display_is_one_variable_or_the_other, programs_are_found_as_they_will_be_run,
           it_gets_its_descriptors_and_no_others, it_cannot_speak_to_the_service_manager,
           its_fate_is_told_in_words, what_is_not_there_is_said, an_end_is_waited_for,
           without_a_thread_it_is_reaped_later)
