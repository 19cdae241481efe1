/* SPDX-License-Identifier: BSD-2-Clause */
/* JsonDrain: each packet as one line of JSON. */
#include <pipetool/block.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/moment.h"
#include "msg/json.h"
#include "packet/packet.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct json_drain {
	char **fields;

	const struct packet_field **rows; /* those of `fields`, in the table's order */
	struct buf line;
};

/* ---- fields ---- */

static const char *const always[] = {"time", "wire_length", "link_type", NULL};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word))
		words++;
	return *words;
}

static bool is_layer(const char *word)
{
	const struct packet_field *f = packet_fields;
	while (f->name && strcmp(f->layer, word))
		f++;
	return f->name;
}

static int check_word(const char *word, struct pt_error *err)
{
	struct pt_error fault = PT_ERROR_INIT;
	if (is_one_of(word, always) || is_layer(word) || packet_field_get(word, &fault))
		return 0;
	int rc = pt_fail(err, -PT_EPARAM, "fields", "'%s' is no layer, and %s", word,
	                 pt_error_text(&fault, "no field"));
	pt_error_clear(&fault);
	return rc;
}

static bool is_wanted(const struct packet_field *f, char *const *words)
{
	if (!words)
		return true;
	for (; *words; words++) {
		const struct packet_field *named = packet_field_get(*words, NULL);
		if (named == f || !strcmp(*words, f->layer))
			return true;
	}
	return false;
}

static int init(struct pt_block *b, struct pt_error *err)
{
	struct json_drain *j = pt_state(b);
	size_t count = 0, used = 0;
	for (char **word = j->fields; word && *word; word++) {
		int rc = check_word(*word, err);
		if (rc)
			return rc;
	}
	while (packet_fields[count].name)
		count++;
	j->rows = calloc(count + 1, sizeof(struct packet_field *));
	if (!j->rows)
		return pt_fail(err, -ENOMEM, "fields", "no memory is left");
	for (size_t i = 0; i < count; i++)
		if (is_wanted(&packet_fields[i], j->fields))
			j->rows[used++] = &packet_fields[i];
	return 0;
}

/* ---- lines ---- */

static void add_number(struct buf *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	buf_add(b, digits + at, sizeof digits - at);
}

static void add_name(struct buf *b, const char *name)
{
	buf_addc(b, '"');
	buf_adds(b, name);
	buf_adds(b, "\":");
}

static void add_value(struct buf *b, const struct packet_field *f, const struct packet_value *v)
{
	char text[64];
	switch (f->kind) {
	case PACKET_NUMBER: add_number(b, v->number); break;
	case PACKET_FLAG: buf_adds(b, v->number ? "true" : "false"); break;
	default:
		packet_value_print(f, v, text, sizeof text);
		buf_addc(b, '"');
		buf_adds(b, text);
		buf_addc(b, '"');
	}
}

/* The first of a layer opens its object. */
static void add_field(struct buf *b, const char **layer, const struct packet_field *f,
                      const struct packet_value *v)
{
	bool same = *layer && !strcmp(*layer, f->layer);
	if (!same) {
		buf_adds(b, *layer ? "}," : ",");
		add_name(b, f->layer);
	}
	buf_addc(b, same ? ',' : '{');
	add_name(b, f->name);
	add_value(b, f, v);
	*layer = f->layer;
}

static void add_layers(struct buf *b, const struct pt_msg *m,
                       const struct packet_field *const *rows)
{
	struct packet_view view;
	struct packet_value value;
	const char *layer = NULL;
	packet_dissect(m, &view);
	for (; *rows; rows++)
		if (packet_read(m->bytes, &view, *rows, &value))
			add_field(b, &layer, *rows, &value);
	if (layer)
		buf_addc(b, '}');
}

static void add_packet(struct buf *b, const struct pt_msg *m,
                       const struct packet_field *const *rows)
{
	char time[MOMENT_MAX];
	moment_print(m->time_ns, time);
	buf_adds(b, "{\"time\":\"");
	buf_adds(b, time);
	buf_adds(b, "\",\"wire_length\":");
	add_number(b, m->wire_length);
	buf_adds(b, ",\"link_type\":");
	add_number(b, m->link_type);
	add_layers(b, m, rows);
	buf_addc(b, '}');
}

static void add_plain(struct buf *b, const struct pt_msg *m)
{
	json_t *bytes = bytes_to_json(m->bytes, m->length);
	buf_adds(b, "{\"message\":");
	json_add(b, bytes);
	buf_addc(b, '}');
	json_decref(bytes);
}

/* A line is dated as its packet, and comes from the same interface. */
static struct pt_msg *line_of(struct json_drain *j, const struct pt_msg *m)
{
	buf_clear(&j->line);
	if (pt_msg_is_packet(m))
		add_packet(&j->line, m, j->rows);
	else
		add_plain(&j->line, m);
	struct pt_msg *line = pt_msg_new(m->pool, j->line.data, j->line.length);
	if (line) {
		line->time_ns = m->time_ns;
		pt_msg_set_origin(line, m->origin);
	}
	return line;
}

static void push_many(struct pt_block *b, enum pt_canal canal, struct pt_msg **messages,
                      unsigned count)
{
	struct json_drain *j = pt_state(b);
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		struct pt_msg *line = line_of(j, messages[i]);
		if (!line) {
			pt_drop(b, messages[i], "memory");
			continue;
		}
		pt_msg_unref(messages[i]);
		messages[left++] = line;
	}
	pt_send_many(b, canal, messages, left);
}

static void fini(struct pt_block *b)
{
	struct json_drain *j = pt_state(b);
	free(j->rows);
	buf_free(&j->line);
}

static const struct pt_type json_drain = {
	.api = PT_API,
	.name = "JsonDrain",
	.summary = "Makes one line of JSON of each packet",
	.help = "A line has `time`, `wire_length` and `link_type` as messages have them in "
		"answers, and the packet's layers, each an object with the fields that `ptctl help "
		"fields` names: {\"time\": \"1.000000000\", \"wire_length\": 60, \"link_type\": 1, "
		"\"eth\": {…}, \"ip\": {\"src\": \"192.0.2.1\", …}}, without the spaces. What a "
		"packet has not is left out. Of what is no packet there is {\"message\": …}: its "
		"text, or {\"base64\": …}. A line has no newline (FileSink has `newlines`), and "
		"keeps the packet's time.",
	.picture = "     +--------+\n"
		   "  >>-|-[json]-|->>\n"
		   "     |        |\n"
		   "   >-|-[json]-|->\n"
		   "     +--------+\n",
	.examples = (const char *const[]){"RdpcapSource(\"in.pcap\") > JsonDrain() > "
                                          "FileSink(\"out.json\", newlines=True)",
                                          "RdpcapSource(\"in.pcap\") > JsonDrain(fields="
                                          "[\"ip\", \"tcp.dport\"]) > QueueSink()",
                                          NULL},
	.role = PT_DRAIN,
	.ports = PT_LOW_ENTRY | PT_LOW_EXIT | PT_HIGH_ENTRY | PT_HIGH_EXIT,
	.routes = PT_STRAIGHT,
	.params =
		(const struct pt_param[]){
			{"fields",
                         "Of the layers only these fields, as \"ip.src\", or whole layers, as "
                         "\"ip\"; None: all.",
                         PT_STRINGS(struct json_drain, fields), .fallback = "None"},
			{NULL}},
	.size = sizeof(struct json_drain),
	.init = init,
	.push_many = push_many,
	.fini = fini,
};

PT_TYPES(json_drain, &json_drain);
