/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of BPF by link type, the last ones used. */
#include "script/filter.h"

#include "base/buf.h"
#include "msg/link_type.h"
#include "packet/packet.h"
#include "script/bpf_lanes.h"
#include <byteswap.h>
#include <endian.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS      8
#define SNAP_LENGTH   262144
#define TEXT_MAX      8192 /* bytes: compiling takes the square of it, a second here */
#define OPTIMIZED_MAX 1024 /* bytes of text: of longer ones the optimizer can take minutes */

#define LINK_80211_RADIO 127
#define LINUX_AF_INET6   10

/* Whose numbers of families loopback packets begin with: a file's, in which libpcap knows those of
   all BSDs, or a file's of the other byte order, or Linux's own, which it knows in no file. */
enum families { OF_FILE, OF_TURNED_FILE, OF_LINUX };

#define FEW 4 /* packets that are filtered sooner one by one */

struct program {
	uint16_t link_type; /* PT_NO_LINK_TYPE: free */
	enum families families;
	struct bpf_program code;
	struct bpf_lanes *lanes; /* NULL: there are none for it */
	char *wrong;             /* why there is no code, or NULL */
};

struct filter {
	char *text;
	struct program programs[PROGRAMS], *last;
	unsigned next; /* to be replaced */
};

static void clear(struct program *p)
{
	bpf_lanes_free(p->lanes);
	pcap_freecode(&p->code);
	free(p->wrong);
	*p = (struct program){.link_type = PT_NO_LINK_TYPE};
}

/* As libpcap has it for files: what only a kernel knows of a packet is refused there. */
static pcap_t *open_file(uint16_t link_type, bool turned)
{
	char why[PCAP_ERRBUF_SIZE];
	const struct pcap_file_header native = {.magic = 0xa1b2c3d4,
	                                        .version_major = 2,
	                                        .version_minor = 4,
	                                        .snaplen = SNAP_LENGTH,
	                                        .linktype = link_type};
	struct pcap_file_header header = native;
	if (turned)
		header = (struct pcap_file_header){.magic = bswap_32(native.magic),
		                                   .version_major = bswap_16(2),
		                                   .version_minor = bswap_16(4),
		                                   .snaplen = bswap_32(SNAP_LENGTH),
		                                   .linktype = bswap_32(link_type)};
	FILE *file = fmemopen(&header, sizeof header, "r");
	pcap_t *result = file ? pcap_fopen_offline(file, why) : NULL;
	if (file && !result)
		fclose(file);
	return result; /* which has read the header, and owns the file */
}

static char *words(const char *wrong)
{
	return must_strdup(strstr(wrong, "when reading savefiles")
	                           ? "such a packet does not tell its direction or interface; "
	                             "SniffSource has direction=\"in\""
	                           : wrong);
}

static void compile_for(const struct filter *f, struct program *p, pcap_t *pcap)
{
	int optimize = strlen(f->text) <= OPTIMIZED_MAX;
	pcap_freecode(&p->code);
	if (!pcap)
		p->wrong = must_strdup("no packets of this link type can be filtered");
	else if (pcap_compile(pcap, &p->code, f->text, optimize, 0))
		p->wrong = words(pcap_geterr(pcap));
	if (pcap)
		pcap_close(pcap);
}

static bool is_loopback(uint16_t link_type)
{
	return link_type == PACKET_LINK_NULL || link_type == PACKET_LINK_LOOP;
}

static void compile(const struct filter *f, struct program *p, uint16_t link_type,
                    enum families families)
{
	clear(p);
	p->link_type = link_type;
	p->families = families;
	compile_for(f, p, open_file(link_type, families == OF_TURNED_FILE));
	if (!p->wrong && families == OF_LINUX)
		compile_for(f, p, pcap_open_dead(link_type_dlt(link_type), SNAP_LENGTH));
	if (!p->wrong && !is_loopback(link_type))
		p->lanes = bpf_lanes_new(&p->code);
}

static struct program *program(struct filter *f, uint16_t link_type, enum families families)
{
	if (f->last->link_type == link_type && f->last->families == families)
		return f->last;
	for (int i = 0; i < PROGRAMS; i++)
		if (f->programs[i].link_type == link_type && f->programs[i].families == families)
			return f->last = &f->programs[i];
	f->last = &f->programs[f->next++ % PROGRAMS];
	compile(f, f->last, link_type, families);
	return f->last;
}

