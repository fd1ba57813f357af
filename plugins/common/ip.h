/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ip: what the transports over IP have in common: the options listen and port, struct ela_addr to and from the kernel's
 * addresses, and the words for a socket that could not be opened. Compiled into each of them. No state; any thread,
 * except what takes a host, which is for control.
 */
#ifndef ELA_PLUGIN_IP_H
#define ELA_PLUGIN_IP_H

#include <ela/ela.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ELA_IP_MAX_LISTEN 8u
#define ELA_IP_TEXT 80u /* room for ela_ip_text() */

union ela_ip_sockaddr {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* Where to listen. */
struct ela_ip_listen {
	struct ela_addr addrs[ELA_IP_MAX_LISTEN];
	uint32_t n;
	uint16_t port;
	bool is_default; /* listen is unset: :: may be missing on the machine */
};

/* The two options, for a plugin's table. */
#define ELA_IP_OPTION_LISTEN                                                                                           \
	{                                                                                                                  \
		.key = "listen",                                                                                               \
		.help = "addresses to listen on; unset: 0.0.0.0 and, where the machine has IPv6, ::", .type = ELA_OPTION_IP,   \
		.flags = ELA_OPTION_LIST                                                                                       \
	}
#define ELA_IP_OPTION_PORT                                                                                             \
	{                                                                                                                  \
		.key = "port", .def = "7450", .help = "port to listen on", .type = ELA_OPTION_INT, .min = 1, .max = 65535      \
	}

/*
 * Reads listen and port. An address that another one covers (0.0.0.0 covers every IPv4 address) is left out with a
 * warning. -EINVAL, logged, for what is no address and for more than ELA_IP_MAX_LISTEN of them.
 */
int ela_ip_listen_read(const struct ela_host *host, const char *section, struct ela_ip_listen *ret);

/* Whether failing to listen on this address is no failure: :: of the default on a machine without IPv6. */
bool ela_ip_listen_optional(const struct ela_ip_listen *listen, const struct ela_addr *addr, int err);

/* Logs that addr cannot be listened on, why, and what to do. err: negative errno; ss_flag: the protocol's flag of
 * ss(8). */
void ela_ip_listen_explain(
	const struct ela_host *host, const char *section, char ss_flag, const struct ela_addr *addr, int err);

/* Whether the address is 0.0.0.0 or ::. */
bool ela_ip_is_any(const struct ela_addr *addr);

/* Length of the address in ret, 0 for a family that is not IP. */
socklen_t ela_ip_to_sockaddr(const struct ela_addr *addr, union ela_ip_sockaddr *ret);
/* False for a family that is not IP. */
bool ela_ip_from_sockaddr(const union ela_ip_sockaddr *sockaddr, struct ela_addr *ret);
/* "192.0.2.1:7450", "[2001:db8::1]:7450". */
const char *ela_ip_text(const struct ela_addr *addr, char ret[ELA_IP_TEXT]);

/* An option of type int. 0 or a negative errno. */
static inline int ela_ip_setsockopt(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static inline bool ela_ip6_is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

#endif
