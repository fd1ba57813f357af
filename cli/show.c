/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: status, peers, leases, users and why in lines and columns. Text of the reply is shown without bytes that steer
 * a terminal; a member that is missing or null is "-", or left out.
 */
#include "show.h"

#include "format.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static char *text_of(const struct ela_json *json, const char *key)
{
	return ela_format_text(ela_json_get_string(json, key));
}

/* ---- peers: a table as wide as what is in it ---- */

static bool is_state(const struct ela_json *peer, const char *state)
{
	return g_strcmp0(ela_json_get_string(peer, "state"), state) == 0;
}

/* "direct udp", "via c, tcp" or what keeps it from being there. */
static char *path_of(const struct ela_json *peer)
{
	const struct ela_json *via = ela_json_get(peer, "via");
	const char *silent = is_state(peer, "silent") ? "silent, " : "";
	g_autofree char *transport = text_of(peer, "transport"), *remote = text_of(peer, "remote");
	g_autoptr(GString) hops = g_string_new(NULL);

	if (is_state(peer, "waiting"))
		return g_strdup("waits to be called");
	if (is_state(peer, "calling"))
		return g_strdup("calling");
	for (guint i = 0; i < ela_json_length(via); i++) {
		g_autofree char *hop = ela_format_text(ela_json_item(via, i)->string);

		g_string_append_printf(hops, "%s%s", i ? ", " : "via ", hop);
	}
	if (hops->len)
		return g_strdup_printf("%s%s %s", silent, hops->str, transport);
	return g_strdup_printf("%sdirect %s %s", silent, transport, remote);
}

/* has_ring: with user and role. */
static void fill_row(const struct ela_json *peer, bool has_ring, char **row)
{
	char rtt[ELA_FORMAT_LEN], loss[ELA_FORMAT_LEN], in[ELA_FORMAT_LEN], out[ELA_FORMAT_LEN], age[ELA_FORMAT_LEN];
	double mtu = ela_json_get_number(peer, "mtu", NAN);

	ela_format_ms(ela_json_get_number(peer, "rtt_ms", NAN), rtt);
	ela_format_part(ela_json_get_number(peer, "loss", NAN), loss);
	ela_format_bytes(ela_json_get_number(peer, "rx_bytes", NAN), in);
	ela_format_bytes(ela_json_get_number(peer, "tx_bytes", NAN), out);
	ela_format_time(ela_json_get_number(peer, "age_s", NAN), age);
	*row++ = text_of(peer, "address");
	*row++ = text_of(peer, "name");
	if (has_ring) {
		*row++ = text_of(peer, "user");
		*row++ = text_of(peer, "role");
	}
	*row++ = path_of(peer);
	*row++ = g_strdup(rtt);
	*row++ = g_strdup(loss);
	*row++ = isfinite(mtu) ? g_strdup_printf("%.0f", mtu) : g_strdup("-");
	*row++ = g_strdup(in);
	*row++ = g_strdup(out);
	*row = g_strdup(age);
}

static const char *colour_of(const struct ela_json *peer)
{
	if (is_state(peer, "up"))
		return GREEN;
	return is_state(peer, "waiting") ? DIM : YELLOW;
}

static bool has_ring(const struct ela_json *peers)
{
	for (guint i = 0; i < ela_json_length(peers); i++)
		if (ela_json_get_string(ela_json_item(peers, i), "user") ||
			ela_json_get_string(ela_json_item(peers, i), "role"))
			return true;
	return false;
}

