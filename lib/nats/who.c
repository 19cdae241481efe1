/* SPDX-License-Identifier: BSD-2-Clause */
/* URLs, credentials and certificates. */
#include "nats/who.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/io.h"
#include "base/path.h"
#include <errno.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST (256 * 1024)
#define BLANKS    " \t\r"

/* clang-format off */
const struct pt_param who_tls_params[] = {
	{"ca", "Certificates of those who are trusted.", PT_PATH(struct who_tls, ca),
	 .fallback = "None"},
	{"cert", "One's own certificate.", PT_PATH(struct who_tls, cert), .fallback = "None"},
	{"key", "Its private key.", PT_PATH(struct who_tls, key), .fallback = "None"},
	{NULL},
};
/* clang-format on */

/* ---- servers ---- */

static char *server_of(const char *at, size_t length)
{
	size_t before = strspn(at, BLANKS);
	before = before < length ? before : length;
	at += before;
	length -= before;
	while (length && strchr(BLANKS, at[length - 1]))
		length--;
	bool told = memmem(at, length, "://", 3);
	return must_printf("%s%.*s", told ? "" : "nats://", (int)length, at);
}

char **who_servers(const char *url, unsigned *count)
{
	char **servers = must_calloc(strlen(url) + 2, sizeof *servers);
	*count = 0;
	for (const char *at = url;; at++) {
		size_t length = strcspn(at, ",");
		servers[(*count)++] = server_of(at, length);
		at += length;
		if (!*at)
			return servers;
	}
}

static int check_server(const char *server, struct pt_error *err)
{
	const char *host = strstr(server, "://") + 3;
	if (strchr(host, '@')) { /* which is not told: a password may stand before it */
		pt_fail(err, -EINVAL, "url", "says who one is, and would be shown to everybody");
		pt_hint(err, "write that into a file, in lines such as 'user = me' and 'password "
		             "= …', and name it as credentials");
		return -EINVAL;
	}
	if ((strncmp(server, "nats://", 7) && strncmp(server, "tls://", 6)) || !*host ||
	    strpbrk(host, BLANKS "/"))
		return pt_fail(err, -EINVAL, "url",
		               "'%s' is no server: write 'nats://HOST:PORT', or 'tls://…'", server);
	return 0;
}

int who_check(const struct who_params *params, struct pt_error *err)
{
	unsigned count;
	char **servers = who_servers(params->url, &count);
	int rc = 0;
	for (unsigned i = 0; i < count && !rc; i++)
		rc = check_server(servers[i], err);
	texts_free(servers);
	if (!rc && !params->tls.cert != !params->tls.key)
		rc = pt_fail(err, -EINVAL, params->tls.cert ? "tls.key" : "tls.cert",
		             "cert and key belong together");
	return rc;
}

static char *copy_of(const char *text)
{
	return text ? must_strdup(text) : NULL;
}

struct who_params who_copy(const struct who_params *from)
{
	return (struct who_params){.url = copy_of(from->url),
	                           .credentials = copy_of(from->credentials),
	                           .tls = {.ca = copy_of(from->tls.ca),
	                                   .cert = copy_of(from->tls.cert),
	                                   .key = copy_of(from->tls.key)}};
}

void who_free(struct who_params *params)
{
	free(params->url);
	free(params->credentials);
	free(params->tls.ca);
	free(params->tls.cert);
	free(params->tls.key);
}

/* ---- files ---- */

static int read_file(const char *const *folders, const char *param, const char *path,
                     struct buf *text, struct pt_error *err)
{
	int fd = path_open(folders, path, O_RDONLY, 0);
	if (fd < 0)
		return path_read_failed(folders, param, path, fd, err);
	int rc = io_read(fd, FILE_MOST, text);
	close(fd);
	if (rc)
		return pt_fail(err, rc, param, "cannot read '%s': %s", path, error_words(rc));
	buf_adds(text, "");
	return 0;
}

struct said {
	char *user, *password, *token;
};

