/* SPDX-License-Identifier: BSD-2-Clause */
/* Its descriptor, and how it is written. */
#include "capture/file_carry.h"

#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>

#define NOTE "note"
#define TAIL "tail"

/* What the next block cannot make of it another: the file, and how it is written. */
struct manner {
	int format, link_type; /* -1: nothing is written yet */
	uint8_t pack;
	bool whole; /* all of it will be, when the daemon has ended */
};

static char *key_of(const struct file_carry *f, const char *path)
{
	return must_printf("capture%s %s", f->rotates ? "s" : "", path);
}

/* ---- telling ---- */

/* A FIFO takes nothing back, and may take nothing for long. */
bool file_carry_settle(struct file_carry *f, struct capture_writer *w, bool begin)
{
	f->noted_fd = -1;
	if (!w || !capture_writer_is_regular(w))
		return true;
	atomic_store(&f->settling, true);
	if (begin)
		capture_writer_note(w, false);
	if (!capture_writer_noted(w, &f->note, &f->noted_fd, &f->noted_tail))
		return false;
	atomic_store(&f->settling, false);
	return true;
}

static void tell_manner(const struct capture_writer *w, const char *key, struct pt_carry *carry)
{
	const struct manner manner = {(int)capture_writer_format(w), capture_writer_link_type(w),
	                              (uint8_t)capture_writer_pack(w),
	                              pt_carry_to(carry) == PT_AT_END};
	pt_carry_fd(carry, key, capture_writer_fd(w));
	pt_carry_bytes(carry, key, &manner, sizeof manner);
}

void file_carry_tell(const struct file_carry *f, const struct capture_writer *w, const char *path,
                     bool whole, struct pt_carry *carry)
{
	char *key = key_of(f, path);
	if (pt_carry_exact(carry) && pt_carry_to(carry) == PT_FOR_RESTART && f->noted_fd >= 0) {
		pt_carry_fd(carry, key, f->noted_fd);
		pt_carry_bytes(carry, NOTE, &f->note, sizeof f->note);
		pt_carry_bytes(carry, TAIL, f->noted_tail, f->note.tail_length);
	} else if (whole) {
		tell_manner(w, key, carry);
	}
	free(key);
}

/* ---- going on ---- */

/* What the parameters do not say goes on as it was begun. */
static int check(const struct file_carry *f, const struct capture_writer_config *config,
                 const struct manner *m, struct pt_error *err)
{
	bool other_format = !config->any_format && (int)config->format != m->format;
	bool other_pack = f->says_pack && config->pack != m->pack;
	const char *param = other_format ? "format" : other_pack ? "compress" : NULL;
	bool other_type = !capture_format_is_mixed((enum capture_format)m->format) &&
	                  m->link_type >= 0 && config->link_type >= 0 &&
	                  config->link_type != m->link_type;
	if (!param && other_type)
		param = "linktype";
	if (!param)
		return 0;
	pt_fail(err, -EBUSY, param, "'%s' is being written, and its %s cannot change in the middle",
	        config->path, param);
	pt_hint(err, "choose another name, or stop the engine first");
	return -EBUSY;
}

/* A file that an earlier daemon has opened, and begun or not. */
static void go_on(const struct file_carry *f, const struct manner *m,
                  struct capture_writer_config *config)
{
	config->begun = CAPTURE_FOUND;
	if (!m || check(f, config, m, NULL))
		return;
	config->format = (enum capture_format)m->format;
	config->pack = (enum pack_kind)m->pack;
	if (m->link_type < 0)
		return;
	config->link_type = m->link_type;
	config->begun = m->whole ? CAPTURE_WHOLE : CAPTURE_TORN;
}

/* As it was at the checkpoint. */
static void go_on_noted(struct pt_block *b, const struct capture_note *note,
                        struct capture_writer_config *config)
{
	size_t length;
	config->begun = CAPTURE_NOTED;
	config->note = note;
	config->tail = pt_carried_bytes(b, TAIL, &length);
	config->format = (enum capture_format)note->format;
	config->pack = (enum pack_kind)note->pack;
	config->number = note->number;
	if (note->link_type >= 0)
		config->link_type = note->link_type;
}

static bool is_sound(const struct capture_note *note, size_t length, size_t tail_length)
{
	return length == sizeof *note && tail_length == note->tail_length && note->length >= 0 &&
	       (uint32_t)note->format < CAPTURE_FORMATS && note->pack <= PACK_LZ4;
}

static const struct capture_note *carried_note(const struct file_carry *f, struct pt_block *b,
                                               const struct capture_writer_config *config)
{
	size_t length = 0, tail_length = 0;
	const struct capture_note *note = pt_carried_bytes(b, NOTE, &length);
	pt_carried_bytes(b, TAIL, &tail_length);
	if (!note || !is_sound(note, length, tail_length))
		return NULL;
	const struct manner manner = {note->format, note->link_type, (uint8_t)note->pack, false};
	return check(f, config, &manner, NULL) ? NULL : note;
}

static const struct manner *carried_manner(struct pt_block *b, const char *key)
{
	size_t length;
	const struct manner *m = pt_carried_bytes(b, key, &length);
	return m && length == sizeof *m && (unsigned)m->format < CAPTURE_FORMATS ? m : NULL;
}

int file_carry_open(struct file_carry *f, struct pt_block *b,
                    const struct capture_writer_config *as, struct capture_writer **result,
                    const struct capture_note **from, struct pt_error *err)
{
	struct capture_writer_config config = *as;
	char *key = key_of(f, as->path);
	f->noted_fd = config.fd = -1;
	f->is_carried = pt_carried_fd(b, key, &config.fd);
	const struct manner *manner = f->is_carried ? carried_manner(b, key) : NULL;
	free(key);
	*result = NULL;
	*from = config.fd >= 0 ? carried_note(f, b, as) : NULL;
	if (config.fd < 0)
		return manner ? check(f, as, manner, err) : 0;
	if (*from)
		go_on_noted(b, *from, &config);
	else
		go_on(f, manner, &config);
	return capture_writer_open(&config, result, err);
}
