/* SPDX-License-Identifier: Apache-2.0 */
/* directory-services: the directory as what stands behind a routing plugin with a ring (core/state.h). Control thread.
 */
#include "directory.h"
#include "state.h"

static int record_check(struct ela_node *node, const void *record, uint32_t len, struct ela_record_info *ret)
{
	return ela_directory_record_check(node->directory, record, len, ret);
}

static int record_compare(struct ela_node *node, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	return ela_directory_record_compare(node->directory, a, a_len, b, b_len);
}

static int record_set(struct ela_node *node, uint32_t id, const void *record, uint32_t len, uint32_t via)
{
	return ela_directory_record_set(node->directory, id, record, len, via);
}

static int record_del(struct ela_node *node, uint32_t id)
{
	return ela_directory_record_del(node->directory, id);
}

static int ring_set(struct ela_node *node, const uint32_t *ids, uint32_t n)
{
	return ela_directory_ring_set(node->directory, ids, n);
}

const struct ela_ring_services ela_directory_services = {
	.record_check = record_check,
	.record_compare = record_compare,
	.record_set = record_set,
	.record_del = record_del,
	.ring_set = ring_set,
};
