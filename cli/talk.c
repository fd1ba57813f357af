/* SPDX-License-Identifier: Apache-2.0 */
/* talk: a client of the control socket. What comes back is read as strictly as what elad reads, and never trusted to
 * end. */
#include "talk.h"

#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_US (12 * G_USEC_PER_SEC) /* more than the 10 s that elad gives itself */
#define REPLY_MAX (16u * 1024u * 1024u)

void ela_answer_refuse(GString *refusal, struct ela_answer *ret)
{
	ret->text = refusal;
	ret->json = ela_json_read(refusal->str, refusal->len, NULL);
	ret->code = (int)ela_json_get_number(ela_json_get(ret->json, "error"), "code", ELA_CODE_FAILED);
}

void ela_answer_clear(struct ela_answer *answer)
{
	if (answer->text)
		(void)g_string_free(answer->text, TRUE); /* which returns NULL */
	ela_json_free(answer->json);
	*answer = (struct ela_answer){0};
}

static GString *refuse_connect(const struct ela_network_place *place, int err)
{
	g_autofree char *remedy = g_strdup_printf("start it: %s", place->start);

	if (err == EACCES || err == EPERM)
		return ela_refusal(ELA_CODE_PERMISSION, "as root, or as a member of the group " ELA_LISTENER_GROUP,
			"%s: you may not ask this elad", place->socket);
	if (err == ENOENT || err == ECONNREFUSED)
		return ela_refusal(ELA_CODE_NOT_RUNNING, remedy, "%s: no elad is running there", place->socket);
	return ela_refusal(ELA_CODE_FAILED, NULL, "%s: %s", place->socket, g_strerror(err));
}

static int open_socket(const struct ela_network_place *place, GString **ret_refusal)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(place->socket) >= sizeof address.sun_path) {
		*ret_refusal = ela_refusal(ELA_CODE_FAILED, "--dir with a shorter one",
			"%s: is too long for a socket's path, which has 107 bytes at most", place->socket);
		return -1;
	}
	(void)g_strlcpy(address.sun_path, place->socket, sizeof address.sun_path); /* it fits */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	*ret_refusal = refuse_connect(place, errno);
	if (fd >= 0)
		(void)close(fd); /* nothing was said */
	return -1;
}

/* Appends what comes until a line's end, or with until_end until the other end has closed. 0, -errno. */
static int receive(int fd, GString *text, bool until_end, gint64 deadline_us)
{
	char buf[65536];

	while (until_end || !text->len || text->str[text->len - 1] != '\n') {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		gint64 left_ms = (deadline_us - g_get_monotonic_time()) / 1000;
		ssize_t n;

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
			return -ETIMEDOUT;
		n = recv(fd, buf, sizeof buf, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return until_end ? 0 : -ECONNRESET;
		if (text->len + (size_t)n > REPLY_MAX)
			return -EMSGSIZE;
		g_string_append_len(text, buf, n);
	}
	return 0;
}

static GString *refuse_exchange(const struct ela_network_place *place, int err)
{
	if (err == -ETIMEDOUT)
		return ela_refusal(ELA_CODE_TIMEOUT, "look at its log", "%s: elad does not answer", place->socket);
	return ela_refusal(ELA_CODE_FAILED, "look at its log", "%s: %s", place->socket, g_strerror(-err));
}

static GString *write_request(const char *verb, const char *key, const char *argument)
{
	GString *request = g_string_new(NULL);

	ela_json_open(request, NULL, '{');
	ela_json_put(request, "verb", verb);
	if (key)
		ela_json_put(request, key, argument);
	ela_json_close(request, '}');
	return request;
}

/* All of it. 0, -errno: also when it is not taken within our patience. */
static int send_all(int fd, const GString *request)
{
	const struct timeval patience = {.tv_sec = PATIENCE_US / G_USEC_PER_SEC};
	size_t done = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
		return -errno;
	while (done < request->len) {
		ssize_t n = send(fd, request->str + done, request->len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		done += (size_t)n;
	}
	return 0;
}

/* Request out, one line in. NULL when that went well, else the refusal. */
static GString *exchange(
	const struct ela_network_place *place, int fd, const GString *request, GString *text, gint64 deadline_us)
{
	/* Who is busy says so without reading: then the reply is there all the same. */
	int unsent = send_all(fd, request);
	int err = receive(fd, text, false, deadline_us);

	if (err)
		return refuse_exchange(place, unsent ? unsent : err);
	return NULL;
}

/* TAKES request. */
static void talk(
	gint64 patience_us, const struct ela_network_place *place, GString *request, bool until_end, struct ela_answer *ret)
{
	gint64 deadline_us = g_get_monotonic_time() + patience_us;
	GString *refusal = NULL, *text = g_string_new(NULL);
	int fd = open_socket(place, &refusal);

	g_string_append_c(request, '\n');
	if (fd >= 0)
		refusal = exchange(place, fd, request, text, deadline_us);
	(void)g_string_free(request, TRUE); /* which returns NULL */
	if (!refusal) {
		g_string_truncate(text, text->len - 1); /* the line's end */
		ela_answer_refuse(text, ret);
		if (!ret->json) {
			ela_answer_clear(ret);
			text = NULL;
			refusal = ela_refusal(
				ELA_CODE_FAILED, "are ela and elad of one version?", "%s: the reply is no JSON", place->socket);
		} else if (!ela_json_get(ret->json, "error")) {
			ret->code = ELA_CODE_OK;
		}
	}
	if (refusal) {
		if (text)
			(void)g_string_free(text, TRUE); /* which returns NULL */
		ela_answer_refuse(refusal, ret);
	} else if (until_end && ret->code == ELA_CODE_OK) {
		GString *rest = g_string_new(NULL);

		(void)receive(fd, rest, true, deadline_us); /* late: it has still been told */
		(void)g_string_free(rest, TRUE);            /* which returns NULL */
	}
	if (fd >= 0)
		(void)close(fd); /* all was said */
}

void ela_talk(const struct ela_network_place *place, const char *verb, const char *key, const char *argument,
	bool until_end, struct ela_answer *ret)
{
	ela_talk_within(PATIENCE_US, place, verb, key, argument, until_end, ret);
}

void ela_talk_within(gint64 patience_us, const struct ela_network_place *place, const char *verb, const char *key,
	const char *argument, bool until_end, struct ela_answer *ret)
{
	talk(patience_us, place, write_request(verb, key, argument), until_end, ret);
}

void ela_talk_request(const struct ela_network_place *place, GString *request, bool until_end, struct ela_answer *ret)
{
	talk(PATIENCE_US, place, request, until_end, ret);
}
