/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of BPF by link type, the last ones used. */
#include "script/filter.h"

#include "base/buf.h"
#include "msg/link_type.h"
#include "packet/packet.h"
#include "script/bpf_lanes.h"
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS      8
#define SNAP_LENGTH   262144
#define TEXT_MAX      8192 /* bytes: compiling takes the square of it, a second here */
#define OPTIMIZED_MAX 1024 /* bytes of text: of longer ones the optimizer can take minutes */

#define LINK_80211_RADIO 127

#define FEW 4 /* packets that are filtered sooner one by one */

struct program {
	uint16_t link_type; /* PT_NO_LINK_TYPE: free */
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

/* Loads from there on are no bytes of the packet but what the kernel knows of it: which way it
   goes, and on which interface. A packet alone matches nothing then, nor the opposite. */
static bool asks_kernel(const struct bpf_program *code)
{
	const bpf_u_int32 kernel = 0xfffff000;
	for (unsigned i = 0; i < code->bf_len; i++) {
		const struct bpf_insn *in = &code->bf_insns[i];
		if (BPF_CLASS(in->code) == BPF_LD && BPF_MODE(in->code) == BPF_ABS &&
		    in->k >= kernel)
			return true;
	}
	return false;
}

static void compile(const struct filter *f, struct program *p, uint16_t link_type)
{
	clear(p);
	p->link_type = link_type;
	pcap_t *dead = pcap_open_dead(link_type_dlt(link_type), SNAP_LENGTH);
	if (!dead) {
		p->wrong = must_strdup("out of memory");
		return;
	}
	int optimize = strlen(f->text) <= OPTIMIZED_MAX;
	if (pcap_compile(dead, &p->code, f->text, optimize, PCAP_NETMASK_UNKNOWN))
		p->wrong = must_strdup(pcap_geterr(dead));
	else if (asks_kernel(&p->code))
		p->wrong = must_strdup("such a packet does not tell its direction or interface; "
		                       "SniffSource has direction=\"in\"");
	else
		p->lanes = bpf_lanes_new(&p->code);
	pcap_close(dead);
}

static struct program *program(struct filter *f, uint16_t link_type)
{
	if (f->last->link_type == link_type)
		return f->last;
	for (int i = 0; i < PROGRAMS; i++)
		if (f->programs[i].link_type == link_type)
			return f->last = &f->programs[i];
	f->last = &f->programs[f->next++ % PROGRAMS];
	compile(f, f->last, link_type);
	return f->last;
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
	                                  PACKET_LINK_LINUX_SLL, LINK_80211_RADIO};
	const struct program *first = program(f, common[0]);
	bool good = !first->wrong;
	for (size_t i = 1; !good && i < sizeof common / sizeof *common; i++)
		good = !program(f, common[i])->wrong;
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
	const struct program *p = program(f, m->link_type);
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
	struct program *p = is_packet ? program(f, messages[0]->link_type) : NULL;
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
