/* SPDX-License-Identifier: BSD-2-Clause */
/* A parameter: one row of a constant table, for a block type, a control method or a ptctl verb. */
#ifndef PIPETOOL_PARAM_H
#define PIPETOOL_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
struct pt_func;

/* Bytes that a user gave: owned by the structure that they were read into. */
struct pt_bytes {
	uint8_t *data;
	size_t length;
};

/* A file that a user named, or handed over as a descriptor: see pt_open_file in block.h. */
struct pt_file {
	char *path; /* NULL: None; of a descriptor, what to call it */
	int fd;     /* -1: there is none; PT_FD_GONE: it was handed to an earlier daemon */
	const char *const *folders; /* the one that was handed over for it; NULL: none */
};

/* Files that a user named: several, or what globs match (path_expand). */
struct pt_files {
	struct pt_file *items;
	size_t count;
};

#define PT_FD_GONE (-2) /* also what a PT_KIND_FD reads as then */

/* A message that a user gave. */
struct pt_given {
	struct pt_bytes bytes;
	int64_t time_ns;
	bool is_text, is_packet; /* only a packet has what follows */
	uint16_t link_type;
	uint32_t wire_length; /* 0: that of its bytes */
};

struct pt_given_list {
	struct pt_given *items;
	size_t count;
};

/* The kinds of value, what a user writes, and the C type that it is read into. */
enum pt_kind {
	PT_KIND_BOOL = 1,  /* true false                             bool */
	PT_KIND_INT,       /* 42                                     int64_t */
	PT_KIND_NUMBER,    /* 1.5                                    double */
	PT_KIND_SIZE,      /* 4096 "64MiB" "10k": bytes              uint64_t */
	PT_KIND_SECONDS,   /* 0.5 "100ms" "5m"                       double */
	PT_KIND_STRING,    /* "text"                                 char * */
	PT_KIND_PATH,      /* "file"                                 char * */
	PT_KIND_FILE,      /* "file", or {"fd": 0} as below; PT_READ or PT_WRITE   struct pt_file */
	PT_KIND_CHOICE,    /* one of .choices                        int, its index */
	PT_KIND_BYTES,     /* "text" b'\xff' {"hex": …} {"base64": …}   struct pt_bytes */
	PT_KIND_MESSAGE,   /* the same, or what block.recv gave      struct pt_given */
	PT_KIND_MESSAGES,  /* one of the above, or a list of them    struct pt_given_list */
	PT_KIND_STRINGS,   /* "a" or ["a", "b"], of .choices if it has   char **, ends with NULL */
	PT_KIND_TRANSFORM, /* a Lua expression, see pipetool-language(7)   struct pt_func * */
	PT_KIND_PREDICATE, /* the same, for a yes or no              struct pt_func * */
	PT_KIND_LINKTYPE,  /* 1 "EN10MB" None                        int, -1 for None */
	PT_KIND_FD,        /* 0 or {"fd": 0}: a descriptor that came with the request; "name" or
	                      {"fd": "name"}: that the daemon was started with (FDNAME)   int */
	PT_KIND_OBJECT,    /* {…}: .members, offsets from this member's own   a struct */
	PT_KIND_LIST,      /* [{…}, …], each as .members             struct json_t * */
	PT_KIND_VARIANTS,  /* [{"op": …}, …], each as its row of .members   struct json_t * */
	PT_KIND_JSON,      /* anything                               struct json_t * */
	PT_KIND_FILTER,    /* "tcp port 443", as a predicate         struct pt_func * */
	PT_KIND_FILES,     /* a FILE, a glob, or a list of them; PT_READ   struct pt_files */
	PT_KIND_RATE,      /* "10Mbit": bits a second                double */
};

enum pt_param_flag {
	PT_REQUIRED = 1, /* has no default */
	PT_LIVE = 2,     /* `ptctl set` changes it in place while the engine runs */
	PT_OPTION = 4,   /* of a ptctl verb: --name, not a positional argument */
	PT_MANY = 8,     /* of a ptctl verb: takes all positional arguments that are left */
	PT_READ = 16,    /* a file that is read: `ptctl run` opens it for the user */
	PT_WRITE = 32,   /* the same of one that is written */
	PT_OR_NONE = 64, /* may be None though that is not its default: reads as 0 */
	PT_ONE_OF =
		128, /* of those that have it, exactly one is given; to set one unsets the other */
	PT_MAYBE = 256, /* of a ptctl verb's BOOL: --name or --name=TEXT */
	PT_SENT = 512,  /* of a ptctl verb: goes into the request */
};

