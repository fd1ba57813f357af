/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broken: an npd plugin that is right but for what the build's -D options break, for tests of the loader. Never run:
 * the loader only looks at it.
 */
#include <ela/ela.h>
#include <errno.h>

#ifndef NAME
#define NAME "good"
#endif
#ifndef MAGIC
#define MAGIC ELA_PLUGIN_MAGIC
#endif
#ifndef MAJOR
#define MAJOR ELA_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR ELA_ABI_MINOR
#endif
#ifndef KIND
#define KIND ELA_KIND_NPD
#endif
#ifndef OPS_SIZE
#define OPS_SIZE sizeof ops
#endif
#ifndef WRITE_BURST
#define WRITE_BURST broken_write_burst
#endif
#ifndef OPTION_DEFAULT
#define OPTION_DEFAULT "1420"
#endif
#ifndef SYMBOL
#define SYMBOL ela_plugin
#endif
#ifndef SUMMARY
#define SUMMARY "a device for tests of the loader"
#endif

#ifdef UNRESOLVED
uint32_t broken_nobody_defines_this(void);
#endif

static int broken_create(const struct ela_host *host, void **ret_self)
{
	(void)host;
	(void)ret_self;
	return -ENODEV;
}

static void broken_destroy(void *self)
{
	(void)self;
}

static int broken_open(void *self, const struct ela_npd_config *config, struct ela_npd_info *ret_info)
{
	(void)self;
	(void)config;
	(void)ret_info;
	return -ENODEV;
}

static int broken_queue_fd(void *self, uint32_t queue)
{
	(void)self;
	(void)queue;
	return -1;
}

static int broken_read_burst(void *self, uint32_t queue, uint8_t *arena, uint32_t arena_len, uint32_t headroom,
	struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	(void)self;
	(void)queue;
	(void)arena;
	(void)arena_len;
	(void)headroom;
	(void)pkts;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

__attribute__((unused)) static int broken_write_burst(
	void *self, uint32_t queue, const struct ela_packet *pkts, uint32_t n, int *ret_err)
{
	(void)self;
	(void)queue;
	(void)pkts;
	(void)n;
	*ret_err = -EAGAIN;
	return 0;
}

static uint32_t broken_caps(void *self)
{
	(void)self;
#ifdef UNRESOLVED
	return broken_nobody_defines_this();
#else
	return 0;
#endif
}

static const struct ela_npd_ops ops = {
	.create = broken_create,
	.destroy = broken_destroy,
	.open = broken_open,
	.close = broken_destroy,
	.queue_fd = broken_queue_fd,
	.read_burst = broken_read_burst,
	.write_burst = WRITE_BURST,
	.caps = broken_caps,
};

static const struct ela_option options[] = {
	{.key = "mtu", .def = OPTION_DEFAULT, .help = "bytes", .type = ELA_OPTION_INT, .min = 576, .max = 65535},
};

/* By hand, not by ELA_PLUGIN(): that could not be wrong. */
extern ELA_EXPORT const struct ela_plugin SYMBOL;
ELA_EXPORT const struct ela_plugin SYMBOL = {
	.magic = MAGIC,
	.abi_major = MAJOR,
	.abi_minor = MINOR,
	.kind = KIND,
	.ops_size = OPS_SIZE,
	.name = NAME,
	.version = "1",
	.licence = "Apache-2.0",
	.summary = SUMMARY,
	.ops = &ops,
	.options = options,
	.n_options = 1,
	.option_size = sizeof(struct ela_option),
};
