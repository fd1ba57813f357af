/* SPDX-License-Identifier: Apache-2.0 */
/* tun-node: see tun-node.h. The thread of the test. */
#include "tun-node.h"

#include "test-netns.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_LEN (256u * 1024)
#define ARENA_SKEW 5u /* the arena of a host need not be aligned */

static uint32_t list_len(const char *const *list)
{
	uint32_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/*
 * The kernel makes an IPv6 address usable in a work queue of its own, a moment after it was added; until its local
 * route is there, packets to it are dropped.
 */
static void wait_for_ip6(const char *address)
{
	char ip[64], line[256], wanted[40];
	uint8_t bytes[16];

	(void)snprintf(ip, sizeof ip, "%.*s", (int)strcspn(address, "/"), address);
	ck_assert_int_eq(inet_pton(AF_INET6, ip, bytes), 1);
	for (int i = 0; i < 16; i++)
		(void)sprintf(wanted + 2 * i, "%02x", bytes[i]);
	strcpy(wanted + 32, " 80 "); /* the length, 128 */
	for (int tries = 0; tries < 200; tries++) {
		FILE *f = fopen("/proc/net/ipv6_route", "re");
		bool found = false;

		ck_assert_ptr_nonnull(f);
		while (!found && fgets(line, sizeof line, f))
			found = !strncmp(line, wanted, 36);
		(void)fclose(f); /* only read */
		if (found)
			return;
		(void)usleep(5000);
	}
	ck_abort_msg("no local route to %s", address);
}

int tun_node_open(struct tun_node *node, const struct tun_wish *wish)
{
	static const char *const addresses[] = {"10.88.0.1/24", NULL};
	const struct ela_plugin *plugin = test_plugin_load(NPD_TUN_SO);
	struct ela_npd_config config = {
		.addresses = wish->addresses ? wish->addresses : addresses,
		.n_queues = wish->n_queues ? wish->n_queues : 1,
		.mtu = wish->mtu ? wish->mtu : 1380,
		.gso_max_segs = wish->gso_max_segs,
		.routes = wish->routes,
		.n_routes = list_len(wish->routes),
	};
	int err;

	memset(node, 0, sizeof *node);
	config.n_addresses = list_len(config.addresses);
	node->ops = plugin->ops;
	node->th = test_host_new(plugin, config.n_queues, wish->options);
	node->arena_len = ARENA_LEN;
	node->arena = malloc(ARENA_LEN + ARENA_SKEW);
	ck_assert_ptr_nonnull(node->arena);
	err = node->ops->create(&node->th->host, &node->self);
	if (!err)
		err = node->ops->open(node->self, &config, &node->info);
	for (uint32_t i = 0; i < config.n_addresses && !err; i++)
		if (strchr(config.addresses[i], ':'))
			wait_for_ip6(config.addresses[i]);
	return err;
}

void tun_node_free(struct tun_node *node)
{
	if (node->self)
		node->ops->close(node->self);
	node->ops->destroy(node->self);
	test_host_free(node->th);
	free(node->arena);
	memset(node, 0, sizeof *node);
}

static void check_packet(const struct tun_node *node, const struct ela_packet *pkt, const uint8_t *free_from)
{
	const uint8_t *arena = node->arena + ARENA_SKEW;

	ck_assert_msg((uintptr_t)pkt->data % 16 == 0, "not at a multiple of 16");
	ck_assert_msg(pkt->data >= free_from + TUN_NODE_HEADROOM, "no headroom");
	ck_assert_msg(pkt->data + pkt->len + 64 <= arena + node->arena_len, "no tail");
	ck_assert_msg(pkt->len >= 20 && (pkt->data[0] >> 4 == 4 || pkt->data[0] >> 4 == 6), "not IP");
	ck_assert_uint_eq(pkt->n_more, 0);
	ck_assert_uint_eq(pkt->len_total, 0);
	ck_assert_uint_eq(pkt->hdr_len, 0);
	if (!(node->info.caps & ELA_NPD_CSUM))
		ck_assert_uint_eq(pkt->flags & ELA_PACKET_NEEDS_CSUM, 0);
	if (pkt->gso_type == ELA_GSO_TCP4)
		ck_assert(node->info.caps & ELA_NPD_TSO4);
	if (pkt->gso_type == ELA_GSO_TCP6)
		ck_assert(node->info.caps & ELA_NPD_TSO6);
	if (pkt->gso_type == ELA_GSO_UDP4 || pkt->gso_type == ELA_GSO_UDP6)
		ck_assert(node->info.caps & ELA_NPD_USO);
}

uint32_t tun_node_read(struct tun_node *node, uint32_t queue)
{
	const uint8_t *free_from = node->arena + ARENA_SKEW;
	int err = 0, n;

	memset(node->pkts, 0xa5, sizeof node->pkts);
	n = node->ops->read_burst(node->self, queue, node->arena + ARENA_SKEW, node->arena_len, TUN_NODE_HEADROOM,
		node->pkts, TUN_NODE_BURST, &err);
	ck_assert_int_ge(n, 0);
	if (!n)
		ck_assert_int_eq(err, -EAGAIN);
	for (int i = 0; i < n; i++) {
		check_packet(node, &node->pkts[i], free_from);
		free_from = node->pkts[i].data + node->pkts[i].len;
	}
	return (uint32_t)n;
}

uint32_t tun_node_wait(struct tun_node *node, uint32_t queue)
{
	struct pollfd fd = {.fd = node->ops->queue_fd(node->self, queue), .events = POLLIN};

	ck_assert_int_ge(fd.fd, 0);
	for (int tries = 0; tries < 100; tries++) {
		uint32_t n = tun_node_read(node, queue);

		if (n)
			return n;
		(void)poll(&fd, 1, 10); /* whatever it says, the read tells */
	}
	return 0;
}

int tun_node_write(struct tun_node *node, uint32_t queue, const struct ela_packet *pkt)
{
	int err = 0, n = node->ops->write_burst(node->self, queue, pkt, 1, &err);

	if (n == 1)
		return 0;
	ck_assert_int_eq(n, 0);
	ck_assert_int_lt(err, 0);
	return err;
}

void tun_node_need_root(void)
{
	pid_t pid = fork();
	int status = 0, fd;

	if (!pid) {
		test_netns_enter();
		fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fprintf(stderr, "skipped: needs /dev/net/tun: %s\n", strerror(errno));
		_exit(fd < 0 ? 77 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		exit(99);
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}
