/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: start, signals, reload and end of elad. Control thread, which is the main thread.
 *
 * The order of the start is a matter of privileges: signals blocked - config - node - state folder - device and sockets
 * - the drop - signal handling (GLib starts a thread for it, which must have dropped privileges) - lanes - signals let
 * in. Lanes inherit the blocked signals, so none ever interrupts one.
 */
#include "daemon.h"
#include "footprint.h"
#include "network.h"
#include "node.h"
#include "notify.h"
#include "process.h"
#include "request.h"
#include "state-folder.h"
#include "state.h"
#include "uplink.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAREWELL_MS 250u
#define SETTLED_S 10u /* what the start and joining needed is not needed any more */
#define TRIM_S 600u   /* and what happened since */

struct daemon {
	const struct ela_daemon_options *options;
	struct ela_loader *loader;
	struct ela_config *config; /* what the node uses now */
	struct ela_log *log;
	struct ela_loop *loop;
	struct ela_node *node;
	struct ela_network *network; /* NULL: a network of static peers */
	struct ela_uplink *uplink;   /* likewise; also without news of the kernel */
	struct ela_notify *notify;
	struct ela_listener *listener;
	struct ela_verbs *verbs;
	struct ela_console *console;
	char *unreadable;     /* why a reload cannot read the file; NULL when it can */
	char *reload_refused; /* what the last reload stumbled over; NULL after a good one */
	struct ela_identity identity;
	int state_fd; /* the state folder; -1: none, this is no node of a ring */
	GMainLoop *main_loop;
	guint sources[7]; /* of GLib; 0 = none */
};

static void complain(const char *message)
{
	(void)fprintf(stderr, "elad: %s\n", message); /* there is nowhere else to say it */
}

/* ---- start ---- */

static struct ela_config *load_or_complain(const struct ela_daemon_options *options, struct ela_loader *loader)
{
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);
	struct ela_config *config = ela_config_load(options->config_file, loader, 0, errors);

	for (guint i = 0; i < errors->len; i++)
		complain(g_ptr_array_index(errors, i));
	return config;
}

static void log_warnings(const struct daemon *daemon)
{
	for (char **warning = daemon->config->warnings; *warning; warning++)
		ela_logf(daemon->log, ELA_LOG_WARN, "elad", "%s", *warning);
}

static uint32_t level_of(const struct ela_daemon_options *options, const struct ela_config *config)
{
	return options->log_level == ELA_LEVEL_BY_CONFIG ? config->log_level : options->log_level;
}

static bool find_user(const struct ela_config *config, struct ela_identity *ret)
{
	g_autofree char *message = NULL;

	if (ela_process_identity(config->user, ret) == 0)
		return true;
	message = ela_config_error(
		config, "node", "user", "there is no user \"%s\"; remedy: useradd --system %s", config->user, config->user);
	complain(message);
	return false;
}

static int exit_code_of(const GError *error)
{
	if (g_error_matches(error, ELA_NODE_ERROR, ELA_NODE_CONFIG))
		return ELA_EXIT_CONFIG;
	if (g_error_matches(error, ELA_NODE_ERROR, ELA_NODE_PERMISSION) ||
		g_error_matches(error, ELA_PROCESS_ERROR, ELA_PROCESS_PERMISSION) ||
		g_error_matches(error, ELA_LISTENER_ERROR, ELA_LISTENER_PERMISSION))
		return ELA_EXIT_PERMISSION;
	return ELA_EXIT_FAILED;
}

/*
 * A plugin that failed has logged what, where and the remedy (ABI): the node's own summary of that is for one that has
 * not. said_before: error lines in the log before the step that failed.
 */
static int fail(const GError *error, const struct ela_log *log, uint64_t said_before)
{
	bool of_plugin = error->domain == ELA_NODE_ERROR && error->code != ELA_NODE_CONFIG;

	if (!of_plugin || ela_log_errors(log) == said_before)
		complain(error->message);
	return exit_code_of(error);
}

int ela_daemon_check(const struct ela_daemon_options *options, struct ela_loader *loader)
{
	g_autoptr(GError) error = NULL;
	struct ela_config *config = load_or_complain(options, loader);
	struct ela_identity identity;
	struct ela_loop *loop;
	struct ela_log *log;
	struct ela_node *node;
	int code = ELA_EXIT_CONFIG;

	for (char **warning = config ? config->warnings : NULL; warning && *warning; warning++)
		complain(*warning);
	if (config && find_user(config, &identity)) {
		loop = ela_loop_glib_new();
		log = ela_log_new(ELA_LOG_ERROR, NULL, NULL);
		node = ela_node_new(config, loop, log, 0, &error);
		code = node ? ELA_EXIT_OK : fail(error, log, 0);
		ela_node_free(node);
		ela_log_free(log);
		ela_loop_free(loop);
	}
	ela_config_free(config);
	return code;
}

