/* SPDX-License-Identifier: BSD-2-Clause */
/* recvmmsg on a packet socket, VLAN tags put back. */
#include "capture/live_socket.h"

#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH      64
#define SLOT_MAX   (64 * 1024) /* more than any interface gives at once */
#define TAG        4           /* room for a VLAN tag before each packet */
#define TAG_AT     12
#define LINK_ETHER 1
#define LINK_RAW   101

struct slot {
	struct iovec iov;
	union {
		char bytes[CMSG_SPACE(sizeof(struct timespec)) +
		           CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
};

struct live_socket {
	int fd;
	uint16_t link_type;
	bool down;
	size_t slot_size;
	uint8_t *room; /* BATCH slots; memory only for what was used */
	struct slot slots[BATCH];
	struct mmsghdr headers[BATCH];
};

static int refuse(struct pt_error *err, int code, const char *what)
{
	return pt_fail(err, code, "socket", "the descriptor is not a packet socket: %s", what);
}

static int link_type_of(int fd, int type, uint16_t *link_type, struct pt_error *err)
{
	struct sockaddr_ll address = {.sll_family = 0};
	socklen_t length = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return refuse(err, -errno, error_words(-errno));
	if (type == SOCK_DGRAM || address.sll_hatype == ARPHRD_NONE)
		*link_type = LINK_RAW;
	else if (address.sll_ifindex == 0 || address.sll_hatype == ARPHRD_ETHER ||
	         address.sll_hatype == ARPHRD_LOOPBACK)
		*link_type = LINK_ETHER;
	else
		return pt_fail(
			err, -EOPNOTSUPP, "socket",
			"the socket's interface is neither Ethernet nor IP (hardware type %u)",
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

static int compile(uint16_t link_type, const struct live_config *config,
                   struct bpf_program *program, struct pt_error *err)
{
	pcap_t *dead = pcap_open_dead(link_type == LINK_ETHER ? DLT_EN10MB : DLT_RAW,
	                              (int)config->snaplen);
	if (!dead)
		return pt_fail(err, -ENOMEM, "filter", "there is no memory for it");
	const char *filter = config->filter ? config->filter : "";
	int rc = 0;
	if (pcap_compile(dead, program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		rc = pt_fail(err, -EINVAL, "filter", "%s", pcap_geterr(dead));
	pcap_close(dead);
	return rc;
}

int live_socket_compile(const struct live_config *config, struct bpf_program *program,
                        struct pt_error *err)
{
	uint16_t link_type;
	int rc = check_kind(config->socket, &link_type, err);
	return rc ? rc : compile(link_type, config, program, err);
}

static int set_filter(int fd, uint16_t link_type, const struct live_config *config,
                      struct pt_error *err)
{
	struct bpf_program program;
	int rc = compile(link_type, config, &program, err);
	if (rc)
		return rc;
	rc = attach_first(fd, &program);
	pcap_freecode(&program);
	if (rc)
		pt_fail(err, rc, "filter", "the socket refuses the filter: %s", error_words(rc));
	return rc;
}

int live_fanout(int fd, int group, struct pt_error *err)
{
	int option = group | PACKET_FANOUT_HASH << 16;
	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &option, sizeof option) == 0)
		return 0;
	return pt_fail(err, -errno, "fanout", "cannot join fanout group %d: %s", group,
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
	rc = config->filter ? set_filter(s->fd, s->link_type, config, err) : 0;
	if (rc == 0 && config->fanout)
		rc = live_fanout(s->fd, config->fanout, err);
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
	s->slot_size = TAG + (config->snaplen < SLOT_MAX ? config->snaplen : SLOT_MAX);
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
	*result = s;
	return 0;
}

void live_socket_close(struct live_socket *s)
{
	if (!s)
		return;
	munmap(s->room, BATCH * s->slot_size);
	close(s->fd);
	free(s);
}

int live_socket_fd(const struct live_socket *s)
{
	return s->fd;
}

uint16_t live_socket_link_type(const struct live_socket *s)
{
	return s->link_type;
}

static void arm(struct live_socket *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = &s->slots[i];
		slot->iov = (struct iovec){s->room + i * s->slot_size + TAG, s->slot_size - TAG};
		s->headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &slot->iov,
			.msg_iovlen = 1,
			.msg_control = slot->control.bytes,
			.msg_controllen = sizeof slot->control.bytes,
		};
	}
}

/* The kernel takes the tag out of the bytes: it goes back before the EtherType. */
static void put_tag_back(struct live_packet *p, uint8_t *bytes, const struct tpacket_auxdata *aux)
{
	uint16_t tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : 0x8100;
	const uint8_t tag[TAG] = {(uint8_t)(tpid >> 8), (uint8_t)tpid,
	                          (uint8_t)(aux->tp_vlan_tci >> 8), (uint8_t)aux->tp_vlan_tci};
	memmove(bytes - TAG, bytes, TAG_AT);
	memcpy(bytes - TAG + TAG_AT, tag, TAG);
	p->bytes = bytes - TAG;
	p->length += TAG;
	p->wire_length += TAG;
}

static void look(const struct live_socket *s, unsigned i, struct live_packet *p)
{
	const struct mmsghdr *h = &s->headers[i];
	uint8_t *bytes = s->slots[i].iov.iov_base;
	uint32_t room = (uint32_t)s->slots[i].iov.iov_len;
	*p = (struct live_packet){.bytes = bytes,
	                          .length = h->msg_len < room ? h->msg_len : room,
	                          .wire_length = h->msg_len};
	struct tpacket_auxdata aux = {.tp_status = 0};
	struct msghdr hdr = h->msg_hdr;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec t;
			memcpy(&t, CMSG_DATA(c), sizeof t);
			p->time_ns =
				(uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
		} else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
		}
	}
	bool tagged = aux.tp_status & TP_STATUS_VLAN_VALID || aux.tp_vlan_tci;
	if (tagged && s->link_type == LINK_ETHER && p->length >= TAG_AT)
		put_tag_back(p, bytes, &aux);
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
	for (int i = 0; i < n; i++)
		look(s, (unsigned)i, &packets[i]);
	return n;
}

uint64_t live_socket_drops(struct live_socket *s)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof stats;
	if (getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0)
		return 0;
	return stats.tp_drops;
}
