/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_spawn, and what must be said around it. */
#include "base/program.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { REAPER_STACK = 64 * 1024, ENDS = 5 };

bool program_is(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');
	return !strncmp(slash ? slash + 1 : program, name, strlen(name));
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);
	return value && *value;
}

bool program_has_display(void)
{
	return is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
}

bool program_is_there(const char *program)
{
	const char *path = getenv("PATH");
	char *folders = must_strdup(path ? path : "/usr/bin:/bin"), *rest = folders, *folder;
	bool found = strchr(program, '/') && !access(program, X_OK);
	while (!found && !strchr(program, '/') && (folder = strsep(&rest, ":"))) {
		char *file = must_printf("%s/%s", *folder ? folder : ".", program);
		found = !access(file, X_OK);
		free(file);
	}
	free(folders);
	return found;
}

const char *program_run_folder(void)
{
	const char *own = getenv("RUNTIME_DIRECTORY"), *users = getenv("XDG_RUNTIME_DIR");
	if (own && *own == '/' && !strchr(own, ':'))
		return own;
	return users && *users == '/' ? users : NULL;
}

/* ---- the words of a command ---- */

static void add_words(char ***argv, size_t *count, const char *const *words)
{
	for (; words && *words; words++) {
		*argv = must_realloc(*argv, *count + 2, sizeof **argv);
		(*argv)[(*count)++] = must_strdup(*words);
		(*argv)[*count] = NULL;
	}
}

char **program_viewer(const char *program, const char *const *args)
{
	static const char *const wireshark[] = {"-Slki", "-", NULL};
	static const char *const tshark[] = {"-l", "-i", "-", NULL};
	char **argv = NULL;
	size_t count = 0;
	add_words(&argv, &count, (const char *const[]){program, NULL});
	if (program_is(program, "wireshark"))
		add_words(&argv, &count, wireshark);
	else if (program_is(program, "tshark"))
		add_words(&argv, &count, tshark);
	add_words(&argv, &count, args);
	return argv;
}

/* The word that begins at *at, which then is behind it; false: a quote is not closed. */
static bool read_word(const char **at, struct buf *word)
{
	char quote = 0;
	for (; **at && (quote || !strchr(" \t\n", **at)); ++*at) {
		if (**at == quote)
			quote = 0;
		else if (!quote && (**at == '"' || **at == '\''))
			quote = **at;
		else if (**at == '\\' && quote != '\'' && (*at)[1] &&
		         (!quote || strchr("\"\\$`", (*at)[1])))
			buf_addc(word, *++*at);
		else
			buf_addc(word, **at);
	}
	return !quote;
}

char **program_words(const char *command, const char *path, struct pt_error *err)
{
	char **argv = must_calloc(1, sizeof *argv);
	size_t count = 0;
	bool good = true;
	while (good && *(command += strspn(command, " \t\n"))) {
		struct buf word = BUF_INIT;
		good = read_word(&command, &word);
		char *text = buf_steal(&word);
		add_words(&argv, &count, (const char *const[]){text, NULL});
		free(text);
	}
	if (good && count)
		return argv;
	texts_free(argv);
	pt_fail(err, -EINVAL, path,
	        good ? "there is no program in it" : "a quote of the command is not closed");
	return NULL;
}

/* ---- starting ---- */

/* The three are first put out of the way of one another. */
static int place(posix_spawn_file_actions_t *actions, const struct program_ends *ends, int *high)
{
	const int from[] = {ends->in, ends->out, ends->more, ends->err > 0 ? ends->err : -1,
	                    ends->also > 0 ? ends->also : -1};
	static const int to[ENDS] = {STDIN_FILENO, STDOUT_FILENO, 3, STDERR_FILENO, 4};
	int rc = 0;
	for (int i = 0; i < ENDS; i++) {
		high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, 10);
		if (from[i] >= 0 && high[i] < 0)
			return errno;
		if (high[i] >= 0 && !rc)
			rc = posix_spawn_file_actions_adddup2(actions, high[i], to[i]);
	}
	int first = ends->more < 0 ? 3 : ends->also > 0 ? 5 : 4;
	return rc ? rc : posix_spawn_file_actions_addclosefrom_np(actions, first);
}

