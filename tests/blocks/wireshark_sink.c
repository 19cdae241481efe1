/* SPDX-License-Identifier: BSD-2-Clause */
/* WiresharkSink, with a shell in Wireshark's place. */
#include "base/buf.h"
#include "capture/capture.h"
#include "rig.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pipetool-XXXXXX";

/* A sink whose viewer runs this line; %s in it is the folder. */
static struct rig *viewing(const char *more, const char *line)
{
	char *arguments = must_printf("program='sh', args=['-c', '''%s'''], %s", line, more);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/pipetool-XXXXXX")));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkfifo("done", 0600), 0);
	struct rig *r = rig("WiresharkSink", arguments);
	free(arguments);
	return r;
}

static void end(struct rig *r)
{
	rig_end(r);
	unlink("done");
	unlink("seen");
	rmdir(folder);
}

/* Lets the loop turn until the block has ended by itself. */
static void wait_for_end(struct rig *r)
{
	while (!rig_block(r, "it")->exhausted)
		uv_run(&rig_engine(r)->loop, UV_RUN_ONCE);
	turn(r);
}

static uint64_t dropped(struct rig *r, const char *why)
{
	for (const struct gone *d = rig_block(r, "it")->count.gone; d->why; d++)
		if (!strcmp(d->why, why))
			return d->count;
	return 0;
}

/* The viewer opens it when it has all; so will whoever reads its output then. */
static void wait_for_viewer(void)
{
	int fd = open("done", O_RDONLY);
	char byte;
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
}

START_TEST(the_program_sees_the_stream)
{
	struct rig *r = viewing("linktype=1", "cat > seen; : > done");
	struct capture_reader *reader;
	struct pt_error err = PT_ERROR_INIT;
	struct pt_msg *seen[64];
	push_packet(r, "\x45xyz", 4, 101);
	push(r, LOW, "plain");
	ask(r, "stop", "{}");
	wait_for_viewer();
	ck_assert_int_eq(capture_reader_open("seen", &reader, &err), 0);
	for (unsigned n = 0; n < 2; n++)
		ck_assert_int_eq(
			capture_reader_next(reader, rig_engine(r)->pool, seen + n, 1, &err), 1);
	ck_assert_int_eq(seen[0]->link_type, 101);
	ck_assert_int_eq(seen[1]->link_type, 1);
	ck_assert_int_eq(memcmp(seen[1]->bytes, "plain", 5), 0);
	pt_msg_unref(seen[0]);
	pt_msg_unref(seen[1]);
	capture_reader_close(reader);
	end(r);
}
END_TEST

START_TEST(a_viewer_that_goes_takes_only_its_block_along)
{
	struct rig *r = viewing("", "exit 0");
	wait_for_end(r);
	push(r, LOW, "a");
	ck_assert_uint_eq(dropped(r, "viewer-closed"), 1);
	ck_assert_uint_eq(rig_block(r, "it")->count.errors, 0);
	ck_assert(!rig_block(r, "it")->failed);
	expect_report(r, "sh was closed");
	end(r);
}
END_TEST

START_TEST(a_viewer_that_fails_is_reported)
{
	struct rig *r = viewing("", "exit 5");
	while (!rig_block(r, "it")->failed)
		uv_run(&rig_engine(r)->loop, UV_RUN_ONCE);
	ck_assert_str_eq(rig_block(r, "it")->last_error, "sh ended with status 5");
	push(r, LOW, "a");
	ck_assert_uint_eq(dropped(r, "viewer-closed"), 1);
	end(r);
}
END_TEST

START_TEST(patience_has_an_end)
{
	/* It reads once somebody has written to `done`. */
	struct rig *r = viewing("limit=100000", "read -r _ < done; cat >/dev/null");
	char *text = must_calloc(1, 50001);
	memset(text, 'x', 50000);
	for (int i = 0; i < 6; i++) /* a pipe takes 64 KiB of it */
		push(r, LOW, text);
	ck_assert(rig_block(r, "it")->full);
	pass_time(r, 4.9);
	ck_assert(rig_block(r, "it")->full);
	pass_time(r, 0.2);
	ck_assert(!rig_block(r, "it")->full);
	push(r, LOW, text);
	ck_assert_uint_eq(dropped(r, "viewer-stalled"), 1);
	int fd = open("done", O_WRONLY);
	ck_assert_int_eq(write(fd, "\n", 1), 1);
	close(fd);
	while (rig_block(r, "it")->count.held) /* it reads on */
		uv_run(&rig_engine(r)->loop, UV_RUN_ONCE);
	push(r, LOW, "a");
	ck_assert_uint_eq(dropped(r, "viewer-stalled"), 1);
	end(r);
	free(text);
}
END_TEST

START_TEST(what_may_not_be_run_is_not)
{
	static const char *const programs[] = {"xterm", "wireshark", NULL};
	struct rig *r = rig("Sink", "");
	rig_engine(r)->limits.programs = programs;
	ck_assert_ptr_null(ask_change(r, "w = WiresharkSink(program='sh')"));
	ck_assert_str_eq(rig_kind(r), "not-permitted");
	unsetenv("DISPLAY");
	unsetenv("WAYLAND_DISPLAY");
	ck_assert_ptr_null(ask_change(r, "w = WiresharkSink()"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "no display"));
	rig_engine(r)->limits.programs = NULL;
	ck_assert_ptr_null(ask_change(r, "w = WiresharkSink(program='no-such-program')"));
	ck_assert_ptr_nonnull(strstr(rig_words(r), "there is no program 'no-such-program'"));
	rig_end(r);
}
END_TEST

UNIT_TESTS("blocks/wireshark_sink", the_program_sees_the_stream,
           a_viewer_that_goes_takes_only_its_block_along, a_viewer_that_fails_is_reported,
           patience_has_an_end, what_may_not_be_run_is_not)
