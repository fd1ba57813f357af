/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: struct ela_host for one instance of a plugin under check. It does what host.h promises and watches that the
 * plugin keeps its side: functions of the control thread called on it, known options only, nothing left behind. The
 * thread that calls check_host_new() is the control thread. With is_virtual the clock stands still and jumps from timer
 * to timer.
 */
#ifndef ELA_CHECK_HOST_H
#define ELA_CHECK_HOST_H

#include <ela/ela.h>
#include <pthread.h>
#include <stdbool.h>

#define CHECK_MAX_SETTINGS 16u
#define CHECK_MAX_PEERS 8u
#define CHECK_MAX_ROUTES 64u
#define CHECK_MAX_EVENTS 64u
#define CHECK_MAX_RECORDS 1024u
#define CHECK_OWN_ID 0x0a580001u
#define CHECK_TEXT_MAX 256u

#define CHECK_MSEC UINT64_C(1000000)
#define CHECK_SEC UINT64_C(1000000000)

struct check_setting {
	char key[40];
	char text[CHECK_TEXT_MAX];
};

struct check_route {
	char prefix[64];
	uint32_t peer;
};

/* What a routing plugin told by record_set(). */
struct check_record {
	uint32_t id, via;
	uint64_t sequence;
};

struct check_conn_event {
	uint32_t event;
	void *conn;
	struct ela_addr remote, local;
	bool has_local;
	int err;
};

struct check_post {
	struct check_post *next;
	void (*fn)(void *data);
	void *data;
};

struct check_host {
	struct ela_host host; /* priv is the struct itself */
	const struct ela_plugin *plugin;
	bool is_virtual;
	bool is_poor; /* timers, watches and posts fail as without memory */
	uint64_t virtual_ns;
	pthread_t control;
	pthread_mutex_t lock; /* posts, last_error, misuse: the ones that any thread reaches */
	struct check_post *posts, **posts_end;
	int post_fd;
	struct ela_timer *timers;
	struct ela_watch *watches;
	uint64_t *counters; /* ELA_MAX_LANES + 1 blocks */
	struct check_setting settings[CHECK_MAX_SETTINGS];
	uint32_t n_settings;
	char values[16][CHECK_TEXT_MAX]; /* strings handed out by option(), the oldest is reused */
	uint32_t next_value;
	struct ela_peer_info peers[CHECK_MAX_PEERS];
	uint32_t n_peers;
	struct check_route routes[CHECK_MAX_ROUTES];
	uint32_t n_routes;
	uint32_t own_id;
	bool has_no_ring; /* a network of static peers */
	struct check_record records[CHECK_MAX_RECORDS];
	uint32_t n_records;
	uint32_t ring[CHECK_MAX_RECORDS], n_ring;
	uint32_t n_ring_sets; /* calls of ring_set(): a plugin that has a ring says so at its start */
	struct check_conn_event events[CHECK_MAX_EVENTS];
	uint32_t n_events;
	char last_error[CHECK_TEXT_MAX]; /* the plugin's last line of level warn or error */
	char misuse[CHECK_TEXT_MAX];     /* the first thing that it should not have done */
};

/* Settings of the command line (--set KEY=VALUE), for every host. */
struct check_settings {
	const char *key[CHECK_MAX_SETTINGS / 2], *text[CHECK_MAX_SETTINGS / 2];
	uint32_t n;
};

/* settings may be NULL. NULL when memory is out. */
struct check_host *check_host_new(
	const struct ela_plugin *plugin, uint32_t n_lanes, const struct check_settings *settings);
/* After the plugin's destroy(). Timers and watches that are still there are misuse: look first. Takes NULL. */
void check_host_free(struct check_host *h);

/* Sets an option if the plugin has it: 0, -ENOENT (it has not), -EINVAL (the text is no value of it). */
int check_host_set(struct check_host *h, const char *key, const char *text);
const struct ela_option *check_option_find(const struct ela_plugin *plugin, const char *key);

/* Runs posts, timers and watches for so long at most, or until done(data) (NULL: the whole time). True when done. */
bool check_host_run(struct check_host *h, uint64_t for_ns, bool (*done)(void *data), void *data);
uint32_t check_host_count_timers(const struct check_host *h);
uint32_t check_host_count_watches(const struct check_host *h);
/* The route of a prefix, UINT32_MAX when it has none. */
uint32_t check_host_route(struct check_host *h, const char *prefix);
/* What was told of an id, NULL when nothing is. */
const struct check_record *check_host_record(const struct check_host *h, uint32_t id);

#endif
