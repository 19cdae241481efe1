/* SPDX-License-Identifier: BSD-2-Clause */
/* recvmmsg on a packet socket, VLAN tags put back, what has no header made cooked. */
#include "capture/live_socket.h"

#include "base/buf.h"
#include "base/error.h"
#include "capture/interface.h"
#include "msg/link_type.h"
#include <errno.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH       64
#define SLOT_MAX    (64 * 1024) /* more than any interface gives at once */
#define TAG         4           /* a VLAN tag, for which there is room before each packet */
#define ETHER_TAG   12          /* where it belongs */
#define COOKED      16          /* a cooked header (LINKTYPE_LINUX_SLL), for which there is, too */
#define COOKED_TAG  14
#define ROOM        (COOKED + TAG)
#define LINK_ETHER  1
#define LINK_COOKED 113

struct slot {
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec)) +
	                                      CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct sockaddr_ll from;
};

struct live_socket {
	int fd;
	uint16_t link_type;
	bool down;
	enum live_direction direction;
	struct live_program
		program; /* bf_insns NULL: none here, the kernel has it or there is none */
	size_t slot_size;
	uint8_t *room; /* BATCH slots; memory only for what was used */
	struct slot slots[BATCH];
	struct mmsghdr headers[BATCH];
};

static int refuse(struct pt_error *err, int code, const char *what)
{
	return pt_fail(err, code, "socket", "the descriptor is not a packet socket: %s", what);
}

/* Of one that is bound to no interface it is each packet's own. */
static int link_type_of(int fd, int type, uint16_t *link_type, struct pt_error *err)
{
	struct sockaddr_ll address = {.sll_family = 0};
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	*link_type = LINK_ETHER;
	if (type == SOCK_DGRAM)
		*link_type = LINK_COOKED;
	else if (address.sll_ifindex)
		*link_type = interface_hardware_link_type(address.sll_hatype);
	if (*link_type == PT_NO_LINK_TYPE)
		return pt_fail(
			err, -EOPNOTSUPP, "socket",
			"the socket's interface has frames that nobody knows (hardware type %u); "
			"a datagram socket (SOCK_DGRAM) gives them without their headers",
			address.sll_hatype);
	return 0;
}

static int check_kind(int fd, uint16_t *link_type, struct pt_error *err)
{
	int domain, type;
	socklen_t length = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	length = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	if (domain != AF_PACKET)
		return refuse(err, -EPROTOTYPE, "its family is another one than AF_PACKET");
	return link_type_of(fd, type, link_type, err);
}

static void discard_queued(int fd)
{
	char byte;
	while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		;
}

int live_attach(int fd, const struct bpf_program *program)
{
	const struct sock_fprog wanted = {(unsigned short)program->bf_len,
	                                  (struct sock_filter *)(void *)program->bf_insns};
	if (program->bf_len > BPF_MAXINSNS)
		return -EINVAL;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &wanted, sizeof wanted) < 0 ? -errno
	                                                                                : 0;
}

/* What was queued before the filter was there has not passed it. */
static int attach_first(int fd, const struct bpf_program *program)
{
	struct bpf_insn none = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct bpf_program nothing = {1, &none};
	int rc = live_attach(fd, &nothing);
	if (rc)
		return rc;
	discard_queued(fd);
	return live_attach(fd, program);
}

/* The word, and not as part of another. */
static bool names_vlan(const char *filter)
{
	for (const char *at = filter; (at = strstr(at, "vlan")); at += 4)
		if ((at == filter || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)at[4]))
			return true;
	return false;
}

