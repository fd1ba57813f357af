/* SPDX-License-Identifier: Apache-2.0 */
/* node-tell: what a node says of itself: its counters, the line of "ready". Control thread. */
#include "own.h"

static uint64_t sum_stat(struct ela_node *node, uint32_t stat)
{
	uint64_t sum = __atomic_load_n(&node->stats.v[stat], __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < node->n_lanes; i++)
		if (node->lanes[i])
			sum += __atomic_load_n(&node->lanes[i]->stats.v[stat], __ATOMIC_RELAXED);
	return sum;
}

static void instance_counters(
	const struct ela_instance *instance, void (*fn)(void *data, const char *name, uint64_t value), void *data)
{
	const struct ela_plugin *d = instance->loaded->descriptor;

	for (uint32_t c = 0; c < d->n_counters; c++) {
		g_autofree char *name = g_strdup_printf("%s.%s", instance->loaded->section, d->counters[c]);
		uint64_t sum = 0;

		for (uint32_t i = 0; i <= ELA_MAX_LANES; i++)
			sum += __atomic_load_n(&instance->counters[i][c], __ATOMIC_RELAXED);
		fn(data, name, sum);
	}
}

void ela_node_counters(struct ela_node *node, void (*fn)(void *data, const char *name, uint64_t value), void *data)
{
	for (uint32_t i = 0; i < ELA_N_STATS; i++)
		fn(data, ela_stat_name(i), sum_stat(node, i));
	instance_counters(node->npd, fn, data);
	for (uint32_t i = 0; node->transport_instances[i]; i++)
		instance_counters(node->transport_instances[i], fn, data);
	for (uint32_t i = 0; node->cipher_instances[i]; i++)
		instance_counters(node->cipher_instances[i], fn, data);
	instance_counters(node->routing, fn, data);
}

struct wanted_counter {
	const char *name;
	uint64_t value;
};

static void match_counter(void *data, const char *name, uint64_t value)
{
	struct wanted_counter *w = data;

	if (strcmp(w->name, name) == 0)
		w->value = value;
}

uint64_t ela_node_counter(struct ela_node *node, const char *name)
{
	struct wanted_counter w = {name, UINT64_MAX};

	ela_node_counters(node, match_counter, &w);
	return w.value;
}

char *ela_node_describe(struct ela_node *node)
{
	GString *text = g_string_new(NULL);
	g_auto(GStrv) addresses = ela_own_texts(ela_own(node));

	g_string_append_printf(text, "name=%s device=%s address=%s mtu=%u lanes=%u", node->config->name,
		node->npd_info.name, addresses[0] ? addresses[0] : "none", node->mtu, node->n_lanes);
	for (uint32_t i = 0; i < node->n_transports; i++)
		g_string_append_printf(
			text, " %s=%u", node->transports[i].instance->loaded->descriptor->name, node->transports[i].info.port);
	return g_string_free(text, FALSE);
}