void ela_show_peers(const struct ela_json *reply, bool colour)
{
	static const char *const heads[] = {"ADDRESS", "NAME", "PATH", "RTT", "LOSS", "MTU", "IN", "OUT", "SINCE"};
	static const char *const ring_heads[] = {
		"ADDRESS", "NAME", "USER", "ROLE", "PATH", "RTT", "LOSS", "MTU", "IN", "OUT", "SINCE"};
	const struct ela_json *peers = ela_json_get(reply, "peers");
	bool ring = has_ring(peers);
	struct ela_table *table =
		ring ? ela_table_new(ring_heads, G_N_ELEMENTS(ring_heads)) : ela_table_new(heads, G_N_ELEMENTS(heads));
	char *cells[G_N_ELEMENTS(ring_heads)];

	for (guint i = 0; i < ela_json_length(peers); i++) {
		fill_row(ela_json_item(peers, i), ring, cells);
		ela_table_add(table, cells, colour ? colour_of(ela_json_item(peers, i)) : "", colour ? PLAIN : "");
	}
	ela_table_print(table, colour ? DIM : "", colour ? PLAIN : "");
	ela_table_free(table);
}

/* ---- leases ---- */

char *ela_show_day(double unix_s)
{
	g_autoptr(GDateTime) time =
		isfinite(unix_s) && fabs(unix_s) < 1e11 ? g_date_time_new_from_unix_utc((gint64)unix_s) : NULL;

	return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("-");
}

static bool is_true(const struct ela_json *json, const char *key)
{
	const struct ela_json *member = ela_json_get(json, key);

	return member && member->type == ELA_JSON_BOOL && member->boolean;
}

void ela_show_leases(const struct ela_json *reply, bool colour)
{
	static const char *const heads[] = {"ADDRESS", "NODE", "USER", "SINCE", "STATE"};
	const struct ela_json *leases = ela_json_get(reply, "leases");
	struct ela_table *table = ela_table_new(heads, G_N_ELEMENTS(heads));

	for (guint i = 0; i < ela_json_length(leases); i++) {
		const struct ela_json *lease = ela_json_item(leases, i);
		bool is_online = is_true(lease, "online");
		char away[ELA_FORMAT_LEN], *cells[G_N_ELEMENTS(heads)];

		ela_format_time(ela_json_get_number(lease, "age_s", NAN), away);
		cells[0] = text_of(lease, "address");
		cells[1] = text_of(lease, "name");
		cells[2] = text_of(lease, "user");
		cells[3] = ela_show_day(ela_json_get_number(lease, "since_s", NAN));
		cells[4] = is_online ? g_strdup("online") : g_strdup_printf("away for %s", away);
		ela_table_add(table, cells, !colour ? "" : is_online ? GREEN : DIM, colour ? PLAIN : "");
	}
	ela_table_print(table, colour ? DIM : "", colour ? PLAIN : "");
	ela_table_free(table);
}

/* ---- users ---- */

static char *kept_of(const struct ela_json *user)
{
	const struct ela_json *kept = ela_json_get(user, "reserved");
	GString *text = g_string_new(ela_json_length(kept) ? NULL : "-");

	for (guint i = 0; i < ela_json_length(kept); i++)
		g_string_append_printf(text, "%s%s", i ? ", " : "", ela_json_item(kept, i)->string);
	return g_string_free(text, FALSE);
}

static const char *state_of(const struct ela_json *user)
{
	if (is_true(user, "revoked"))
		return "revoked";
	if (is_true(user, "owner"))
		return "owner";
	return is_true(user, "listed") ? "listed" : "enrolled";
}

