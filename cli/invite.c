/* SPDX-License-Identifier: Apache-2.0 */
/* invite: invite and add-node: tokens, a line each on stdout. */
#include "enter.h"
#include "inet.h"
#include "talk.h"
#include "value.h"
#include "verbs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* ---- when it expires ---- */

bool ela_enter_expires(const struct ela_enter *enter, uint64_t now_s, uint64_t *ret, GString **ret_refusal)
{
	int64_t ns = ELA_INVITE_DEFAULT_S * ELA_NS_PER_S;

	if (enter->expires && (ela_value_duration(enter->expires, &ns) != 0 || ns < ELA_INVITE_MIN_S * ELA_NS_PER_S ||
							  ns > ELA_INVITE_MAX_S * ELA_NS_PER_S)) {
		*ret_refusal =
			ela_refusal(ELA_CODE_USAGE, NULL, "--expires %s: expected a duration 1m..365d such as 7d", enter->expires);
		return false;
	}
	*ret = now_s + (uint64_t)(ns / ELA_NS_PER_S);
	return true;
}

/* ---- where this node is ---- */

static bool from_sockaddr(const struct sockaddr *from, struct ela_addr *ret)
{
	struct ela_addr addr = {0};

	if (from && from->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof in);
		addr.family = ELA_ADDR_IP4;
		memcpy(addr.ip, &in.sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, from, sizeof in6);
		addr.family = ELA_ADDR_IP6;
		memcpy(addr.ip, &in6.sin6_addr, 16);
	} else {
		return false;
	}
	*ret = addr;
	return true;
}

/* A token holds addresses: whoever reads it may have no name server yet. */
static GString *resolve(const char *text, struct ela_endpoint *endpoint)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *all = NULL;
	GString *refusal = NULL;
	int err;

	if (endpoint->addr.family != ELA_ADDR_NONE)
		return NULL;
	err = getaddrinfo(endpoint->host, NULL, &hints, &all);
	if (err != 0 || !from_sockaddr(all->ai_addr, &endpoint->addr))
		refusal = ela_refusal(ELA_CODE_FAILED, "an address instead of the name", "--endpoint %s: %s", text,
			err != 0 ? gai_strerror(err) : "it has no address");
	if (all)
		freeaddrinfo(all);
	return refusal;
}

static GString *add_endpoint(struct ela_inviter *inviter, const char *text)
{
	struct ela_endpoint endpoint = {0};
	struct ela_place place = {0};
	GString *refusal;
	GError *error = NULL;
	int err = ela_inet_endpoint(text, ELA_DEFAULT_PORT, &endpoint);

	if (err != 0)
		return ela_refusal(ELA_CODE_USAGE, NULL,
			"--endpoint %s: expected HOST:PORT such as 192.0.2.1:7450 or [2001:db8::2]:7450", text);
	refusal = resolve(text, &endpoint);
	if (!refusal) {
		ela_inviter_ports(inviter, &place.tcp_port, &place.udp_port);
		place.tcp_port = place.tcp_port != 0 ? endpoint.port : 0;
		place.udp_port = place.udp_port != 0 ? endpoint.port : 0;
		place.addr = endpoint.addr;
		place.addr.port = 0;
		err = ela_inviter_add_place(inviter, &place, &error);
		if (err != 0)
			refusal = ela_refusal(ELA_CODE_USAGE, NULL, "--endpoint %s: %s", text, error->message);
		g_clear_error(&error);
	}
	g_free(endpoint.host);
	return refusal;
}

/* This machine's addresses of that rank, in the kernel's order, as many as fit. */
static void add_addresses(struct ela_inviter *inviter, const struct ifaddrs *all, uint32_t rank)
{
	struct ela_place place = {0};

	ela_inviter_ports(inviter, &place.tcp_port, &place.udp_port);
	for (const struct ifaddrs *at = all; at; at = at->ifa_next)
		if ((at->ifa_flags & IFF_UP) != 0 && from_sockaddr(at->ifa_addr, &place.addr) &&
			ela_inviter_rank(inviter, &place.addr) == rank)
			(void)ela_inviter_add_place(inviter, &place, NULL); /* there is no room, or it is there */
}

/* This machine's, and a warning if nobody far away can call them, who has to. */
static void add_own(struct ela_inviter *inviter, bool is_dialling)
{
	struct ifaddrs *all = NULL;
	uint32_t global;

	(void)getifaddrs(&all); /* none are known then, which is said below */
	add_addresses(inviter, all, 2);
	global = ela_inviter_places(inviter);
	add_addresses(inviter, all, 1);
	if (all)
		freeifaddrs(all);
	if (global == 0 && !is_dialling)
		(void)fprintf(stderr, "ela: warning: %s; for others: --endpoint HOST:PORT\n",
			ela_inviter_places(inviter) > 0
				? "only private addresses of this machine are known, so the token is good on "
				  "its own network alone"
				: "no address of this machine is known, so whoever has the token cannot call "
				  "it"); /* nowhere else to say it */
}

bool ela_enter_places(const struct ela_enter *enter, struct ela_inviter *inviter, bool is_edge, GString **ret_refusal)
{
	for (char **text = enter->endpoints; *text; text++) {
		*ret_refusal = add_endpoint(inviter, *text);
		if (*ret_refusal)
			return false;
	}
	if (*enter->endpoints) {
		ela_inviter_add_known(inviter, ela_inviter_places(inviter));
		return true;
	}
	if (!is_edge)
		add_own(inviter, enter->dial != NULL);
	ela_inviter_add_known(inviter, MIN(ela_inviter_places(inviter), 1));
	if (is_edge && ela_inviter_places(inviter) == 0)
		*ret_refusal = ela_refusal(ELA_CODE_FAILED, "wait until it has met one, or --endpoint HOST:PORT",
			"this node is an edge, which lets nobody in, and knows no core");
	return *ret_refusal == NULL;
}

