/* SPDX-License-Identifier: Apache-2.0 */
/* main: elad's command line. The only file of core outside the static library; main thread. */
#include "daemon.h"
#include "keys.h"
#include "listing.h"
#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/ela/ela.ini"

/* What the command line asks for. */
struct arguments {
	struct ela_daemon_options daemon;
	GPtrArray *plugin_dirs; /* const char *, in the order of search; NULL at the end when parsed */
	bool check, list_plugins, version, help;
};

static const char usage[] =
	"Usage: elad [OPTION]...\n"
	"       elad keygen DIR NAME\n"
	"       elad pubkey FILE\n"
	"\n"
	"Runs a node of an ELA network in the foreground.\n"
	"\n"
	"  --config FILE      configuration (default: " DEFAULT_CONFIG ")\n"
	"  --state-dir DIR    folder of the control socket and of what the node learns (default: that of FILE)\n"
	"  --plugin-dir DIR   search plugins here first; may be given several times\n"
	"  --check            check the configuration and exit: silent when it is good\n"
	"  --list-plugins     print every plugin with its options and exit: 1 when one is refused\n"
	"  --log-level LEVEL  error, warn, info, debug or trace; overrides the configuration\n"
	"  --version          print the version and exit\n"
	"  --help             print this and exit\n"
	"\n"
	"  keygen DIR NAME    make a key pair: the private key goes to DIR/NAME.key, the public one to stdout\n"
	"  pubkey FILE        print the public key of a private key's file\n"
	"\n"
	"Signals: TERM and INT end it, HUP reloads the configuration, USR2 prints counters to stderr, USR1 does nothing "
	"(the\n"
	"log is stderr). Exit codes: 0 ok, 1 failed, 2 usage, 4 not permitted, 78 bad configuration.\n";

static int usage_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

static int usage_error(const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	(void)fprintf(stderr, "elad: %s; see elad --help\n", text); /* there is nowhere else to say it */
	return ELA_EXIT_USAGE;
}

/* Everything printed must have arrived: a full disk or a closed pipe is a failure. */
static int finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return ELA_EXIT_OK;
	(void)fprintf(stderr, "elad: cannot write to stdout: %s\n", g_strerror(errno)); /* as above */
	return ELA_EXIT_FAILED;
}

static int exit_code_of_key(int err)
{
	return err == -EACCES || err == -EPERM ? ELA_EXIT_PERMISSION : ELA_EXIT_FAILED;
}

static int keygen(int argc, char **argv)
{
	char public_b64[ELA_KEY_TEXT];
	g_autoptr(GError) error = NULL;
	int err;

	if (argc != 4)
		return usage_error("keygen takes DIR and NAME");
	if (!ela_key_is_name(argv[3]))
		return usage_error("\"%s\" is no name: 1 to 63 of A-Z a-z 0-9 - _ . and no dot in front", argv[3]);
	err = ela_keygen(argv[2], argv[3], public_b64, &error);
	if (err) {
		(void)fprintf(stderr, "elad: %s\n", error->message); /* there is nowhere else to say it */
		return exit_code_of_key(err);
	}
	(void)puts(public_b64); /* checked by finish_stdout() */
	return finish_stdout();
}

static int pubkey(int argc, char **argv)
{
	char public_b64[ELA_KEY_TEXT];
	g_autoptr(GError) error = NULL;
	int err;

	if (argc != 3)
		return usage_error("pubkey takes FILE");
	err = ela_key_public(argv[2], public_b64, &error);
	if (err) {
		(void)fprintf(stderr, "elad: %s: %s\n", argv[2], error->message); /* as above */
		return exit_code_of_key(err);
	}
	(void)puts(public_b64); /* checked by finish_stdout() */
	return finish_stdout();
}