struct pt_param {
	const char *name;
	const char *doc; /* one sentence, with its full stop */
	enum pt_kind kind;
	size_t offset;        /* into the state; see PT_BOOL… below, which check the C type too */
	const char *fallback; /* the default, as a user would type it; "None" for unset */
	unsigned flags;
	double min, max; /* of a number; both 0: unbounded */
	const char *const
		*choices; /* ends with NULL; of an object: words that may stand for it … */
	const char *const *meanings;    /* … and what they mean, as JSON */
	const struct pt_param *members; /* of an object, ends with a row without a name */
	char letter;                    /* of a ptctl option: -x */
};

/* The offset of `field` in `type`, refused by the compiler unless the field is a `ctype`. */
#define PT_FIELD(type, field, ctype) \
	(offsetof(type, field) + 0 * sizeof(char[_Generic(((type *)0)->field, ctype : 1)]))

#define PT_BOOL(type, field)    .kind = PT_KIND_BOOL, .offset = PT_FIELD(type, field, bool)
#define PT_INT(type, field)     .kind = PT_KIND_INT, .offset = PT_FIELD(type, field, int64_t)
#define PT_NUMBER(type, field)  .kind = PT_KIND_NUMBER, .offset = PT_FIELD(type, field, double)
#define PT_SIZE(type, field)    .kind = PT_KIND_SIZE, .offset = PT_FIELD(type, field, uint64_t)
#define PT_SECONDS(type, field) .kind = PT_KIND_SECONDS, .offset = PT_FIELD(type, field, double)
#define PT_RATE(type, field)    .kind = PT_KIND_RATE, .offset = PT_FIELD(type, field, double)
#define PT_STRING(type, field)  .kind = PT_KIND_STRING, .offset = PT_FIELD(type, field, char *)
#define PT_PATH(type, field)    .kind = PT_KIND_PATH, .offset = PT_FIELD(type, field, char *)

#define PT_FILE(type, field) .kind = PT_KIND_FILE, .offset = PT_FIELD(type, field, struct pt_file)
#define PT_FILES(type, field) \
	.kind = PT_KIND_FILES, .offset = PT_FIELD(type, field, struct pt_files)
#define PT_CHOICE(type, field) .kind = PT_KIND_CHOICE, .offset = PT_FIELD(type, field, int)
#define PT_BYTES(type, field) \
	.kind = PT_KIND_BYTES, .offset = PT_FIELD(type, field, struct pt_bytes)
#define PT_MESSAGE(type, field) \
	.kind = PT_KIND_MESSAGE, .offset = PT_FIELD(type, field, struct pt_given)
#define PT_MESSAGES(type, field) \
	.kind = PT_KIND_MESSAGES, .offset = PT_FIELD(type, field, struct pt_given_list)
#define PT_STRINGS(type, field) .kind = PT_KIND_STRINGS, .offset = PT_FIELD(type, field, char **)
#define PT_TRANSFORM(type, field) \
	.kind = PT_KIND_TRANSFORM, .offset = PT_FIELD(type, field, struct pt_func *)
#define PT_PREDICATE(type, field) \
	.kind = PT_KIND_PREDICATE, .offset = PT_FIELD(type, field, struct pt_func *)
#define PT_FILTER(type, field) \
	.kind = PT_KIND_FILTER, .offset = PT_FIELD(type, field, struct pt_func *)
#define PT_LINKTYPE(type, field) .kind = PT_KIND_LINKTYPE, .offset = PT_FIELD(type, field, int)
#define PT_FD(type, field)       .kind = PT_KIND_FD, .offset = PT_FIELD(type, field, int)
#define PT_OBJECT(type, field)   .kind = PT_KIND_OBJECT, .offset = offsetof(type, field)

#define PT_LIST(type, field) .kind = PT_KIND_LIST, .offset = PT_FIELD(type, field, struct json_t *)
#define PT_VARIANTS(type, field) \
	.kind = PT_KIND_VARIANTS, .offset = PT_FIELD(type, field, struct json_t *)
#define PT_JSON(type, field) .kind = PT_KIND_JSON, .offset = PT_FIELD(type, field, struct json_t *)

#endif
