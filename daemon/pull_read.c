/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder, its list of sums, and its signature, which ssh-keygen knows to be good or not. */
#include "daemon/pull_read.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNATURE FOLDER_SUMS ".sig"
#define SIGNER    "pipetool" /* what keys of no name are called */

enum { TEXT_MAX = 1024 * 1024, SAID_MAX = 64 * 1024, PATIENCE_MS = 10000 };

/* ---- ssh-keygen ---- */

/* To be read from its beginning; -1 and the fault. */
static int file_of(const struct buf *text, struct pt_error *err)
{
	int fd = memfd_create("fleet", MFD_CLOEXEC);
	if (fd >= 0 && !io_write(fd, text->data, text->length) && !lseek(fd, 0, SEEK_SET))
		return fd;
	pt_fail(err, -PT_ELIMIT, NULL, "no memory for a file: %s", error_words(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What is signed, who may have done so, and the signature: as they were read. */
struct seal {
	const struct buf *sums;
	struct buf signers, signature;
};

/* `sums` is its input, the others are its descriptors 3 and 4. Its exit status, and what it has
   said. */
static int run(const char *const *argv, const struct seal *seal, struct buf *said,
               struct pt_error *err)
{
	static const struct buf nothing = {.data = (char *)(uintptr_t) ""};
	int fds[] = {file_of(seal->sums, err), file_of(&seal->signers, err),
	             file_of(&seal->signature, err), file_of(&nothing, err)};
	const struct program_ends ends = {fds[0], fds[3], fds[1], fds[3], true, fds[2]};
	pid_t pid;
	int code = 0;
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		code = fds[i] < 0 ? -PT_ELIMIT : code;
	if (!code)
		code = program_start((char *const *)(uintptr_t)argv, &ends, NULL, &pid, err);
	if (!code) {
		code = program_end(pid, PATIENCE_MS);
		if (lseek(fds[3], 0, SEEK_SET) || io_read(fds[3], SAID_MAX, said))
			buf_clear(said);
	}
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return code;
}

static bool is_key(const char *line)
{
	static const char *const kinds[] = {"ssh-", "ecdsa-", "sk-"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strncmp(line, kinds[i], strlen(kinds[i])))
			return strchr(line, ' ');
	return false;
}

/* As ssh-keygen wants it: keys without a name get one. */
static int read_signers(const char *key, struct buf *signers, struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int code = 0;
	if (is_key(key))
		buf_adds(&text, key);
	else
		code = io_read_file(key, O_NONBLOCK, TEXT_MAX, &text);
	if (code)
		pt_fail(err, code, NULL, "[fleet] key: cannot read '%s': %s", key,
		        error_words(code));
	for (char *line = text.data, *next; !code && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		buf_addf(signers, "%s%s\n", is_key(line) ? SIGNER " " : "", line);
	}
	buf_free(&text);
	return code;
}

static int refuse(int status, const struct buf *said, struct pt_error *err)
{
	const char *words = said->length ? said->data : "";
	char *fate = program_fate(status);
	pt_fail(err, -PT_EPERMITTED, NULL, SIGNATURE ": this is no signature by [fleet] key: %.*s",
	        (int)strcspn(words, "\r\n"),
	        *words ? words
	        : fate ? fate
	               : "nobody is named");
	free(fate);
	return -PT_EPERMITTED;
}

static int verify(const struct seal *seal, struct pt_error *err)
{
	struct buf said = BUF_INIT;
	const char *const find[] = {"ssh-keygen", "-Y", "find-principals", "-s",
	                            "/dev/fd/4",  "-f", "/dev/fd/3",       NULL};
	size_t faults = err->count;
	int status = run(find, seal, &said, err);
	if (!status && said.length) {
		char *who = must_printf("%.*s", (int)strcspn(said.data, ",\r\n"), said.data);
		const char *const check[] = {"ssh-keygen", "-Y", "verify", "-s", "/dev/fd/4", "-f",
		                             "/dev/fd/3",  "-I", who,      "-n", "file",      NULL};
		buf_clear(&said);
		status = run(check, seal, &said, err);
		free(who);
	} else if (!status) {
		status = -1;
	}
	int code = err->count > faults ? err->faults[faults].code
	           : status            ? refuse(status, &said, err)
	                               : 0;
	buf_free(&said);
	return code;
}

static int check_signed(const char *folder, const char *key, const struct buf *sums,
                        struct pt_error *err)
{
	struct seal seal = {.sums = sums};
	char *path = must_printf("%s/" SIGNATURE, folder);
	int code = io_read_file(path, O_NONBLOCK, TEXT_MAX, &seal.signature);
	if (code)
		pt_fail(err, code, NULL,
		        SIGNATURE ": %s; with [fleet] key the folder must be signed",
		        error_words(code));
	else if (!(code = read_signers(key, &seal.signers, err)))
		code = verify(&seal, err);
	buf_free(&seal.signers);
	buf_free(&seal.signature);
	free(path);
	return code;
}

/* ---- the folder ---- */

/* -ENOENT: there is none. */
static int read_sums(const char *folder, struct buf *sums, struct pt_error *err)
{
	char *path = must_printf("%s/" FOLDER_SUMS, folder);
	int code = io_read_file(path, O_NONBLOCK, TEXT_MAX, sums);
	if (!code && !utf8_is_text(sums->data, sums->length))
		code = -EILSEQ;
	if (code && code != -ENOENT)
		pt_fail(err, code, NULL, FOLDER_SUMS " cannot be read: %s", error_words(code));
	free(path);
	return code;
}

/* The names of links are followed once, so that all of it is of one folder. */
int pull_read(const char *from, const char *key, struct folder *folder, bool *whole,
              struct pt_error *err)
{
	struct buf sums = BUF_INIT;
	char *path = realpath(from, NULL);
	*folder = (struct folder){.files = NULL};
	*whole = false;
	int code = path ? folder_read(path, folder, err)
	                : pt_fail(err, -errno, NULL, "cannot read the folder '%s': %s", from,
	                          error_words(errno));
	int listed = code ? code : read_sums(path, &sums, err);
	if (!listed)
		code = folder_check_sums(folder, sums.data, err);
	else if (!code && listed != -ENOENT)
		code = listed;
	else if (!code && key)
		code = pt_fail(err, listed, NULL,
		               "there is no " FOLDER_SUMS
		               "; with [fleet] key the folder must be signed");
	if (!code && key)
		code = check_signed(path, key, &sums, err);
	*whole = !code && !listed;
	buf_free(&sums);
	free(path);
	return code;
}