/* ---- reload ---- */

/* A reload reads the file as the user that elad is by now. */
static void check_readable(struct daemon *daemon)
{
	const char *file = daemon->options->config_file;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)close(fd); /* read by nobody */
		return;
	}
	daemon->unreadable =
		g_strdup_printf("%s: a reload cannot read it as %s: %s", file, daemon->identity.name, g_strerror(errno));
	ela_logf(daemon->log, ELA_LOG_WARN, "elad",
		"reload-impossible file=%s user=%s: %s; remedy: chgrp %s FILE and its folder, chmod g+r FILE, chmod g+x "
		"FOLDER",
		file, daemon->identity.name, g_strerror(errno), daemon->identity.group);
}

/* 0, or the code of what is in errors; every way a reload can end. TAKES fresh. */
static int use_fresh(struct daemon *daemon, struct ela_config *fresh, GPtrArray *errors)
{
	g_autoptr(GError) error = NULL;

	if (!ela_node_reload(daemon->node, fresh, &error)) {
		ela_logf(daemon->log, ELA_LOG_ERROR, "elad", "reload-refused: %s", error->message);
		g_ptr_array_add(errors, g_strdup(error->message));
		ela_config_free(fresh);
		return ELA_CODE_FAILED;
	}
	ela_config_free(daemon->config);
	daemon->config = fresh;
	ela_log_set_level(daemon->log, level_of(daemon->options, fresh));
	log_warnings(daemon);
	ela_logf(daemon->log, ELA_LOG_INFO, "elad", "reloaded file=%s", daemon->options->config_file);
	return ELA_CODE_OK;
}

static void tell_ready(struct daemon *daemon, bool in_log)
{
	g_autofree char *text = ela_node_describe(daemon->node);

	if (in_log)
		ela_logf(daemon->log, ELA_LOG_INFO, "elad", "ready %s", text);
	ela_notify_ready(daemon->notify, text);
}

/* Of SIGHUP and of the command: errors is what was wrong. */
static int reload(void *data, GPtrArray *errors)
{
	struct daemon *daemon = data;
	struct ela_config *fresh;
	int code = ELA_CODE_CONFIG;

	ela_notify_reloading(daemon->notify);
	fresh = ela_config_load(daemon->options->config_file, daemon->loader, ELA_CONFIG_NO_KEY, errors);
	for (guint i = 0; i < errors->len; i++)
		ela_logf(daemon->log, ELA_LOG_ERROR, "elad", "%s", (const char *)g_ptr_array_index(errors, i));
	if (fresh)
		code = use_fresh(daemon, fresh, errors);
	else
		ela_logf(daemon->log, ELA_LOG_ERROR, "elad", "reload-failed errors=%u: nothing was changed", errors->len);
	g_free(daemon->reload_refused);
	daemon->reload_refused = errors->len ? g_strdup(g_ptr_array_index(errors, 0)) : NULL;
	tell_ready(daemon, false);
	return code;
}

static gboolean on_reload(void *data)
{
	g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func(g_free);

	(void)reload(data, errors); /* the log has it */
	return G_SOURCE_CONTINUE;
}

/* ---- the control socket ---- */

static void quit(void *data)
{
	struct daemon *daemon = data;

	g_main_loop_quit(daemon->main_loop);
}

static int offer_list(void *data, const void *bytes, size_t len, GError **error)
{
	struct daemon *daemon = data;

	return daemon->network ? ela_network_offer_list(daemon->network, bytes, len, error) : -ENOSYS;
}

static int dial(void *data, const char *endpoint, uint64_t until_s, GError **error)
{
	struct daemon *daemon = data;

	return daemon->network ? ela_network_dial(daemon->network, endpoint, until_s, error) : -ENOSYS;
}

/* Who is asked a second time waits for nobody. */
static void leave(void *data)
{
	struct daemon *daemon = data;

	if (!daemon->network || !ela_network_part(daemon->network, quit, daemon))
		quit(daemon);
}

static void tell_health(void *data, ela_health_fn fn, void *fn_data)
{
	const struct daemon *daemon = data;
	g_autofree char *text = NULL;

	if (daemon->identity.missing)
		fn(fn_data, "elad runs as root: there is no user " ELA_PROCESS_USER, "useradd --system " ELA_PROCESS_USER);
	if (daemon->unreadable)
		fn(fn_data, daemon->unreadable, "chgrp the file and its folder to elad's group, chmod g+r and g+x");
	if (daemon->network)
		ela_network_health(daemon->network, fn, fn_data);
	if (daemon->reload_refused) {
		text = g_strdup_printf("the last reload was refused: %s", daemon->reload_refused);
		fn(fn_data, text, "correct the file and reload, or restart elad");
	}
}