/* By what its elad says; without one nobody knows. */
static bool is_edge(const struct ela_network_place *place)
{
	struct ela_answer answer = {0};
	const char *role;
	bool edge;

	ela_talk(place, "status", NULL, NULL, false, &answer);
	role = answer.code == ELA_CODE_OK ? ela_json_get_string(ela_json_get(answer.json, "self"), "role") : NULL;
	edge = role && strcmp(role, "edge") == 0;
	ela_answer_clear(&answer);
	return edge;
}

/* ---- who is called ---- */

static GString *check_dial(const char *text)
{
	struct ela_endpoint endpoint = {0};

	if (!text || ela_inet_endpoint(text, ELA_DEFAULT_PORT, &endpoint) == 0) {
		g_free(endpoint.host);
		return NULL;
	}
	return ela_refusal(
		ELA_CODE_USAGE, NULL, "--dial %s: expected HOST:PORT such as 192.0.2.1:7450 or [2001:db8::2]:7450", text);
}

/* elad does it, as long as the token is good. */
static GString *dial(const struct ela_network_place *place, const char *text, uint64_t until_s)
{
	g_autofree char *until = g_strdup_printf("%" G_GUINT64_FORMAT, until_s);
	struct ela_answer answer = {0};
	GString *request = g_string_new(NULL), *refusal = NULL;

	ela_json_open(request, NULL, '{');
	ela_json_put(request, "verb", "dial");
	ela_json_put(request, "endpoint", text);
	ela_json_put(request, "until", until);
	ela_json_close(request, '}');
	ela_talk_request(place, request, false, &answer);
	if (answer.code != ELA_CODE_OK)
		refusal = g_string_new_len(answer.text->str, (gssize)answer.text->len);
	ela_answer_clear(&answer);
	return refusal;
}

/* ---- the verbs ---- */

static void print(const struct ela_enter *enter, const struct ela_printed *tokens, guint n, uint64_t expires_s)
{
	g_autoptr(GString) reply = NULL;

	if (!enter->json) {
		ela_printed_lines(tokens, n);
		return;
	}
	reply = ela_reply_begin();
	ela_printed_put(reply, tokens, n, expires_s);
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
	ela_wipe(reply->str, reply->len);
}

/* One token; its user or node is set already. */
static GString *make(
	struct ela_inviter *inviter, const struct ela_rights *rights, uint64_t expires_s, struct ela_printed *token)
{
	GError *error = NULL;
	int err = token->user ? ela_invite_user(inviter, token->user, rights, expires_s, &token->token, &error)
						  : ela_invite_machine(inviter, token->node, expires_s, &token->token, &error);

	return err == 0 ? NULL : ela_enter_refusal(err, error, ELA_CODE_USAGE);
}

/* All tokens or none: nothing is printed before the last is made. */
static int run(const struct ela_enter *enter, const struct ela_network_place *place, const struct ela_rights *rights,
	struct ela_printed *tokens, guint n)
{
	struct ela_inviter *inviter = NULL;
	GString *refusal = NULL;
	GError *error = NULL;
	uint64_t expires_s = 0;
	int code = ELA_CODE_OK, err;

	refusal = check_dial(enter->dial);
	if (!refusal && ela_enter_expires(enter, ela_enter_now(), &expires_s, &refusal)) {
		err = ela_inviter_new(place->config_dir, place->state_dir, ela_enter_now(), &inviter, &error);
		if (err != 0)
			refusal = ela_enter_refusal(err, error, ELA_CODE_CONFIG);
		else
			(void)ela_enter_places(enter, inviter, is_edge(place), &refusal); /* refusal tells */
	}
	for (guint i = 0; !refusal && i < n; i++)
		refusal = make(inviter, rights, expires_s, &tokens[i]);
	if (!refusal && enter->dial)
		refusal = dial(place, enter->dial, expires_s);
	if (refusal)
		code = ela_run_fail(refusal, enter->json);
	else
		print(enter, tokens, n, expires_s);
	ela_printed_clear(tokens, n);
	ela_inviter_free(inviter);
	return code;
}

int ela_run_invite(const struct ela_enter *enter, const struct ela_network_place *place, char **users)
{
	struct ela_rights rights = {.may_core = !enter->edge_only, .may_invite = enter->may_invite};
	guint n = g_strv_length(users);
	g_autofree struct ela_printed *tokens = g_new0(struct ela_printed, n);
	int64_t nodes = ELA_INVITE_NODES;

	if (enter->max_nodes && (ela_value_int(enter->max_nodes, &nodes) != 0 || nodes < 1 || nodes > ELA_USER_NODES_MAX))
		return ela_run_fail(
			ela_refusal(ELA_CODE_USAGE, NULL, "--max-nodes %s: expected a whole number 1..1024", enter->max_nodes),
			enter->json);
	rights.max_nodes = (uint32_t)nodes;
	for (guint i = 0; i < n; i++) {
		tokens[i].user = users[i];
		for (guint k = 0; k < i; k++)
			if (strcmp(users[i], users[k]) == 0)
				return ela_run_fail(
					ela_refusal(ELA_CODE_USAGE, NULL, "\"%s\" is given twice; a user has one token", users[i]),
					enter->json);
	}
	return run(enter, place, &rights, tokens, n);
}

int ela_run_add_node(const struct ela_enter *enter, const struct ela_network_place *place, const char *node)
{
	struct ela_printed token = {.node = node};

	return run(enter, place, NULL, &token, 1);
}
