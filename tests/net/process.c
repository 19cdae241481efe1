/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that are started, where the kernel says no. */
#include "net/process.h"

#include "unit.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <pipetool/error.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Of this thread alone. */
static void refuse_pidfds(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMFILE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void *start_unwatched(void *arg)
{
	char program[] = "cat", *const argv[] = {program, NULL};
	struct process c = {.pid = 0};
	struct pt_error err = PT_ERROR_INIT;
	refuse_pidfds();
	process_init(&c, NULL, NULL);
	ck_assert_int_eq(process_open(&c, argv, "command", &err), -EMFILE);
	ck_assert_ptr_nonnull(strstr(pt_error_text(&err, ""), "'cat'"));
	ck_assert(c.pid == 0 && c.in == -1 && c.out == -1 && c.errors == -1);
	pt_error_clear(&err);
	return NULL;
}

START_TEST(one_whose_end_would_not_be_noticed_is_ended_and_told)
{
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, start_unwatched, NULL), 0);
	pthread_join(thread, NULL);
	while (waitpid(-1, NULL, WNOHANG) != -1) /* somebody waits for it */
		sched_yield();
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

UNIT_TESTS("net/process", one_whose_end_would_not_be_noticed_is_ended_and_told)
