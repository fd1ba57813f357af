/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: status, peers and why in lines and columns. Text of the reply is shown without bytes that steer a terminal; a
 * member that is missing or null is "-", or left out.
 */
#include "show.h"

#include "format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define N_COLUMNS 9u
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
	return g_strdup_printf(
		"%s%s %s %s", is_state(peer, "silent") ? "silent, " : "", hops->len ? hops->str : "direct", transport, remote);
}

static void fill_row(const struct ela_json *peer, char **row)
{
	char rtt[ELA_FORMAT_LEN], loss[ELA_FORMAT_LEN], in[ELA_FORMAT_LEN], out[ELA_FORMAT_LEN], age[ELA_FORMAT_LEN];
	double mtu = ela_json_get_number(peer, "mtu", NAN);

	ela_format_ms(ela_json_get_number(peer, "rtt_ms", NAN), rtt);
	ela_format_part(ela_json_get_number(peer, "loss", NAN), loss);
	ela_format_bytes(ela_json_get_number(peer, "rx_bytes", NAN), in);
	ela_format_bytes(ela_json_get_number(peer, "tx_bytes", NAN), out);
	ela_format_time(ela_json_get_number(peer, "age_s", NAN), age);
	row[0] = text_of(peer, "address");
	row[1] = text_of(peer, "name");
	row[2] = path_of(peer);
	row[3] = g_strdup(rtt);
	row[4] = g_strdup(loss);
	row[5] = isfinite(mtu) ? g_strdup_printf("%.0f", mtu) : g_strdup("-");
	row[6] = g_strdup(in);
	row[7] = g_strdup(out);
	row[8] = g_strdup(age);
}

static void print_row(char *const *row, const size_t *widths, const char *start, const char *end)
{
	(void)fputs(start, stdout); /* all of stdout is checked at the end */
	for (guint i = 0; i + 1 < N_COLUMNS; i++)
		(void)printf("%-*s  ", (int)widths[i], row[i]); /* as above */
	(void)printf("%s%s\n", row[N_COLUMNS - 1], end);    /* as above */
}

static const char *colour_of(const struct ela_json *peer)
{
	if (is_state(peer, "up"))
		return GREEN;
	return is_state(peer, "waiting") ? DIM : YELLOW;
}

void ela_show_peers(const struct ela_json *reply, bool colour)
{
	static const char *const heads[N_COLUMNS] = {"ADDRESS", "NAME", "PATH", "RTT", "LOSS", "MTU", "IN", "OUT", "SINCE"};
	const struct ela_json *peers = ela_json_get(reply, "peers");
	guint n = ela_json_length(peers) + 1;
	g_autofree char **cells = g_new0(char *, (gsize)n *N_COLUMNS);
	size_t widths[N_COLUMNS] = {0};

	for (guint i = 0; i < N_COLUMNS; i++)
		cells[i] = g_strdup(heads[i]);
	for (guint i = 1; i < n; i++)
		fill_row(ela_json_item(peers, i - 1), cells + (gsize)i * N_COLUMNS);
	for (gsize i = 0; i < (gsize)n * N_COLUMNS; i++)
		widths[i % N_COLUMNS] = MAX(widths[i % N_COLUMNS], strlen(cells[i]));
	for (guint i = 0; n > 1 && i < n; i++) {
		const char *start = !colour ? "" : i ? colour_of(ela_json_item(peers, i - 1)) : DIM;

		print_row(cells + (gsize)i * N_COLUMNS, widths, start, colour ? PLAIN : "");
	}
	for (gsize i = 0; i < (gsize)n * N_COLUMNS; i++)
		g_free(cells[i]);
}

/* ---- status ---- */

static guint count_up(const struct ela_json *peers)
{
	guint up = 0;

	for (guint i = 0; i < ela_json_length(peers); i++)
		up += is_state(ela_json_item(peers, i), "up");
	return up;
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
	const struct ela_json *ways = ela_json_get(why, "ways");
	g_autofree char *name = text_of(why, "name"), *state = text_of(why, "state");

	(void)printf("%s: %s\n", name, state); /* all of stdout is checked at the end */
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