static const char *state_dir(const struct daemon *daemon)
{
	return daemon->options->state_dir ? daemon->options->state_dir : daemon->config->dir;
}

/* Before the drop, and before anything that a second elad would disturb. */
static bool listen_for_commands(struct daemon *daemon, GError **error)
{
	daemon->listener = ela_listener_new(state_dir(daemon), error);
	return daemon->listener != NULL;
}

static void take_commands(struct daemon *daemon)
{
	const struct ela_verbs_owner owner = {reload, leave, offer_list, dial, tell_health, daemon};

	daemon->verbs = ela_verbs_new(daemon->node, daemon->log, &owner);
	daemon->console =
		ela_console_new(daemon->loop, daemon->listener, ela_verbs_run, daemon->verbs, ELA_VERBS_BUSY, ELA_VERBS_LONG);
}

/* ---- other signals ---- */

static gboolean on_end(void *data)
{
	leave(data);
	return G_SOURCE_CONTINUE;
}

/* The log is stderr: who rotates it is whoever reads that. The signal is taken so that a rotation does not end elad. */
static gboolean on_reopen(void *data)
{
	struct daemon *daemon = data;

	ela_logf(daemon->log, ELA_LOG_DEBUG, "elad", "log-reopen: the log is stderr, there is nothing to open");
	return G_SOURCE_CONTINUE;
}

static void add_counter(void *data, const char *name, uint64_t value)
{
	g_string_append_printf(data, "counter=%s value=%" G_GUINT64_FORMAT "\n", name, value);
}

static gboolean on_counters(void *data)
{
	struct daemon *daemon = data;
	g_autoptr(GString) text = g_string_new(NULL);

	ela_node_counters(daemon->node, add_counter, text);
	(void)fputs(text->str, stderr); /* a reader that went away is his own loss */
	return G_SOURCE_CONTINUE;
}

static gboolean on_watchdog(void *data)
{
	struct daemon *daemon = data;

	ela_notify_watchdog(daemon->notify);
	return G_SOURCE_CONTINUE;
}

static gboolean on_trim(void *data)
{
	struct daemon *daemon = data;

	ela_footprint_trim();
	daemon->sources[6] = g_timeout_add_seconds(TRIM_S, on_trim, daemon);
	return G_SOURCE_REMOVE;
}

/* Blocks or lets in what add_sources() handles; a signal that comes meanwhile waits. */
static void hold_signals(int how)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t set;

	(void)sigemptyset(&set); /* these three cannot fail: the numbers are good */
	for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
		(void)sigaddset(&set, signals[i]);
	(void)pthread_sigmask(how, &set, NULL);
}

static void add_sources(struct daemon *daemon)
{
	uint32_t watchdog_ms = ela_notify_watchdog_ms(daemon->notify);

	daemon->sources[0] = g_unix_signal_add(SIGTERM, on_end, daemon);
	daemon->sources[1] = g_unix_signal_add(SIGINT, on_end, daemon);
	daemon->sources[2] = g_unix_signal_add(SIGHUP, on_reload, daemon);
	daemon->sources[3] = g_unix_signal_add(SIGUSR1, on_reopen, daemon);
	daemon->sources[4] = g_unix_signal_add(SIGUSR2, on_counters, daemon);
	daemon->sources[6] = g_timeout_add_seconds(SETTLED_S, on_trim, daemon);
	daemon->sources[5] = watchdog_ms ? g_timeout_add(watchdog_ms, on_watchdog, daemon) : 0;
}

/* ---- life ---- */

/* Keys are read before the drop; the state folder is written after it. A node of static peers has nothing to keep. */
static bool open_network(struct daemon *daemon, GError **error)
{
	if (!daemon->config->has_ring)
		return true;
	daemon->state_fd = ela_state_open(state_dir(daemon), &daemon->identity, error);
	if (daemon->state_fd >= 0)
		daemon->network = ela_network_new(daemon->node, &ela_file_system, daemon->state_fd, error);
	return daemon->network != NULL;
}

static void on_uplink(void *data)
{
	struct daemon *daemon = data;

	ela_logf(daemon->log, ELA_LOG_INFO, "elad", "addresses or routes of this machine changed");
	ela_network_changed(daemon->network);
}