/* "user = me", "user: me" or "user me". */
static char **place_of(struct said *said, const char *line, const char **value)
{
	const struct {
		const char *word;
		char **place;
	} words[] = {{"user", &said->user}, {"password", &said->password}, {"token", &said->token}};
	for (unsigned i = 0; i < 3; i++) {
		size_t length = strlen(words[i].word);
		if (strncmp(line, words[i].word, length) || !strchr(BLANKS "=:", line[length]))
			continue;
		*value = line + length + strspn(line + length, BLANKS "=:");
		return words[i].place;
	}
	return NULL;
}

static int read_line(struct said *said, char *line, const char *path, struct pt_error *err)
{
	const char *value;
	line += strspn(line, BLANKS);
	size_t length = strlen(line);
	while (length && strchr(BLANKS, line[length - 1]))
		line[--length] = 0;
	if (!*line || *line == '#')
		return 0;
	char **place = place_of(said, line, &value);
	if (!place)
		return pt_fail(err, -EINVAL, "credentials",
		               "'%s' is no .creds file, and has a line that is not 'user = …', "
		               "'password = …' or 'token = …'",
		               path);
	free(*place);
	*place = must_strdup(value);
	return 0;
}

static int set_said(natsOptions *options, char *text, const char *path, struct pt_error *err)
{
	struct said said = {NULL, NULL, NULL};
	char *rest = text;
	int rc = 0;
	for (char *line; !rc && (line = strsep(&rest, "\n"));)
		rc = read_line(&said, line, path, err);
	if (!rc && !said.token && !said.user)
		rc = pt_fail(err, -EINVAL, "credentials", "'%s' names neither user nor token",
		             path);
	if (!rc && said.token)
		natsOptions_SetToken(options, said.token);
	else if (!rc)
		natsOptions_SetUserInfo(options, said.user, said.password);
	free(said.user);
	free(said.password);
	free(said.token);
	return rc;
}

/* The library reads a .creds file each time that it connects by itself. */
static int set_credentials(const char *const *folders, const char *path, natsOptions *options,
                           struct pt_error *err)
{
	struct buf text = BUF_INIT;
	int rc = read_file(folders, "credentials", path, &text, err);
	if (!rc && strstr(text.data, "BEGIN NATS USER JWT")) {
		natsStatus s = natsOptions_SetUserCredentialsFromFiles(options, path, NULL);
		if (s != NATS_OK)
			rc = pt_fail(err, -EINVAL, "credentials", "cannot use '%s': %s", path,
			             natsStatus_GetText(s));
	} else if (!rc) {
		rc = set_said(options, text.data, path, err);
	}
	buf_free(&text);
	return rc;
}

static int tls_failed(const char *param, const char *path, natsStatus s, struct pt_error *err)
{
	const char *words = nats_GetLastError(NULL);
	if (s == NATS_OK)
		return 0;
	return pt_fail(err, -EINVAL, param, "cannot use '%s': %s", path,
	               words && *words ? words : natsStatus_GetText(s));
}

static int set_tls(const char *const *folders, const struct who_tls *tls, natsOptions *options,
                   struct pt_error *err)
{
	struct buf ca = BUF_INIT, cert = BUF_INIT, key = BUF_INIT;
	int rc = 0;
	if (tls->ca)
		rc = read_file(folders, "tls.ca", tls->ca, &ca, err);
	if (!rc && tls->cert)
		rc = read_file(folders, "tls.cert", tls->cert, &cert, err);
	if (!rc && tls->key)
		rc = read_file(folders, "tls.key", tls->key, &key, err);
	if (!rc && (tls->ca || tls->cert))
		rc = tls_failed("tls", "tls", natsOptions_SetSecure(options, true), err);
	if (!rc && tls->ca)
		rc = tls_failed("tls.ca", tls->ca,
		                natsOptions_SetCATrustedCertificates(options, ca.data), err);
	if (!rc && tls->cert)
		rc = tls_failed("tls.cert", tls->cert,
		                natsOptions_SetCertificatesChain(options, cert.data, key.data),
		                err);
	buf_free(&ca);
	buf_free(&cert);
	buf_free(&key);
	return rc;
}

int who_set(const char *const *folders, const struct who_params *params, natsOptions *options,
            struct pt_error *err)
{
	int rc = params->credentials ? set_credentials(folders, params->credentials, options, err)
	                             : 0;
	return rc ? rc : set_tls(folders, &params->tls, options, err);
}