/* A family is a small number, in whatever order it is. */
static enum families families_of(const struct pt_msg *m)
{
	uint32_t family;
	if (!is_loopback(m->link_type) || m->length < sizeof family)
		return OF_FILE;
	memcpy(&family, m->bytes, sizeof family);
	if (m->link_type == PACKET_LINK_LOOP)
		family = be32toh(family);
	else if (family > UINT16_MAX)
		return OF_TURNED_FILE;
	return family == LINUX_AF_INET6 ? OF_LINUX : OF_FILE;
}

static struct program *program_for(struct filter *f, const struct pt_msg *m)
{
	return program(f, m->link_type, families_of(m));
}

bool filter_is_display(const char *text)
{
	static const char before[] = " \t\r\n(!";
	text += strspn(text, before);
	if (!strncmp(text, "not ", 4))
		text += 4 + strspn(text + 4, before);
	size_t length = strcspn(text, ".");
	for (const struct packet_field *f = packet_fields; text[length] && f->name; f++)
		if (strlen(f->layer) == length && !memcmp(f->layer, text, length))
			return true;
	return false;
}

int filter_new(const char *text, struct filter **result, struct pt_error *err)
{
	if (strlen(text) > TEXT_MAX)
		return pt_fail(err, -PT_ELIMIT, NULL, "bpf: a filter has at most %d bytes",
		               TEXT_MAX);
	struct filter *f = must_calloc(1, sizeof *f);
	f->text = must_strdup(text);
	f->last = f->programs;
	for (int i = 0; i < PROGRAMS; i++)
		f->programs[i].link_type = PT_NO_LINK_TYPE;
	static const uint16_t common[] = {PACKET_LINK_EN10MB, PACKET_LINK_RAW,
	                                  PACKET_LINK_LINUX_SLL, PACKET_LINK_LINUX_SLL2,
	                                  LINK_80211_RADIO};
	const struct program *first = program(f, common[0], OF_FILE);
	bool good = !first->wrong;
	for (size_t i = 1; !good && i < sizeof common / sizeof *common; i++)
		good = !program(f, common[i], OF_FILE)->wrong;
	if (!good) {
		int rc = pt_fail(err, -PT_ESCRIPT, NULL, "bpf: %s%s", first->wrong,
		                 filter_is_display(text)
		                         ? "; that is a display filter: a capture filter is "
		                           "written as 'udp port 53'"
		                         : "");
		filter_free(f);
		return rc;
	}
	*result = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (int i = 0; i < PROGRAMS; i++)
		clear(&f->programs[i]);
	free(f->text);
	free(f);
}

int filter_test(struct filter *f, const struct pt_msg *m, struct pt_error *err)
{
	if (!pt_msg_is_packet(m))
		return 0;
	const struct program *p = program_for(f, m);
	if (p->wrong)
		return pt_fail(err, -PT_ESCRIPT, NULL, "bpf on link type %u: %s", m->link_type,
		               p->wrong);
	struct pcap_pkthdr header = {.caplen = m->length, .len = m->wire_length};
	return pcap_offline_filter(&p->code, &header, m->bytes) != 0;
}

/* Those at the front of one link type, or the first; *count says how many. */
static uint64_t test_front(struct filter *f, struct pt_msg *const *messages, unsigned *count,
                           uint64_t *unsure)
{
	bool is_packet = pt_msg_is_packet(messages[0]);
	struct program *p = is_packet ? program_for(f, messages[0]) : NULL;
	if (p && p->lanes && *count >= FEW)
		return bpf_lanes_run(p->lanes, messages, count);
	*count = 1;
	*unsure = is_packet;
	return 0;
}

uint64_t filter_test_many(struct filter *f, struct pt_msg *const *messages, unsigned count,
                          uint64_t *unsure)
{
	uint64_t passed = 0;
	*unsure = 0;
	for (unsigned from = 0, n; from < count; from += n) {
		uint64_t not_here = 0;
		n = count - from;
		passed |= test_front(f, messages + from, &n, &not_here) << from;
		*unsure |= not_here << from;
	}
	return passed;
}