/* Without it changes are found when the node looks the next time. */
static void watch_uplink(struct daemon *daemon)
{
	int err = ela_uplink_new(daemon->loop, daemon->node->npd_info.name, on_uplink, daemon, &daemon->uplink);

	if (err != 0)
		ela_logf(daemon->log, ELA_LOG_WARN, "elad", "no-news-of-addresses reason=\"%s\"", g_strerror(-err));
}

static int start(struct daemon *daemon)
{
	g_autoptr(GError) error = NULL;
	uint64_t said = 0;

	daemon->node = ela_node_new(daemon->config, daemon->loop, daemon->log, ELA_NODE_THREADS, &error);
	if (!daemon->node)
		return fail(error, daemon->log, said);
	said = ela_log_errors(daemon->log);
	if (!listen_for_commands(daemon, &error) || !open_network(daemon, &error))
		return fail(error, daemon->log, said);
	if (!ela_node_start_devices(daemon->node, &error))
		return fail(error, daemon->log, said);
	if (!ela_process_drop(&daemon->identity, daemon->state_fd, daemon->log, &error))
		return fail(error, daemon->log, said);
	ela_loader_seal(daemon->loader);
	check_readable(daemon);
	add_sources(daemon);
	said = ela_log_errors(daemon->log);
	if (!ela_node_start(daemon->node, &error))
		return fail(error, daemon->log, said);
	if (daemon->network) {
		ela_network_start(daemon->network);
		watch_uplink(daemon);
	}
	take_commands(daemon);
	return ELA_EXIT_OK;
}

static gboolean on_farewell(void *data)
{
	g_main_loop_quit(((struct daemon *)data)->main_loop);
	return G_SOURCE_REMOVE;
}

/* What was said last over connections is only written as the loop turns. */
static void say_good_bye(struct daemon *daemon)
{
	ela_network_leave(daemon->network);
	(void)g_timeout_add(FAREWELL_MS, on_farewell, daemon); /* which removes itself */
	g_main_loop_run(daemon->main_loop);
}

static int live(struct daemon *daemon)
{
	int code;

	daemon->notify = ela_notify_new();
	daemon->log = ela_log_new(level_of(daemon->options, daemon->config), NULL, NULL);
	log_warnings(daemon);
	daemon->loop = ela_loop_glib_new();
	daemon->main_loop = g_main_loop_new(NULL, FALSE);
	code = start(daemon);
	if (code == ELA_EXIT_OK) {
		tell_ready(daemon, true);
		hold_signals(SIG_UNBLOCK);
		g_main_loop_run(daemon->main_loop);
		ela_logf(daemon->log, ELA_LOG_INFO, "elad", "stopping");
	}
	ela_notify_stopping(daemon->notify);
	if (daemon->network && code == ELA_EXIT_OK)
		say_good_bye(daemon); /* while there is a console: its connections go on writing */
	if (daemon->console)
		ela_console_stop(daemon->console);
	if (daemon->node)
		ela_node_stop(daemon->node);
	for (size_t i = 0; i < G_N_ELEMENTS(daemon->sources); i++)
		if (daemon->sources[i])
			(void)g_source_remove(daemon->sources[i]); /* none removes itself: it is there */
	ela_listener_free(
		daemon->listener);             /* first: who waits for the end of leave's connection may start the next elad */
	ela_console_free(daemon->console); /* before the node: calls may wait for its pings */
	ela_verbs_free(daemon->verbs);
	ela_uplink_free(daemon->uplink);
	ela_network_free(daemon->network);
	ela_node_free(daemon->node);
	if (daemon->state_fd >= 0)
		(void)close(daemon->state_fd); /* read only */
	g_free(daemon->unreadable);
	g_free(daemon->reload_refused);
	g_main_loop_unref(daemon->main_loop);
	ela_loop_free(daemon->loop);
	ela_log_free(daemon->log);
	ela_notify_free(daemon->notify);
	return code;
}

static void complain_of_capability(void)
{
	g_autofree char *elad = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *text =
		g_strdup_printf("CAP_NET_ADMIN is missing; run elad as root, or allow it to others: setcap cap_net_admin+ep %s",
			elad ? elad : "ELAD");

	complain(text);
}

int ela_daemon_run(const struct ela_daemon_options *options, struct ela_loader *loader)
{
	struct daemon daemon = {.options = options, .loader = loader, .state_fd = -1};
	int code = ELA_EXIT_CONFIG;

	if (!ela_process_has_net_admin()) {
		complain_of_capability();
		return ELA_EXIT_PERMISSION;
	}
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail: the number is good */
	hold_signals(SIG_BLOCK);
	daemon.config = load_or_complain(options, loader);
	if (daemon.config && find_user(daemon.config, &daemon.identity))
		code = live(&daemon);
	ela_config_free(daemon.config);
	return code;
}