void ela_show_users(const struct ela_json *reply, bool colour)
{
	static const char *const heads[] = {"USER", "CORE", "INVITE", "NODES", "KEPT ADDRESSES", "STATE"};
	const struct ela_json *users = ela_json_get(reply, "users"), *list = ela_json_get(reply, "list");
	struct ela_table *table = ela_table_new(heads, G_N_ELEMENTS(heads));
	g_autofree char *until = ela_show_day(ela_json_get_number(list, "valid_until", NAN));

	for (guint i = 0; i < ela_json_length(users); i++) {
		const struct ela_json *user = ela_json_item(users, i);
		char *cells[G_N_ELEMENTS(heads)];

		cells[0] = text_of(user, "name");
		cells[1] = g_strdup(is_true(user, "may_be_core") ? "yes" : "no");
		cells[2] = g_strdup(is_true(user, "may_invite") ? "yes" : "no");
		cells[3] = g_strdup_printf(
			"%.0f of %.0f", ela_json_get_number(user, "nodes", 0), ela_json_get_number(user, "max_nodes", 0));
		cells[4] = kept_of(user);
		cells[5] = g_strdup(state_of(user));
		ela_table_add(table, cells, colour && is_true(user, "revoked") ? DIM : "", colour ? PLAIN : "");
	}
	ela_table_print(table, colour ? DIM : "", colour ? PLAIN : "");
	ela_table_free(table);
	(void)printf("list %.0f.%.0f, good until %s\n", ela_json_get_number(list, "epoch", 0),
		ela_json_get_number(list, "version", 0), until); /* all of stdout is checked at the end */
}

/* ---- status ---- */

static guint count_up(const struct ela_json *peers)
{
	guint up = 0;

	for (guint i = 0; i < ela_json_length(peers); i++)
		up += is_state(ela_json_item(peers, i), "up");
	return up;
}

/* The name of the peer with this ID; g_free. */
static char *name_of_id(const struct ela_json *status, const char *id)
{
	const struct ela_json *peers = ela_json_get(status, "peers");

	for (guint i = 0; i < ela_json_length(peers); i++)
		if (g_strcmp0(ela_json_get_string(ela_json_item(peers, i), "id"), id) == 0)
			return text_of(ela_json_item(peers, i), "name");
	return ela_format_text(id);
}

/* "core: TCP and UDP confirmed by 2 of 2" and where in the ring that is, in front of who. */
static void show_role(const struct ela_json *status, const struct ela_json *self)
{
	const struct ela_json *ring = ela_json_get(self, "ring");
	const char *role = ela_json_get_string(self, "role"), *parent = ela_json_get_string(self, "parent");
	const char *spare = ela_json_get_string(self, "spare");
	double place = ela_json_get_number(ring, "place", NAN), cores = ela_json_get_number(ring, "cores", 0);
	g_autofree char *reason = text_of(self, "reason"), *name = parent ? name_of_id(status, parent) : NULL;
	g_autofree char *spare_name = spare ? name_of_id(status, spare) : NULL;

	(void)printf("%s: %s; ", role ? role : "joining", reason); /* all of stdout is checked at the end */
	if (is_true(ring, "alone"))
		(void)printf("alone in its ring, "); /* as above */
	else if (isfinite(place))
		(void)printf("core %.0f of %.0f in the ring, ", place, cores); /* as above */
	else if (name)
		(void)printf("parent %s, %s%s, %.0f cores, ", name, spare_name ? "spare " : "no spare",
			spare_name ? spare_name : "", cores);                        /* as above */
	(void)printf("%.0f nodes; ", ela_json_get_number(ring, "nodes", 0)); /* as above */
}

/* Who, what and for how long, on one line. */
static void show_self(const struct ela_json *status)
{
	const struct ela_json *self = ela_json_get(status, "self"), *ports = ela_json_get(self, "ports");
	const struct ela_json *peers = ela_json_get(status, "peers");
	g_autofree char *name = text_of(self, "name"), *address = text_of(self, "address"), *id = text_of(self, "id");
	g_autofree char *device = text_of(self, "device"), *address6 = text_of(self, "address6");
	char uptime[ELA_FORMAT_LEN];

	ela_format_time(ela_json_get_number(self, "uptime_s", NAN), uptime);
	if (ela_json_length(ela_json_get(self, "ring")))
		show_role(status, self);
	(void)printf("%s %s", name, address); /* all of stdout is checked at the end */
	if (ela_json_get_string(self, "address6"))
		(void)printf(" %s", address6); /* as above */
	(void)printf(" on %s, node %s,", device, id);
	for (guint i = 0; i < ela_json_length(ports); i++) {
		g_autofree char *transport = ela_format_text(ela_json_item(ports, i)->key);

		(void)printf(" %s %.0f,", transport, ela_json_item(ports, i)->number);
	}
	(void)printf(" %u of %u peers up, for %s\n", count_up(peers), ela_json_length(peers), uptime);
}

