/* SPDX-License-Identifier: Apache-2.0 */
/* test-udp-node: see test-udp-node.h. */
#include "test-udp-node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static const struct ela_plugin *plugin; /* set once, before the tests */

void udp_load(const char *file)
{
	plugin = test_plugin_load(file);
}

const struct ela_plugin *udp_plugin(void)
{
	return plugin;
}

const struct ela_transport_ops *udp_ops(void)
{
	return plugin->ops;
}

const char *const options_a[2][3] = {{"listen=127.0.0.1", "port=7451"}, {"listen=::1", "port=7451"}};
const char *const options_b[2][3] = {{"listen=127.0.0.1", "port=7450"}, {"listen=::1", "port=7450"}};

void node_open(struct node *node, uint32_t n_lanes, const char *const *options)
{
	*node = (struct node){.th = test_host_new(plugin, n_lanes, options), .room = malloc((size_t)BURST * ROOM)};
	ck_assert_ptr_nonnull(node->room);
	for (uint32_t k = 0; k < BURST; k++)
		node->trains[k] = (struct ela_train){.data = node->room + (size_t)k * ROOM, .room = ROOM};
	ck_assert_int_eq(udp_ops()->create(&node->th->host, &node->self), 0);
}

void node_start(struct node *node, uint32_t n_lanes, const char *const *options)
{
	int err;

	node_open(node, n_lanes, options);
	err = udp_ops()->start(node->self, n_lanes);
	ck_assert_msg(err == 0, "start: %s: %s", strerror(-err), test_host_log(node->th));
}

void node_close(struct node *node)
{
	udp_ops()->stop(node->self);
	udp_ops()->destroy(node->self);
	test_host_free(node->th);
	free(node->room);
}

uint64_t counter(const struct node *node, const char *name)
{
	return test_host_counter(node->th, name);
}

uint32_t max_segments(const struct node *node)
{
	struct ela_transport_info info;

	udp_ops()->info(node->self, &info);
	return info.max_segments;
}

struct ela_addr addr_of(const char *ip, uint16_t port)
{
	struct ela_addr addr = {.port = port, .family = strchr(ip, ':') ? ELA_ADDR_IP6 : ELA_ADDR_IP4};

	ck_assert_int_eq(inet_pton(addr.family == ELA_ADDR_IP6 ? AF_INET6 : AF_INET, ip, addr.ip), 1);
	return addr;
}

struct ela_path path_to(const char *ip, uint16_t port)
{
	return (struct ela_path){.remote = addr_of(ip, port)};
}

struct ela_path path_b(int i)
{
	return path_to(i ? "::1" : "127.0.0.1", PORT);
}

void assert_addr_eq(const struct ela_addr *found, const char *ip, uint16_t port)
{
	struct ela_addr wanted = addr_of(ip, port);

	ck_assert_mem_eq(found, &wanted, sizeof wanted);
}

void wait_readable(const struct node *node, int timeout_ms)
{
	struct pollfd fds[2];
	nfds_t n = 0;

	for (uint32_t k = 0; k < 2; k++) {
		int fd = udp_ops()->lane_fd(node->self, 0, k);

		if (fd >= 0)
			fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	ck_assert_int_ge(poll(fds, n, timeout_ms), 0);
}

uint32_t read_bytes(struct node *node, uint64_t n_bytes)
{
	uint32_t n = 0;
	uint64_t got = 0;

	while (got < n_bytes) {
		int err = 0, r = udp_ops()->read_burst(node->self, 0, &node->trains[n], BURST - n, &err);

		ck_assert_int_ge(r, 0);
		if (r == 0) {
			struct pollfd fd = {.fd = udp_ops()->lane_fd(node->self, 0, 0), .events = POLLIN};

			ck_assert_int_eq(err, -EAGAIN);
			ck_assert_msg(poll(&fd, 1, 2000) == 1, "%lu of %lu bytes came", (unsigned long)got, (unsigned long)n_bytes);
		}
		for (; r > 0; r--)
			got += node->trains[n++].len;
	}
	ck_assert_uint_eq(got, n_bytes);
	return n;
}

void assert_dry(struct node *node)
{
	int err = 0;

	ck_assert_int_eq(udp_ops()->read_burst(node->self, 0, node->trains, BURST, &err), 0);
	ck_assert_int_eq(err, -EAGAIN);
}

void send_all(struct node *node, const struct ela_send *sends, uint32_t n)
{
	int err = 0, sent = udp_ops()->send_burst(node->self, 0, sends, n, &err);

	ck_assert_msg(sent == (int)n, "sent %d of %u: %s", sent, n, strerror(-err));
}

void fill_random(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)rand_r(&seed);
}

Suite *suite_of(const char *name, const TTest *const *both, size_t n_both, const TTest *const *once, size_t n_once)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("loopback");

	tcase_set_timeout(tcase, 60);
	for (size_t k = 0; k < n_both; k++)
		tcase_add_loop_test(tcase, both[k], 0, 2);
	for (size_t k = 0; k < n_once; k++)
		tcase_add_test(tcase, once[k]);
	suite_add_tcase(suite, tcase);
	return suite;
}
