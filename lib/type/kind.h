/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of parameters: a table of what can be done with a value of each. */
#ifndef TYPE_KIND_H
#define TYPE_KIND_H

#include "type/param.h"

struct kind;

/* Whether a value is one: all faults, or 0. */
typedef int kind_check(const struct pt_param *, const json_t *, struct pt_error *);
/* Reads one that was checked into its field, which is as read_none leaves it. */
typedef int kind_read(const struct pt_param *, const json_t *, void *field,
                      const struct param_env *, struct pt_error *);
/* Frees what the field holds, which is set to none afterwards. */
typedef void kind_release(const struct pt_param *, void *field, const struct param_env *);
typedef json_t *kind_schema(const struct pt_param *); /* a new reference */

struct kind {
	const char *name;  /* in type.list, stable */
	const char *words; /* "must be …" */
	const char *value; /* what stands for one of a verb's options: "TEXT" */
	size_t size;       /* of its field; 0: of its members' */
	unsigned traits;
	kind_check *check;
	kind_read *read;
	kind_schema *schema;
	kind_release *release; /* NULL: it holds nothing */
};

enum kind_trait {
	KIND_TEXT = 1,  /* what stands in the table as its default is text, in quotes or not */
	KIND_RANGE = 2, /* a number, which may have bounds */
	KIND_MINUS = 4, /* an int that is -1 for None */
};

const struct kind *kind_of(const struct pt_param *); /* never NULL */

/* param.c */
kind_check kind_check_bool, kind_check_number, kind_check_rate, kind_check_text, kind_check_choice,
	kind_check_bytes, kind_check_message, kind_check_messages, kind_check_strings,
	kind_check_linktype, kind_check_file, kind_check_files, kind_check_func, kind_check_fd,
	kind_check_object, kind_check_list, kind_check_variants, kind_check_any;

/* param_read.c */
kind_read kind_read_bool, kind_read_int, kind_read_number, kind_read_size, kind_read_seconds,
	kind_read_rate, kind_read_string, kind_read_path, kind_read_file, kind_read_files,
	kind_read_choice, kind_read_bytes, kind_read_message, kind_read_messages, kind_read_strings,
	kind_read_func, kind_read_linktype, kind_read_fd, kind_read_object, kind_read_json;
kind_release kind_release_string, kind_release_file, kind_release_files, kind_release_bytes,
	kind_release_message, kind_release_messages, kind_release_strings, kind_release_func,
	kind_release_fd, kind_release_object, kind_release_json;

/* schema.c */
kind_schema schema_bool, schema_int, schema_number, schema_size, schema_seconds, schema_text,
	schema_choice, schema_bytes, schema_message, schema_messages, schema_strings,
	schema_linktype, schema_file, schema_files, schema_func, schema_fd, schema_object,
	schema_list, schema_variants, schema_any;

#endif