static void reset_signals(posix_spawnattr_t *attributes, bool detached)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setflags(attributes,
	                         (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                                 (detached ? POSIX_SPAWN_SETSID : 0)));
}

/* Without what this process has to tell its service manager by. */
static char **environment(void)
{
	static const char notify[] = "NOTIFY_SOCKET=";
	size_t count = 0, kept = 0;
	while (environ && environ[count])
		count++;
	char **own = must_calloc(count + 1, sizeof *own);
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], notify, sizeof notify - 1) != 0)
			own[kept++] = environ[i];
	return own;
}

static void close_high(const int high[ENDS])
{
	for (int i = 0; i < ENDS; i++)
		if (high[i] >= 0)
			close(high[i]);
}

static int start(char *const *argv, const struct program_ends *ends, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **variables = environment();
	int high[ENDS] = {-1, -1, -1, -1, -1};
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	reset_signals(&attributes, ends->detached);
	int rc = place(&actions, ends, high);
	if (!rc)
		rc = posix_spawnp(pid, argv[0], &actions, &attributes, argv, variables);
	close_high(high);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free(variables);
	return rc;
}

/* Those for whom no thread could be had. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t *unreaped;
static size_t unreaped_count;

static void reap_ended(void)
{
	size_t left = 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < unreaped_count; i++)
		if (waitpid(unreaped[i], NULL, WNOHANG) == 0)
			unreaped[left++] = unreaped[i];
	unreaped_count = left;
	pthread_mutex_unlock(&lock);
}

static void reap_later(pid_t pid)
{
	pthread_mutex_lock(&lock);
	unreaped = must_realloc(unreaped, unreaped_count + 1, sizeof *unreaped);
	unreaped[unreaped_count++] = pid;
	pthread_mutex_unlock(&lock);
}

int program_start(char *const *argv, const struct program_ends *ends, const char *path, pid_t *pid,
                  struct pt_error *err)
{
	reap_ended();
	int rc = start(argv, ends, pid);
	if (rc == ENOENT) {
		pt_fail(err, -PT_EIO, path, "there is no program '%s'%s", argv[0],
		        strchr(argv[0], '/') ? "" : " in $PATH");
		return -PT_EIO;
	}
	return rc ? pt_fail(err, -rc, path, "cannot run '%s': %s", argv[0], error_words(rc)) : 0;
}

/* ---- the end ---- */

static void *wait_for(void *arg)
{
	pid_t pid = (pid_t)(intptr_t)arg;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return NULL;
}

void program_reap(pid_t pid)
{
	reap_ended();
	if (waitpid(pid, NULL, WNOHANG) == 0 &&
	    thread_start("who waits for a program", REAPER_STACK, wait_for, (void *)(intptr_t)pid,
	                 NULL, NULL))
		reap_later(pid);
}

/* Where there is no pidfd, it is looked at now and then. */
static bool ends_within(pid_t pid, int pidfd, int ms, int *status)
{
	enum { LOOK_MS = 10 };
	double until_s = clock_s() + ms / 1e3;
	struct pollfd ended = {pidfd, POLLIN, 0};
	while (!waitpid(pid, status, WNOHANG)) {
		if (clock_s() >= until_s)
			return false;
		poll(&ended, 1, pidfd < 0 && ms > LOOK_MS ? LOOK_MS : ms);
	}
	return true;
}

int program_end(pid_t pid, int patience_ms)
{
	int status = 0, pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	static const int signals[] = {SIGTERM, SIGKILL};
	bool ended = false;
	for (size_t i = 0; i < sizeof signals / sizeof *signals && !ended; i++)
		if (!(ended = ends_within(pid, pidfd, patience_ms, &status)))
			kill(pid, signals[i]);
	while (!ended && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		close(pidfd);
	return status;
}

char *program_fate(int status)
{
	if (WIFSIGNALED(status))
		return must_printf("was killed by signal %d", WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return must_printf("ended with status %d", WEXITSTATUS(status));
	return NULL;
}