static int compile(uint16_t link_type, const struct live_config *config,
                   struct live_program *program, struct pt_error *err)
{
	const char *filter = config->filter ? config->filter : "";
	pcap_t *dead = pcap_open_dead(link_type_dlt(link_type), (int)config->snaplen);
	if (!dead)
		return pt_fail(err, -ENOMEM, "filter", "there is no memory for it");
	int rc = 0;
	program->whole = link_type == LINK_COOKED || names_vlan(filter);
	if (pcap_compile(dead, &program->bpf, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		rc = pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(dead));
	pcap_close(dead);
	return rc;
}

int live_socket_compile(const struct live_config *config, struct live_program *program,
                        struct pt_error *err)
{
	uint16_t link_type;
	int rc = check_kind(config->socket, &link_type, err);
	return rc ? rc : compile(link_type, config, program, err);
}

static void forget_program(struct live_socket *s)
{
	free(s->program.bpf.bf_insns);
	s->program.bpf = (struct bpf_program){0, NULL};
}

static void take_program(struct live_socket *s, const struct live_program *program)
{
	size_t size = program->bpf.bf_len * sizeof *program->bpf.bf_insns;
	forget_program(s);
	s->program = *program;
	s->program.bpf.bf_insns = must_calloc(1, size);
	memcpy(s->program.bpf.bf_insns, program->bpf.bf_insns, size);
}

static int attach_all(struct live_socket *s, int (*attach)(int, const struct bpf_program *))
{
	struct bpf_insn all = BPF_STMT(BPF_RET | BPF_K, SLOT_MAX);
	const struct bpf_program program = {1, &all};
	return attach(s->fd, &program);
}

static int set_filter(struct live_socket *s, const struct live_config *config, struct pt_error *err)
{
	struct live_program program;
	int rc = compile(s->link_type, config, &program, err);
	if (rc)
		return rc;
	if (program.whole)
		take_program(s, &program);
	rc = program.whole ? attach_all(s, attach_first) : attach_first(s->fd, &program.bpf);
	pcap_freecode(&program.bpf);
	if (rc)
		pt_fail(err, rc, "filter", "the socket refuses the filter: %s", error_words(rc));
	return rc;
}

/* Once it is done here it stays so: what the kernel holds has passed no filter. */
int live_socket_change(struct live_socket *s, const struct live_program *program)
{
	if (!s->program.bpf.bf_insns && !program->whole)
		return live_attach(s->fd, &program->bpf);
	int rc = s->program.bpf.bf_insns ? 0 : attach_all(s, live_attach);
	if (rc == 0)
		take_program(s, program);
	return rc;
}

const char *const live_fanout_words[] = {"flow", "round", "cpu", NULL};

int live_fanout(int fd, const struct live_config *config, struct pt_error *err)
{
	static const int modes[] = {PACKET_FANOUT_HASH, PACKET_FANOUT_LB, PACKET_FANOUT_CPU};
	int option = config->fanout | modes[config->fanout_by] << 16;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &option, sizeof option) == 0)
		return 0;
	return pt_fail(err, -errno, "fanout", "cannot join fanout group %d: %s", config->fanout,
	               error_words(-errno));
}

static int prepare(struct live_socket *s, const struct live_config *config, struct pt_error *err)
{
	int rc = check_kind(s->fd, &s->link_type, err);
	if (rc)
		return rc;
	int on = 1, size = (int)config->buffer_size;
	setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	setsockopt(s->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	rc = config->filter ? set_filter(s, config, err) : 0;
	if (rc == 0 && config->fanout)
		rc = live_fanout(s->fd, config, err);
	return rc;
}

int live_socket_open(const struct live_config *config, struct live_socket **result,
                     struct pt_error *err)
{
	int fd = fcntl(config->socket, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return refuse(err, -errno, error_words(-errno));
	struct live_socket *s = must_calloc(1, sizeof *s);
	s->fd = fd;
	s->slot_size = ROOM + (config->snaplen < SLOT_MAX ? config->snaplen : SLOT_MAX);
	s->room = mmap(NULL, BATCH * s->slot_size, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->room == MAP_FAILED) {
		close(fd);
		free(s);
		return refuse(err, -ENOMEM, "there is no memory for its buffer");
	}
	int rc = prepare(s, config, err);
	if (rc) {
		live_socket_close(s);
		return rc;
	}
	s->direction = config->direction;
	*result = s;
	return 0;
}

void live_socket_close(struct live_socket *s)
{
	if (!s)
		return;
	munmap(s->room, BATCH * s->slot_size);
	close(s->fd);
	forget_program(s);
	free(s);
}

int live_socket_fd(const struct live_socket *s)
{
	return s->fd;
}

static void arm(struct live_socket *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = &s->slots[i];
		slot->iov = (struct iovec){s->room + i * s->slot_size + ROOM, s->slot_size - ROOM};
		s->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &slot->from,
			.msg_namelen = sizeof slot->from,
			.msg_iov = &slot->iov,
			.msg_iovlen = 1,
			.msg_control = slot->control,
			.msg_controllen = sizeof slot->control,
		};
	}
}

/* What libpcap makes of it. */
static void put_cooked_header(struct live_packet *p, const struct sockaddr_ll *from)
{
	uint8_t *at = (uint8_t *)(uintptr_t)p->bytes - COOKED;
	const uint16_t kind = htons(from->sll_pkttype), hardware = htons(from->sll_hatype),
		       length = htons(from->sll_halen);
	memcpy(at, &kind, 2);
	memcpy(at + 2, &hardware, 2);
	memcpy(at + 4, &length, 2);
	memcpy(at + 6, from->sll_addr, 8);
	memcpy(at + 14, &from->sll_protocol, 2);
	p->bytes = at;
	p->length += COOKED;
	p->wire_length += COOKED;
}

