/* SPDX-License-Identifier: BSD-2-Clause */
/* Where servers are, and who one is to them. */
#ifndef NATS_WHO_H
#define NATS_WHO_H

#include <pipetool/outside.h>

/* Lies in a block's state, and is read by rows of its table. */
struct who_params {
	char *url, *credentials;
	struct who_tls {
		char *ca, *cert, *key;
	} tls;
};

#define WHO_URL(type, field)                                                                      \
	{                                                                                         \
		"url", "The servers, one or several with commas; no passwords: see credentials.", \
			PT_STRING(type, field.url), .fallback = "nats://127.0.0.1:4222"           \
	}
#define WHO_CREDENTIALS(type, field)                                                         \
	{                                                                                    \
		"credentials",                                                               \
			"A file that says who it is: a .creds file, or lines with user and " \
			"password, or with token.",                                          \
			PT_PATH(type, field.credentials), .fallback = "None"                 \
	}
#define WHO_TLS(type, field)                                                                      \
	{                                                                                         \
		"tls",                                                                            \
			"Encrypts, as tls:// does: files of whom to trust (ca, else as the "      \
			"system does), and of one's own certificate (cert and key).",             \
			PT_OBJECT(type, field.tls), .fallback = "None", .members = who_tls_params \
	}
extern const struct pt_param who_tls_params[];

/* Of what is not a list of servers, or has a password in it. In `init`. */
int who_check(const struct who_params *, struct pt_error *);

struct __natsOptions;

/* "a, tls://b:4223" → "nats://a", "tls://b:4223"; to be freed by texts_free. */
char **who_servers(const char *url, unsigned *count);
/* Reads the files that the parameters name, in the folders of base/path.h. */
int who_set(const char *const *folders, const struct who_params *, struct __natsOptions *,
            struct pt_error *);
/* Of one's own, for as long as they are needed. */
struct who_params who_copy(const struct who_params *);
void who_free(struct who_params *);

#endif