static void show_health(const struct ela_json *health, bool colour)
{
	for (guint i = 0; i < ela_json_length(health); i++) {
		const struct ela_json *item = ela_json_item(health, i);
		g_autofree char *text = text_of(item, "text"), *remedy = text_of(item, "remedy");

		(void)printf("%shealth: %s; remedy: %s%s\n", colour ? YELLOW : "", text, remedy, colour ? PLAIN : "");
	}
	if (ela_json_length(health) == 0)
		(void)printf("%shealth: good%s\n", colour ? GREEN : "", colour ? PLAIN : "");
}

void ela_show_status(const struct ela_json *status, bool colour)
{
	show_self(status);
	ela_show_peers(status, colour);
	show_health(ela_json_get(status, "health"), colour);
}

/* ---- why ---- */

static void show_way(const struct ela_json *way)
{
	g_autofree char *transport = text_of(way, "transport"), *remote = text_of(way, "remote");
	g_autofree char *result = text_of(way, "result"), *error = text_of(way, "error");
	char tried[ELA_FORMAT_LEN], answered[ELA_FORMAT_LEN];

	ela_format_time(ela_json_get_number(way, "tried_s", NAN), tried);
	ela_format_time(ela_json_get_number(way, "answered_s", NAN), answered);
	(void)printf("  way: %s at %s: %s", transport, remote, result); /* all of stdout is checked at the end */
	if (ela_json_get_string(way, "error"))
		(void)printf(" (%s)", error); /* as above */
	(void)printf("; tries: %.0f, the last %s ago", ela_json_get_number(way, "tries", 0), tried);
	if (strcmp(answered, "-") != 0)
		(void)printf("; answered %s ago", answered);
	(void)printf("\n");
}

void ela_show_why(const struct ela_json *reply)
{
	const struct ela_json *why = ela_json_get(reply, "why"), *reasons = ela_json_get(why, "reasons");
	const struct ela_json *ways = ela_json_get(why, "ways"), *hops = ela_json_get(why, "hops");
	g_autofree char *name = text_of(why, "name"), *state = text_of(why, "state");

	(void)printf("%s: %s\n", name, state); /* all of stdout is checked at the end */
	for (guint i = 0; i < ela_json_length(hops); i++) {
		g_autofree char *hop = text_of(ela_json_item(hops, i), "name"), *text = text_of(ela_json_item(hops, i), "why");

		(void)printf("  hop %u: %s: %s\n", i + 1, hop, text); /* as above */
	}
	for (guint i = 0; i < ela_json_length(reasons); i++) {
		g_autofree char *text = ela_format_text(ela_json_item(reasons, i)->string);

		(void)printf("  because: %s\n", text); /* as above */
	}
	for (guint i = 0; i < ela_json_length(ways); i++)
		show_way(ela_json_item(ways, i));
}

/* ---- refusals ---- */

void ela_show_refusal(const struct ela_json *reply)
{
	const struct ela_json *error = ela_json_get(reply, "error"), *errors = ela_json_get(reply, "errors");
	g_autofree char *text = text_of(error, "text"), *remedy = text_of(error, "remedy");

	(void)fprintf(stderr, "ela: %s", text); /* there is nowhere else to say it */
	for (guint i = 1; i < ela_json_length(errors); i++) {
		g_autofree char *further = ela_format_text(ela_json_item(errors, i)->string);

		(void)fprintf(stderr, "\nela: %s", further); /* as above */
	}
	if (ela_json_get_string(error, "remedy"))
		(void)fprintf(stderr, "; remedy: %s", remedy); /* as above */
	(void)fputc('\n', stderr);                         /* as above */
}