/* The kernel takes the tag out of the bytes: it goes back before the EtherType. */
static void put_tag_back(struct live_packet *p, size_t tag_at, const struct tpacket_auxdata *aux)
{
	uint8_t *at = (uint8_t *)(uintptr_t)p->bytes - TAG;
	uint16_t tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : 0x8100;
	const uint8_t tag[TAG] = {(uint8_t)(tpid >> 8), (uint8_t)tpid,
	                          (uint8_t)(aux->tp_vlan_tci >> 8), (uint8_t)aux->tp_vlan_tci};
	memmove(at, p->bytes, tag_at);
	memcpy(at + tag_at, tag, TAG);
	p->bytes = at;
	p->length += TAG;
	p->wire_length += TAG;
}

static void read_control(const struct msghdr *header, struct live_packet *p,
                         struct tpacket_auxdata *aux)
{
	struct msghdr hdr = *header;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec t;
			memcpy(&t, CMSG_DATA(c), sizeof t);
			p->time_ns =
				(uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
		} else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(aux, CMSG_DATA(c), sizeof *aux);
			p->wire_length = aux->tp_len;
		}
	}
}

static bool passes(const struct live_socket *s, const struct live_packet *p)
{
	return !s->program.bpf.bf_insns ||
	       bpf_filter(s->program.bpf.bf_insns, p->bytes, p->wire_length, p->length) != 0;
}

static uint16_t own_link_type(const struct live_socket *s, const struct sockaddr_ll *from)
{
	uint16_t own = interface_hardware_link_type(from->sll_hatype);
	return s->link_type == LINK_COOKED || own == PT_NO_LINK_TYPE ? s->link_type : own;
}

/* What a loopback interface sends is seen once more as it comes in. */
static bool is_second_copy(const struct sockaddr_ll *from)
{
	return from->sll_hatype == ARPHRD_LOOPBACK && from->sll_pkttype == PACKET_OUTGOING;
}

void live_socket_set_direction(struct live_socket *s, enum live_direction direction)
{
	s->direction = direction;
}

static bool is_of_direction(const struct live_socket *s, const struct sockaddr_ll *from)
{
	return s->direction == LIVE_INOUT ||
	       (from->sll_pkttype == PACKET_OUTGOING) == (s->direction == LIVE_OUT);
}

/* false: it is left out. */
static bool look(const struct live_socket *s, unsigned i, struct live_packet *p)
{
	const struct mmsghdr *h = &s->headers[i];
	const struct slot *slot = &s->slots[i];
	uint32_t room = (uint32_t)slot->iov.iov_len;
	struct tpacket_auxdata aux = {.tp_status = 0};
	if (is_second_copy(&slot->from) || !is_of_direction(s, &slot->from))
		return false;
	*p = (struct live_packet){.bytes = slot->iov.iov_base,
	                          .length = h->msg_len < room ? h->msg_len : room,
	                          .wire_length = h->msg_len,
	                          .link_type = own_link_type(s, &slot->from)};
	read_control(&h->msg_hdr, p, &aux);
	bool as_the_kernel = s->program.bpf.bf_insns && !s->program.whole;
	if (as_the_kernel && !passes(s, p))
		return false;
	if (p->link_type == LINK_COOKED)
		put_cooked_header(p, &slot->from);
	size_t tag_at = p->link_type == LINK_COOKED ? COOKED_TAG : ETHER_TAG;
	bool tagged = aux.tp_status & TP_STATUS_VLAN_VALID || aux.tp_vlan_tci;
	if (tagged && (p->link_type == LINK_COOKED || p->link_type == LINK_ETHER) &&
	    p->length >= tag_at)
		put_tag_back(p, tag_at, &aux);
	return as_the_kernel || passes(s, p);
}

static int nothing_came(struct live_socket *s, int code)
{
	struct sockaddr_ll address = {.sll_ifindex = -1};
	socklen_t length = sizeof address;
	if (code == -EAGAIN)
		return 0;
	if (code != -ENETDOWN || getsockname(s->fd, (struct sockaddr *)&address, &length) < 0)
		return code;
	s->down = address.sll_ifindex > 0;
	return s->down ? 0 : code;
}

bool live_socket_is_down(const struct live_socket *s)
{
	return s->down;
}

int live_socket_read(struct live_socket *s, struct live_packet *packets, unsigned max)
{
	unsigned count = max < BATCH ? max : BATCH;
	arm(s, count);
	int n;
	do
		n = recvmmsg(s->fd, s->headers, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return nothing_came(s, -errno);
	s->down = false;
	int left = 0;
	for (int i = 0; i < n; i++)
		left += look(s, (unsigned)i, &packets[left]);
	return left;
}

uint64_t live_socket_drops(struct live_socket *s)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof stats;
	if (getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
		return 0;
	return stats.tp_drops;
}