static int list_plugins(struct ela_loader *loader)
{
	g_auto(GStrv) files = ela_loader_list(loader);
	bool refused = false;
	int code;

	for (char **file = files; *file; file++) {
		g_autoptr(GError) error = NULL;
		const struct ela_loaded *plugin = ela_loader_load_file(loader, *file, &error);
		g_autofree char *text = plugin ? ela_listing(plugin) : NULL;

		if (text)
			(void)fputs(text, stdout); /* checked by finish_stdout() */
		else
			(void)fprintf(stderr, "elad: %s\n", error->message); /* a refused plugin hides no other */
		refused |= !text;
	}
	code = finish_stdout();
	return refused ? ELA_EXIT_FAILED : code;
}

static int key_command(int argc, char **argv)
{
	if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		(void)fputs(usage, stdout); /* checked by finish_stdout() */
		return finish_stdout();
	}
	return strcmp(argv[1], "keygen") == 0 ? keygen(argc, argv) : pubkey(argc, argv);
}

/* One option; getopt has taken it apart. ELA_EXIT_OK or ELA_EXIT_USAGE. */
static int take_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 'c':
		arguments->daemon.config_file = optarg;
		break;
	case 's':
		if (!g_file_test(optarg, G_FILE_TEST_IS_DIR))
			return usage_error("--state-dir %s: there is no such folder", optarg);
		arguments->daemon.state_dir = optarg;
		break;
	case 'p':
		if (!g_file_test(optarg, G_FILE_TEST_IS_DIR))
			return usage_error("--plugin-dir %s: there is no such folder", optarg);
		g_ptr_array_add(arguments->plugin_dirs, optarg);
		break;
	case 'l':
		if (ela_log_level_parse(optarg, &arguments->daemon.log_level) != 0)
			return usage_error("--log-level %s: expected error, warn, info, debug or trace", optarg);
		break;
	case 'k':
		arguments->check = true;
		break;
	case 'L':
		arguments->list_plugins = true;
		break;
	case 'V':
		arguments->version = true;
		break;
	default:
		arguments->help = true;
		break;
	}
	return ELA_EXIT_OK;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"state-dir", required_argument, NULL, 's'},
		{"plugin-dir", required_argument, NULL, 'p'},
		{"check", no_argument, NULL, 'k'},
		{"list-plugins", no_argument, NULL, 'L'},
		{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option, code = ELA_EXIT_OK;

	opterr = 0;
	while (code == ELA_EXIT_OK && (option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (option == ':')
			return usage_error("%s needs a value", argv[optind - 1]);
		if (option == '?')
			return usage_error("unknown option %s", argv[optind - 1]);
		code = take_option(arguments, option);
	}
	if (code == ELA_EXIT_OK && optind < argc)
		return usage_error("unexpected \"%s\"", argv[optind]);
	g_ptr_array_add(arguments->plugin_dirs, (void *)(uintptr_t)ELA_PLUGINDIR);
	g_ptr_array_add(arguments->plugin_dirs, NULL);
	return code;
}

static int run(const struct arguments *arguments)
{
	struct ela_loader *loader;
	int code;

	if (arguments->help || arguments->version) {
		(void)fputs(arguments->help ? usage : "elad " ELA_VERSION "\n", stdout); /* checked by finish_stdout() */
		return finish_stdout();
	}
	loader = ela_loader_new((const char *const *)arguments->plugin_dirs->pdata);
	if (arguments->list_plugins)
		code = list_plugins(loader);
	else if (arguments->check)
		code = ela_daemon_check(&arguments->daemon, loader);
	else
		code = ela_daemon_run(&arguments->daemon, loader);
	ela_loader_free(loader);
	return code;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.daemon = {.config_file = DEFAULT_CONFIG, .log_level = ELA_LEVEL_BY_CONFIG}};
	int code;

	if (argc > 1 && (strcmp(argv[1], "keygen") == 0 || strcmp(argv[1], "pubkey") == 0))
		return key_command(argc, argv);
	arguments.plugin_dirs = g_ptr_array_new();
	code = parse(&arguments, argc, argv);
	if (code == ELA_EXIT_OK)
		code = run(&arguments);
	g_ptr_array_unref(arguments.plugin_dirs);
	return code;
}
