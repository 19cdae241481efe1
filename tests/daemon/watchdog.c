/* SPDX-License-Identifier: BSD-2-Clause */
/* The watchdog: fed while every engine lives; names the one that does not. Engines are made up. */
#include "daemon/watchdog.h"

#include "base/log.h"
#include "daemon/catalog.h"
#include "daemon/engines.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PERIOD_MS = 40 };

static uv_loop_t loop;
static struct watchdog *watchdog;
static int notified = -1;
static char folder[] = "/tmp/pipetool-watchdog-XXXXXX", path[64];
static char named[64]; /* the engine of the last line that was logged */
static bool hung;      /* and that it hangs */
static struct {
	const char *name;
	uint64_t pulse;
	bool lives;
} made_up[3];
static size_t count;
static unsigned looks; /* since meals were counted */

size_t engines_count(const struct engines *engines)
{
	looks++;
	return count;
}

void engines_pulses(struct engines *engines,
                    void (*each)(void *arg, const char *name, uint64_t pulse), void *arg)
{
	for (size_t i = 0; i < count; i++)
		each(arg, made_up[i].name, made_up[i].pulse += made_up[i].lives);
}

static bool take(enum log_level level, const struct log_about *about, const char *line)
{
	snprintf(named, sizeof named, "%s", about->engine);
	hung = about->event && !strcmp(about->event, CATALOG_ENGINE_HUNG);
	return true;
}

/* How often it was fed since the last time this was asked: at each look, or never. */
static unsigned meals(void)
{
	char message[256];
	unsigned n = 0;
	for (ssize_t got; (got = recv(notified, message, sizeof message - 1, MSG_DONTWAIT)) > 0;) {
		message[got] = '\0';
		n += !strcmp(message, "WATCHDOG=1");
	}
	return n;
}

static void expect_fed(void)
{
	unsigned expected = looks;
	looks = 0;
	ck_assert_uint_gt(expected, 0);
	ck_assert_uint_eq(meals(), expected);
}

static void expect_hungry(void)
{
	ck_assert_uint_gt(looks, 0);
	looks = 0;
	ck_assert_uint_eq(meals(), 0);
}

static void add(const char *name)
{
	made_up[count].name = name;
	made_up[count].pulse = 0;
	made_up[count++].lives = true;
}

static void look(void)
{
	uv_run(&loop, UV_RUN_ONCE);
}

static void begin(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	count = looks = 0;
	named[0] = '\0';
	log_set_taker(take);
	strcpy(folder + sizeof folder - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/notify", folder);
	strcpy(address.sun_path, path);
	notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(notified, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	watchdog = watchdog_new(&loop, NULL, PERIOD_MS);
}

static void end(void)
{
	watchdog_free(watchdog);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	close(notified);
	unlink(path);
	rmdir(folder);
	unsetenv("NOTIFY_SOCKET");
	log_set_taker(NULL);
}

START_TEST(while_all_live_it_is_fed)
{
	begin();
	look();
	expect_fed(); /* without any engine, too */
	add("a");
	add("b");
	for (int i = 0; i < 5; i++)
		look();
	expect_fed();
	ck_assert_str_eq(named, "");
	end();
}
END_TEST

START_TEST(one_that_stands_still_is_named_once)
{
	struct buf names = BUF_INIT;
	begin();
	add("a");
	add("b");
	add("c");
	look();
	expect_fed();
	made_up[1].lives = false;
	while (!*named)
		look();
	expect_hungry();
	ck_assert_str_eq(named, "b");
	ck_assert(hung);
	ck_assert_uint_eq(watchdog_hung(watchdog, &names), 1);
	ck_assert_str_eq(names.data, "b");
	named[0] = '\0';
	look();
	look();
	ck_assert_str_eq(named, "");
	expect_hungry();
	buf_free(&names);
	end();
}
END_TEST

START_TEST(one_that_goes_on_is_forgiven)
{
	struct buf names = BUF_INIT;
	begin();
	add("a");
	look();
	expect_fed();
	made_up[0].lives = false;
	while (!*named)
		look();
	expect_hungry();
	made_up[0].lives = true;
	look();
	ck_assert_str_eq(named, "a");
	ck_assert(!hung);
	ck_assert_uint_eq(watchdog_hung(watchdog, &names), 0);
	expect_fed();
	buf_free(&names);
	end();
}
END_TEST

START_TEST(engines_come_and_go)
{
	begin();
	add("a");
	add("m");
	look();
	made_up[0] = made_up[1];
	count = 1;
	add("z");
	look();
	look();
	expect_fed();
	count = 0;
	add("m"); /* another of that name: its pulse begins anew */
	look();
	expect_fed();
	ck_assert_str_eq(named, "");
	end();
}
END_TEST

START_TEST(nobody_watches)
{
	ck_assert_ptr_null(watchdog_new(&loop, NULL, 0));
	unsetenv("WATCHDOG_USEC");
	ck_assert_uint_eq(watchdog_period_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	ck_assert_uint_eq(watchdog_period_ms(), 30000);
	setenv("WATCHDOG_PID", "1", 1); /* somebody else's */
	ck_assert_uint_eq(watchdog_period_ms(), 0);
}
END_TEST

UNIT_TESTS("daemon/watchdog", while_all_live_it_is_fed, one_that_stands_still_is_named_once,
           one_that_goes_on_is_forgiven, engines_come_and_go, nobody_watches)
