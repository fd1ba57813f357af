/* SPDX-License-Identifier: Apache-2.0 */
/* ping: asks elad to ask a node, once a second, and sums up as ping(8) does. */
#include "format.h"
#include "talk.h"
#include "verbs.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#define INTERVAL_US G_USEC_PER_SEC

struct tally {
	const char *asked; /* as typed */
	const char *node;  /* the same, fit to be shown */
	uint32_t sent, answered;
	double min_ms, max_ms, sum_ms;
	GString *json; /* the items of "answers"; NULL = for people */
};

/* SIGINT ends the loop, not the summary: it is taken from sigtimedwait(), which also is the pause. */
static void hold_interrupt(sigset_t *ret)
{
	(void)sigemptyset(ret); /* these three cannot fail: the numbers are good */
	(void)sigaddset(ret, SIGINT);
	(void)sigprocmask(SIG_BLOCK, ret, NULL);
}

/* True when it is over. */
static bool pause_until(const sigset_t *interrupt, gint64 until_us)
{
	gint64 left_us = MAX(until_us - g_get_monotonic_time(), 0);
	const struct timespec left = {left_us / G_USEC_PER_SEC, (left_us % G_USEC_PER_SEC) * 1000};

	return sigtimedwait(interrupt, NULL, &left) == SIGINT;
}

static void note_answer(struct tally *t, double rtt_ms)
{
	char rtt[ELA_FORMAT_LEN];

	t->answered++;
	t->sum_ms += rtt_ms;
	t->min_ms = t->answered == 1 ? rtt_ms : MIN(t->min_ms, rtt_ms);
	t->max_ms = MAX(t->max_ms, rtt_ms);
	ela_format_ms(rtt_ms, rtt);
	if (t->json)
		ela_json_put_number(t->json, NULL, rtt_ms, 3);
	else
		(void)printf("answer from %s: seq=%u time=%s\n", t->node, t->sent, rtt); /* stdout is checked at the end */
}

static void note_silence(struct tally *t, const struct ela_json *reply)
{
	g_autofree char *text = ela_format_text(ela_json_get_string(ela_json_get(reply, "error"), "text"));

	if (t->json)
		ela_json_put_null(t->json, NULL);
	else
		(void)printf("%s: seq=%u\n", text, t->sent); /* as above */
}

static void sum_up(const struct tally *t)
{
	char min[ELA_FORMAT_LEN], mean[ELA_FORMAT_LEN], max[ELA_FORMAT_LEN], loss[ELA_FORMAT_LEN];

	ela_format_part(t->sent ? 1 - (double)t->answered / t->sent : NAN, loss);
	(void)printf("--- %s ping statistics ---\n%u sent, %u answered, %s loss\n", t->node, t->sent, t->answered, loss);
	if (!t->answered)
		return;
	ela_format_ms(t->min_ms, min);
	ela_format_ms(t->sum_ms / t->answered, mean);
	ela_format_ms(t->max_ms, max);
	(void)printf("rtt min %s, mean %s, max %s\n", min, mean, max);
}

static void sum_up_json(struct tally *t)
{
	g_autoptr(GString) reply = ela_reply_begin();
	double none = t->answered ? 1 : NAN; /* NAN makes null */

	ela_json_open(reply, "ping", '{');
	ela_json_put(reply, "name", t->node);
	ela_json_put_count(reply, "sent", t->sent);
	ela_json_put_count(reply, "answered", t->answered);
	ela_json_put_number(reply, "loss", t->sent ? 1 - (double)t->answered / t->sent : NAN, 4);
	ela_json_put_number(reply, "min_ms", t->min_ms * none, 3);
	ela_json_put_number(reply, "mean_ms", t->sum_ms / MAX(t->answered, 1) * none, 3);
	ela_json_put_number(reply, "max_ms", t->max_ms * none, 3);
	g_string_append_printf(reply, ",\"answers\":[%s]", t->json->str);
	ela_json_close(reply, '}');
	ela_json_close(reply, '}');
	(void)puts(reply->str); /* stdout is checked at the end */
}

/* One question. False: there is no point in asking again; the refusal has been shown. */
static bool ask(const struct ela_network_place *place, struct tally *t, int *ret_code)
{
	struct ela_answer answer = {0};
	bool go_on = true;

	ela_talk(place, "ping", "node", t->asked, false, &answer);
	if (answer.code == ELA_CODE_OK || answer.code == ELA_CODE_TIMEOUT)
		t->sent++;
	if (answer.code == ELA_CODE_OK) {
		note_answer(t, ela_json_get_number(ela_json_get(answer.json, "ping"), "rtt_ms", 0));
	} else if (answer.code == ELA_CODE_TIMEOUT) {
		note_silence(t, answer.json);
	} else {
		*ret_code = ela_run_refuse(&answer, t->json != NULL);
		go_on = false;
	}
	(void)fflush(stdout); /* a failure stays on record until the end */
	ela_answer_clear(&answer);
	return go_on;
}

int ela_run_ping(const struct ela_network_place *place, const char *node, uint32_t count, bool json)
{
	g_autofree char *shown = ela_format_text(node);
	struct tally t = {.asked = node, .node = shown, .json = json ? g_string_new(NULL) : NULL};
	gint64 next_us = g_get_monotonic_time();
	int code = -1;
	sigset_t interrupt;

	hold_interrupt(&interrupt);
	if (!json)
		(void)printf("PING %s over its session\n", t.node); /* stdout is checked at the end */
	do {
		if (!ask(place, &t, &code))
			break;
		next_us += INTERVAL_US;
	} while (t.sent != count && !pause_until(&interrupt, next_us));
	if (code < 0 && json)
		sum_up_json(&t);
	else if (code < 0)
		sum_up(&t);
	if (t.json)
		(void)g_string_free(t.json, TRUE); /* which returns NULL */
	return code >= 0 ? code : t.answered ? ELA_CODE_OK : ELA_CODE_FAILED;
}
