/* SPDX-License-Identifier: Apache-2.0 */
/* name-server: one A record for every question (RFC 1035 4.1). */
#include "name-server.h"

#include <arpa/inet.h>
#include <glib.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEADER 12u
#define TYPE_A 1u

/* Turns the question in buf[0..n) into its answer, in place; the answer's length, 0 for what is no question. */
static size_t answer(uint8_t *buf, size_t n, size_t room)
{
	static const char record[] = "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" NAME_SERVER_IP4; /* the name is at offset 12 */
	size_t end = HEADER;
	bool is_a;

	while (end < n && buf[end])
		end += buf[end] + 1u;
	end += 5; /* the root, type and class */
	if (n < end || end + sizeof record - 1 > room)
		return 0;
	is_a = buf[end - 3] == TYPE_A;
	buf[2] = 0x84; /* an answer, from who knows */
	buf[3] = 0;
	memset(buf + 6, 0, 6); /* nothing but the question and its answer; other types exist without records */
	if (!is_a)
		return end;
	buf[7] = 1;
	memcpy(buf + end, record, sizeof record - 1);
	return end + sizeof record - 1;
}

/* Until the parent is gone. Its death cannot signal: by then it is a user that may not. */
static void serve(int fd, pid_t parent)
{
	const struct timeval wait = {.tv_usec = 50000};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait); /* cannot fail: the option exists */
	while (getppid() == parent) {
		struct sockaddr_storage from;
		socklen_t len = sizeof from;
		uint8_t buf[1024];
		ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);
		size_t size = n > 0 ? answer(buf, (size_t)n, sizeof buf) : 0;

		if (size)
			(void)sendto(fd, buf, size, 0, (struct sockaddr *)&from, len); /* whoever asks does so again */
	}
}

static bool run(const char *command)
{
	int status;

	return g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) && status == 0;
}

const char *name_server_start(void)
{
	struct sockaddr_storage server = {0};
	char text[INET6_ADDRSTRLEN] = "";
	g_autofree char *command = NULL;
	pid_t parent = getpid();
	bool is_ip4;
	int fd;

	if (res_init() < 0 || _res.nscount < 1)
		return "reading /etc/resolv.conf";
	is_ip4 = _res.nsaddr_list[0].sin_family == AF_INET;
	if (is_ip4) {
		memcpy(&server, &_res.nsaddr_list[0], sizeof _res.nsaddr_list[0]);
		(void)inet_ntop(AF_INET, &_res.nsaddr_list[0].sin_addr, text, sizeof text); /* the room is enough */
	} else {
		memcpy(&server, _res._u._ext.nsaddrs[0], sizeof *_res._u._ext.nsaddrs[0]);
		(void)inet_ntop(AF_INET6, &_res._u._ext.nsaddrs[0]->sin6_addr, text, sizeof text); /* the room is enough */
	}
	command = g_strdup_printf("ip address replace %s/%d dev lo%s", text, is_ip4 ? 32 : 128, is_ip4 ? "" : " nodad");
	if (!run("ip link set lo up") || !run(command))
		return "giving the loopback device the name server's address";
	fd = socket(is_ip4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&server, sizeof server) < 0)
		return "taking the name server's port";
	switch (fork()) {
	case -1:
		return "fork";
	case 0:
		serve(fd, parent);
		_exit(0);
	default:
		(void)close(fd);
		return NULL;
	}
}
