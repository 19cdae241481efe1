/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap's programs, made to fit what the kernel filters. */
#include "capture/live_filter.h"

#include "base/buf.h"
#include "msg/link_type.h"
#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ALL 0x40000 /* more bytes than any packet has */

int live_check_filter(const char *filter, struct pt_error *err)
{
	static const int kinds[] = {DLT_EN10MB, DLT_RAW, DLT_LINUX_SLL2, DLT_IEEE802_11_RADIO};
	char *words = NULL;
	bool good = false;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !good; i++) {
		struct bpf_program program;
		pcap_t *dead = pcap_open_dead(kinds[i], ALL);
		if (!dead)
			out_of_memory();
		good = pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
		if (good)
			pcap_freecode(&program);
		else if (!words)
			words = must_strdup(pcap_geterr(dead));
		pcap_close(dead);
	}
	int rc = good ? 0 : pt_fail(err, -EINVAL, "filter", "%s", words);
	free(words);
	return rc;
}

/* ---- compiling ---- */

/* The word, and not as part of another. */
static bool names_vlan(const char *filter)
{
	for (const char *at = filter; (at = strstr(at, "vlan")); at += 4)
		if ((at == filter || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)at[4]))
			return true;
	return false;
}

static void program_copy(struct bpf_program *to, const struct bpf_program *from)
{
	*to = (struct bpf_program){0, NULL};
	if (!from->bf_insns)
		return;
	to->bf_len = from->bf_len;
	to->bf_insns = must_calloc(from->bf_len, sizeof *to->bf_insns);
	memcpy(to->bf_insns, from->bf_insns, from->bf_len * sizeof *to->bf_insns);
}

static void program_clear(struct bpf_program *program)
{
	free(program->bf_insns);
	*program = (struct bpf_program){0, NULL};
}

static bool is_of_packet(const struct bpf_insn *insn)
{
	if (BPF_CLASS(insn->code) != BPF_LD && BPF_CLASS(insn->code) != BPF_LDX)
		return false;
	return BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND ||
	       BPF_MODE(insn->code) == BPF_MSH;
}

/* What cooked headers have the kernel knows beside the packet, but for addresses. */
static bool uncook(struct bpf_insn *insn, uint16_t link_type)
{
	static const struct {
		uint16_t link_type;
		uint8_t at;
		uint32_t ancillary;
	} fields[] = {
		{LIVE_COOKED, 0, SKF_AD_PKTTYPE},   {LIVE_COOKED, 2, SKF_AD_HATYPE},
		{LIVE_COOKED, 14, SKF_AD_PROTOCOL}, {LIVE_COOKED2, 0, SKF_AD_PROTOCOL},
		{LIVE_COOKED2, 4, SKF_AD_IFINDEX},  {LIVE_COOKED2, 8, SKF_AD_HATYPE},
		{LIVE_COOKED2, 10, SKF_AD_PKTTYPE},
	};
	const uint32_t size = live_cooked_size(link_type);
	if (insn->k >= size) {
		insn->k -= (int32_t)insn->k < 0 ? 0 : size;
		return true;
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].link_type == link_type && fields[i].at == insn->k &&
		    BPF_MODE(insn->code) == BPF_ABS) {
			insn->k = (uint32_t)SKF_AD_OFF + fields[i].ancillary;
			return true;
		}
	return false;
}

static bool fit_kernel(struct bpf_program *program, uint16_t link_type)
{
	for (unsigned i = 0; i < program->bf_len && live_cooked_size(link_type); i++)
		if (is_of_packet(&program->bf_insns[i]) &&
		    !uncook(&program->bf_insns[i], link_type))
			return false;
	return program->bf_len <= BPF_MAXINSNS;
}

void live_filter_set(struct live_filter *f, const struct bpf_program *whole, uint32_t snaplen)
{
	*f = (struct live_filter){.snaplen = snaplen};
	program_copy(&f->whole, whole);
}

int live_filter_compile(const struct live_config *config, uint16_t link_type, struct live_filter *f,
                        struct pt_error *err)
{
	const char *words = config->filter ? config->filter : "";
	struct bpf_program compiled;
	pcap_t *dead = pcap_open_dead(link_type_dlt(link_type), (int)config->snaplen);
	if (!dead)
		return pt_fail(err, -ENOMEM, "filter", "there is no memory for it");
	int rc = pcap_compile(dead, &compiled, words, 1, PCAP_NETMASK_UNKNOWN);
	if (rc < 0) {
		rc = pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(dead));
		pcap_close(dead);
		return rc;
	}
	live_filter_set(f, &compiled, config->snaplen);
	program_copy(&f->kernel, &compiled);
	pcap_freecode(&compiled);
	pcap_close(dead);
	if (names_vlan(words) || !fit_kernel(&f->kernel, link_type))
		program_clear(&f->kernel);
	return 0;
}

void live_filter_clear(struct live_filter *f)
{
	program_clear(&f->whole);
	program_clear(&f->kernel);
}

void live_filter_copy(struct live_filter *to, const struct live_filter *from)
{
	live_filter_clear(to);
	program_copy(&to->whole, &from->whole);
	program_copy(&to->kernel, &from->kernel);
	to->snaplen = from->snaplen;
}

/* ---- running ---- */

int live_filter_attach(int fd, const struct bpf_program *program)
{
	const struct sock_fprog wanted = {(unsigned short)program->bf_len,
	                                  (struct sock_filter *)(void *)program->bf_insns};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &wanted, sizeof wanted) < 0 ? -errno
	                                                                                : 0;
}

static int attach_constant(int fd, uint32_t bytes)
{
	struct bpf_insn insn = BPF_STMT(BPF_RET | BPF_K, bytes);
	const struct bpf_program program = {1, &insn};
	return live_filter_attach(fd, &program);
}

int live_filter_attach_all(int fd)
{
	return attach_constant(fd, ALL);
}

int live_filter_attach_none(int fd)
{
	return attach_constant(fd, 0);
}

uint32_t live_filter_run(const struct bpf_program *program, const uint8_t *bytes, uint32_t length,
                         uint32_t wire_length)
{
	return bpf_filter(program->bf_insns, bytes, wire_length, length);
}
