/* SPDX-License-Identifier: Apache-2.0 */
/* test-config: good files give what they say; each broken one gives its errors, each with its line. One thread. */
#include "config-broken.h"
#include "config.h"
#include "crypto.h"
#include "fake-plugins.h"
#include "keys.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir; /* fresh folder with a.key */
static char *ini; /* dir/ela.ini */
static char own_key[ELA_KEY_TEXT];
static struct ela_loader *loader;

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(close(fd), 0);
}

static char *in_dir(const char *name)
{
	return g_build_filename(dir, name, NULL);
}

static void setup(void)
{
	static const char *const no_dirs[] = {NULL};
	g_autofree char *template = g_build_filename(g_get_tmp_dir(), "ela-config-XXXXXX", NULL);

	dir = g_strdup(mkdtemp(template));
	ck_assert_ptr_nonnull(dir);
	ini = in_dir("ela.ini");
	ck_assert_int_eq(ela_keygen(dir, "a", own_key, NULL), 0);
	loader = fake_loader_new(no_dirs);
}

static void teardown(void)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", dir);

	ck_assert_int_eq(system(command), 0);
	ela_loader_free(loader);
	g_free(dir);
	g_free(ini);
}

static struct ela_config *load_text(const char *text, size_t len, GPtrArray *errors)
{
	write_file(ini, text, len, 0644);
	return ela_config_load(ini, loader, 0, errors);
}

static GPtrArray *errors_new(void)
{
	return g_ptr_array_new_with_free_func(g_free);
}

/* Loads what must be good. */
static struct ela_config *load_good(const char *text)
{
	g_autoptr(GPtrArray) errors = errors_new();
	struct ela_config *config = load_text(text, strlen(text), errors);

	if (config == NULL)
		ck_abort_msg("refused: %s", (const char *)g_ptr_array_index(errors, 0));
	ck_assert_uint_eq(errors->len, 0);
	return config;
}

/* good with line number line replaced by text; line 0: text is put in front. */
static char *edited(uint32_t line, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(good, "\n", -1);

	if (line == 0)
		return g_strconcat(text, "\n", good, NULL);
	ck_assert_uint_lt(line, g_strv_length(lines));
	g_free(lines[line - 1]);
	lines[line - 1] = g_strdup(text);
	return g_strjoinv("\n", lines);
}

/*
 * Exactly one error for each line of pattern; together they match it: the first is at line, "*" is anything, and what
 * follows the pattern's end is free.
 */
static void expect_error(GPtrArray *errors, uint32_t line, const char *pattern, const char *name)
{
	g_autofree char *whole = g_strdup_printf("%s:%u: %s*", ini, line, pattern);
	g_autofree char *all = NULL;
	guint wanted = 1, found = errors->len;

	for (const char *p = pattern; *p != '\0'; p++)
		wanted += *p == '\n';
	g_ptr_array_add(errors, NULL);
	all = g_strjoinv("\n", (char **)errors->pdata);
	ck_assert_msg(found == wanted, "%s: %u errors, wanted %u (%s):\n%s", name, found, wanted, whole, all);
	ck_assert_msg(g_pattern_match_simple(whole, all), "%s: found\n%s\nwanted\n%s", name, all, whole);
}

START_TEST(each_broken)
{
	const struct broken *b = &broken[_i];
	g_autofree char *text = edited(b->line, b->text);
	g_autoptr(GPtrArray) errors = errors_new();
	uint32_t line = b->error_line != 0 ? b->error_line : b->line;

	ck_assert_msg(load_text(text, strlen(text), errors) == NULL, "%s: accepted", b->text);
	expect_error(errors, line, b->expected, b->text);
}
END_TEST

/* Whole files that are broken in ways that an edited line cannot show. */
START_TEST(whole_files)
{
	g_autoptr(GPtrArray) errors = errors_new();

	ck_assert_ptr_null(load_text("", 0, errors));
	expect_error(errors, 1, "file is empty; expected [node] and", "empty");
}
END_TEST

static void expect_text(const char *text, size_t len, uint32_t line, const char *what, const char *name)
{
	g_autoptr(GPtrArray) errors = errors_new();

	ck_assert_msg(load_text(text, len, errors) == NULL, "%s: accepted", name);
	expect_error(errors, line, what, name);
}

START_TEST(nul_byte)
{
	g_autofree char *text = g_strdup(good);
	char *at = strstr(text, "25s");

	ck_assert_ptr_nonnull(at);
	*at = '\0';
	expect_text(text, sizeof good - 1, 21, "[peer b]: line holds a NUL byte; expected UTF-8 text", "NUL");
}
END_TEST

START_TEST(long_line)
{
	g_autoptr(GString) text = g_string_new(good);
	gsize at = (gsize)(strstr(good, "a.key") - good);
	g_autofree char *filler = g_strnfill(4096, 'x');

	g_string_insert(text, (gssize)at, filler);
	expect_text(text->str, text->len, 4, "[node]: line is longer than 4096 bytes", "4 KiB line");
}
END_TEST

START_TEST(mebibyte_line)
{
	g_autoptr(GString) text = g_string_new("[node]\nname = a\n# ");
	g_autofree char *filler = g_strnfill(1048576, 'x');
	g_autoptr(GPtrArray) errors = errors_new();
	g_autofree char *where = g_strdup_printf("%s:3: ", ini);

	g_string_append(text, filler);
	g_string_append(text, "\n[components]\n");
	ck_assert_ptr_null(load_text(text->str, text->len, errors));
	ck_assert_uint_eq(errors->len, 2);
	ck_assert(g_str_has_prefix(errors->pdata[0], where) && strstr(errors->pdata[0], "longer than 4096") != NULL);
	ck_assert(g_str_has_prefix(errors->pdata[1], where) && strstr(errors->pdata[1], "larger than 1 MiB") != NULL);
}
END_TEST

START_TEST(large_file)
{
	g_autoptr(GString) text = g_string_new(good);
	uint32_t line = 1;

	while (text->len <= 1048576)
		g_string_append(text, "# 3456789012345678901234567890123456789012345678901234567890123\n");
	for (gsize i = 0; i < 1048576; i++)
		line += text->str[i] == '\n';
	expect_text(text->str, text->len, line, "file is larger than 1 MiB; expected", "2 MiB");
}
END_TEST

/* A file of junk gives a bounded number of messages. */
START_TEST(junk_lines)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) errors = errors_new();

	for (int i = 0; i < 5000; i++)
		g_string_append(text, "junk\n");
	ck_assert_ptr_null(load_text(text->str, text->len, errors));
	ck_assert_uint_eq(errors->len, 1001);
	ck_assert_ptr_nonnull(strstr(errors->pdata[1000], ": 4002 more errors"));
}
END_TEST

static void expect_file(const char *file, const char *what)
{
	g_autoptr(GPtrArray) errors = errors_new();
	g_autofree char *expected = g_strdup_printf("%s:1: %s", file, what);

	ck_assert_ptr_null(ela_config_load(file, loader, 0, errors));
	ck_assert_uint_eq(errors->len, 1);
	ck_assert_msg(
		g_str_has_prefix(errors->pdata[0], expected), "found %s\nwanted %s", (char *)errors->pdata[0], expected);
}

START_TEST(odd_files)
{
	g_autofree char *fifo = in_dir("fifo");
	g_autofree char *none = in_dir("none.ini");

	expect_file(dir, "is a folder; expected a file");
	expect_file(none, "cannot be opened: No such file or directory; expected a readable file; name it with --config "
					  "FILE, or start from "
					  "examples/ela.ini");
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	expect_file(fifo, "is not a regular file; expected one");
	expect_file("/dev/zero", "is not a regular file; expected one");
	write_file(ini, good, sizeof good - 1, 0664);
	expect_file(ini, "mode is 0664, writable by group or others; expected one such as 0644: chmod go-w /");
	write_file(ini, good, sizeof good - 1, 0646);
	expect_file(ini, "mode is 0646, writable by group or others; expected");
	write_file(ini, good, sizeof good - 1, 0600);
	if (geteuid() == 0) { /* only root can give a file away */
		ck_assert_int_eq(chown(ini, 4242, (gid_t)-1), 0);
		expect_file(ini, "owned by uid 4242; expected root or the user running: chown root /");
		ck_assert_int_eq(unlink(ini), 0);
	}
}
END_TEST

START_TEST(unreadable_file)
{
	pid_t uid = 65534;
	g_autoptr(GPtrArray) errors = errors_new();

	write_file(ini, good, sizeof good - 1, 0000);
	if (geteuid() == 0)
		ck_assert_int_eq(chmod(dir, 0755) | seteuid((uid_t)uid), 0); /* root reads everything */
	expect_file(ini, "cannot be opened: Permission denied; expected a readable file; run as root");
	/* a reload is none of root's */
	ck_assert_ptr_null(ela_config_load(ini, loader, ELA_CONFIG_NO_KEY, errors));
	ck_assert(g_str_has_suffix(errors->pdata[0], "Permission denied; expected a readable file"));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* Writes content as the key and loads the good file. */
static void expect_key(const char *content, mode_t mode, const char *what)
{
	g_autofree char *key = in_dir("a.key");

	write_file(key, content, strlen(content), mode);
	expect_text(good, sizeof good - 1, 4, what, content);
}

START_TEST(key_files)
{
	expect_key(KEY_C "\n", 0620,
		"[node] private-key-file: \"*a.key\" mode is 0620, open to group or others; expected 0600: chmod 600 /*a.key");
	expect_key(KEY_C "\n", 0640, "[node] private-key-file: \"*a.key\" mode is 0640");
	expect_key(KEY_C "\n", 0602, "[node] private-key-file: \"*a.key\" mode is 0602");
	expect_key("", 0600, "[node] private-key-file: \"*a.key\" holds no key; expected one line of base64");
	expect_key("hello\n", 0600, "[node] private-key-file: \"*a.key\" holds no key");
	expect_key(KEY_C "\n\n", 0600, "[node] private-key-file: \"*a.key\" holds no key");
	expect_key(KEY_C KEY_C "\n", 0600, "[node] private-key-file: \"*a.key\" holds no key");
}
END_TEST

START_TEST(key_missing)
{
	g_autofree char *text = edited(4, "private-key-file = node-1.key");
	g_autofree char *other = edited(4, "private-key-file = node.pem");
	g_autofree char *remedy =
		g_strdup_printf("[node] private-key-file: \"*\" is not there; make it: elad keygen %s node-1", dir);
	g_autofree char *other_remedy = g_strdup_printf(
		"[node] private-key-file: \"*\" is not there; make one: elad keygen %s NAME makes %s/NAME.key", dir, dir);

	expect_text(text, strlen(text), 4, remedy, "NAME.key");
	expect_text(other, strlen(other), 4, other_remedy, "another name");
}
END_TEST

START_TEST(key_of_another)
{
	g_autofree char *key = in_dir("a.key");

	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(chown(key, 65534, 65534), 0);
	expect_text(good, sizeof good - 1, 4,
		"[node] private-key-file: \"*a.key\" owned by uid 65534; expected uid 0 or root: "
		"chown 0 /*a.key",
		"owner");
}
END_TEST

START_TEST(own_public_key)
{
	g_autofree char *line = g_strdup_printf("public-key = %s", own_key);
	g_autofree char *text = edited(17, line);

	expect_text(
		text, strlen(text), 17, "[peer b] public-key: \"*\" is this node's own public key; expected", "own key");
}
END_TEST

/* A plugin that is there and refused was spelt well: the nearest name would be its own. */
START_TEST(refused_plugin)
{
	const char *const dirs[] = {dir, NULL};
	g_autofree char *file = in_dir("cipher-odd.so");
	g_autofree char *text = edited(8, "cipher = odd");
	g_autoptr(GPtrArray) errors = errors_new();

	write_file(file, "no plugin", 9, 0644);
	ela_loader_free(loader);
	loader = fake_loader_new(dirs);
	ck_assert_ptr_null(load_text(text, strlen(text), errors));
	ck_assert_uint_eq(errors->len, 1);
	ck_assert_msg(
		g_pattern_match_simple(
			"*[components] cipher: plugin \"odd\" is refused: *wanted a shared object (ELF)", errors->pdata[0]),
		"%s", (char *)errors->pdata[0]);
}
END_TEST

/* All errors of a file come at once, by line, and one fault makes one error. */
START_TEST(many_at_once)
{
	static const char text[] = "[node]\n"                    /* 1: name is missing */
							   "address = 10.88.0.1/99\n"    /* 2 */
							   "private-key-file = no.key\n" /* 3 */
							   "lanes = 0\n"                 /* 4 */
							   "[components]\n"              /* 5: routing is missing */
							   "npd = tum\n"                 /* 6 */
							   "cipher = aead\n"
							   "transport = udp\n"
							   "transport = tcp\n" /* 9 */
							   "[npd-tum]\n"       /* belongs to what is missing: no error of its own */
							   "mtu = 1\n"
							   "[peer b]\n"       /* 12: address is missing */
							   "public-key = x\n" /* 13 */
							   "bogus line\n"     /* 14 */
							   "[stray]\n";       /* 15 */
	static const uint32_t lines[] = {1, 2, 3, 4, 5, 6, 9, 12, 13, 14, 15};
	g_autoptr(GPtrArray) errors = errors_new();

	ck_assert_ptr_null(load_text(text, sizeof text - 1, errors));
	for (guint i = 0; i < MIN(errors->len, G_N_ELEMENTS(lines)); i++) {
		g_autofree char *where = g_strdup_printf("%s:%u: ", ini, lines[i]);

		ck_assert_msg(g_str_has_prefix(errors->pdata[i], where), "error %u: found %s, wanted %s", i,
			(char *)errors->pdata[i], where);
	}
	ck_assert_uint_eq(errors->len, G_N_ELEMENTS(lines));
}
END_TEST

START_TEST(missing_sections)
{
	static const char text[] = "# nothing\n\n";
	g_autoptr(GPtrArray) errors = errors_new();

	ck_assert_ptr_null(load_text(text, sizeof text - 1, errors));
	ck_assert_uint_eq(errors->len, 2);
	ck_assert_ptr_nonnull(strstr(errors->pdata[0], ":2: [components]: section is missing; expected it with npd"));
	ck_assert_ptr_nonnull(strstr(errors->pdata[1], ":2: [node]: section is missing; expected it with name"));
}
END_TEST

START_TEST(good_file)
{
	struct ela_config *config = load_good(good);
	g_autofree char *key = in_dir("a.key");
	uint8_t private_key[ELA_KEY_LEN];
	const struct ela_config_peer *b = config->peers;

	ck_assert_str_eq(config->file, ini);
	ck_assert_str_eq(config->dir, dir);
	ck_assert_str_eq(config->name, "a");
	ck_assert_str_eq(config->addresses[0], "10.88.0.1/24");
	ck_assert_ptr_null(config->addresses[1]);
	ck_assert_uint_eq(config->address4.bits, 24);
	ck_assert_mem_eq(config->address4.addr.ip, "\x0a\x58\x00\x01", 4);
	ck_assert_uint_eq(config->address6.addr.family, ELA_ADDR_NONE);
	ck_assert_str_eq(config->private_key_file, key);
	ck_assert_int_eq(ela_key_read(key, private_key, NULL), 0);
	ck_assert_mem_eq(config->private_key, private_key, ELA_KEY_LEN);
	ck_assert_uint_eq(config->lanes, 0);
	ck_assert_ptr_null(config->user);
	ck_assert_uint_eq(config->log_level, ELA_LOG_INFO);
	ck_assert_ptr_eq(config->npd->descriptor, &fake_npd_tun);
	ck_assert_ptr_eq(config->routing->descriptor, &fake_route_static);
	ck_assert_ptr_eq(config->ciphers[0]->descriptor, &fake_cipher_aead);
	ck_assert_ptr_eq(config->ciphers[1]->descriptor, &fake_cipher_blowfish);
	ck_assert_ptr_null(config->ciphers[2]);
	ck_assert_ptr_eq(config->transports[1]->descriptor, &fake_transport_tcp);
	ck_assert_ptr_null(config->transports[2]);
	ck_assert_uint_eq(config->n_peers, 1);
	ck_assert_str_eq(b->name, "b");
	ck_assert_uint_eq(b->line, 16);
	ck_assert_uint_eq(b->n_prefixes, 1);
	ck_assert_str_eq(b->prefix_texts[0], "10.88.0.2/32");
	ck_assert_uint_eq(b->n_endpoints, 1);
	ck_assert_str_eq(b->endpoints[0].host, "192.0.2.2");
	ck_assert_uint_eq(b->endpoints[0].port, 7450);
	ck_assert_uint_eq(b->endpoints[0].addr.family, ELA_ADDR_IP4);
	ck_assert_uint_eq(b->endpoints[0].addr.port, 7450);
	ck_assert_str_eq(b->transports[0], "udp");
	ck_assert_ptr_null(b->transports[1]);
	ck_assert_uint_eq(b->keepalive_ns, 25000000000ull);
	ela_config_free(config);
}
END_TEST

/* CR LF, blanks everywhere, IPv6, lists, escapes, no newline at the end. */
START_TEST(full_file)
{
	static const char text[] =
		"  # indented comment\r\n"
		"\t[node]  \r\n"
		"name=node-1.example_x\r\n"
		"address =10.88.0.1/24 , FD00:88::1/64\r\n"
		"private-key-file = ./a.key\r\n"
		"lanes = 16\r\n"
		"user = _ela\r\n"
		"log-level = trace\r\n"
		"[components]\r\n"
		"npd = tun\r\ncipher = blowfish,aead\r\ntransport = tcp\r\nrouting = static\r\n"
		"[npd-tun]\r\n"
		"interface = a\\sb\r\nmode = ptp\r\nmtu = 65535\r\nlevel = -10\r\ndelay = 7d\r\nrate = 1gbit\r\nring = 8M\r\n"
		"gateway = fd00::2\r\nnames = x , yy,zzz\r\n"
		"[peer c]\r\n"
		"public-key = " KEY_C "\r\n"
		"address = 10.88.0.3, 10.89.0.0/16, fd00:88::3, 0.0.0.0/1\r\n"
		"endpoint = [2001:DB8::2]:1, c.example.org, 192.0.2.9, c-2.example.:65535\r\n"
		"keepalive = off";
	struct ela_config *config = load_good(text);
	const struct ela_config_peer *c = config->peers;

	ck_assert_str_eq(config->name, "node-1.example_x");
	ck_assert_str_eq(config->addresses[1], "fd00:88::1/64");
	ck_assert_uint_eq(config->address6.bits, 64);
	ck_assert_uint_eq(config->address6.addr.ip[15], 1);
	ck_assert_uint_eq(config->lanes, 16);
	ck_assert_str_eq(config->user, "_ela");
	ck_assert_uint_eq(config->log_level, ELA_LOG_TRACE);
	ck_assert_ptr_eq(config->ciphers[0]->descriptor, &fake_cipher_blowfish);
	ck_assert_uint_eq(c->n_prefixes, 4);
	ck_assert_str_eq(c->prefix_texts[1], "10.89.0.0/16");
	ck_assert_str_eq(c->prefix_texts[2], "fd00:88::3/128");
	ck_assert_str_eq(c->prefix_texts[3], "0.0.0.0/1");
	ck_assert_ptr_null(c->prefix_texts[4]);
	ck_assert_uint_eq(c->n_endpoints, 4);
	ck_assert_str_eq(c->endpoints[0].host, "2001:DB8::2");
	ck_assert_uint_eq(c->endpoints[0].addr.family, ELA_ADDR_IP6);
	ck_assert_uint_eq(c->endpoints[0].port, 1);
	ck_assert_str_eq(c->endpoints[1].host, "c.example.org");
	ck_assert_uint_eq(c->endpoints[1].port, 7450);
	ck_assert_uint_eq(c->endpoints[1].addr.family, ELA_ADDR_NONE);
	ck_assert_uint_eq(c->endpoints[2].addr.port, 7450);
	ck_assert_uint_eq(c->endpoints[3].port, 65535);
	ck_assert_str_eq(c->transports[0], "tcp");
	ck_assert_ptr_null(c->transports[1]);
	ck_assert_uint_eq(c->keepalive_ns, 0);
	ela_config_free(config);
}
END_TEST

/* No plugin's section, no peer. */
static const char minimal[] = "[node]\nname = a\naddress = 10.88.0.1/24\nprivate-key-file = a.key\nlanes = auto\n"
							  "[components]\nnpd = tun\ncipher = aead\ntransport = udp\nrouting = static\n";

START_TEST(minimal_file)
{
	struct ela_config *config = load_good(minimal);

	ck_assert_uint_eq(config->n_peers, 0);
	ck_assert_uint_eq(config->lanes, 0);
	ela_config_free(config);
}
END_TEST

/* A reload after the drop of privileges does not open the key. */
START_TEST(no_key_flag)
{
	g_autofree char *key = in_dir("a.key");
	g_autoptr(GPtrArray) errors = errors_new();
	struct ela_config *config;

	write_file(ini, good, sizeof good - 1, 0644);
	ck_assert_int_eq(unlink(key), 0);
	ck_assert_ptr_null(ela_config_load(ini, loader, 0, errors));
	config = ela_config_load(ini, loader, ELA_CONFIG_NO_KEY, errors);
	ck_assert_ptr_nonnull(config);
	ck_assert_str_eq(config->private_key_file, key);
	ela_config_free(config);
}
END_TEST

static void expect_num(const struct ela_config *config, const char *key, int64_t num)
{
	struct ela_value value = {0};

	ck_assert_int_eq(ela_config_option(config, config->npd, key, 0, &value), 0);
	ck_assert_msg(value.num == num, "%s: found %" G_GINT64_FORMAT ", wanted %" G_GINT64_FORMAT, key, value.num, num);
}

static void expect_str(const struct ela_config *config, const char *key, uint32_t index, const char *str)
{
	struct ela_value value = {0};

	ck_assert_int_eq(ela_config_option(config, config->npd, key, index, &value), 0);
	ck_assert_str_eq(value.str, str);
}

START_TEST(options_set)
{
	g_autofree char *text = g_strconcat(minimal,
		"[npd-tun]\ninterface = tap9\nmode = ptp\nmtu = 1300\nlevel = -3\ndelay = 3m\nrate = 500kbit\nring = 2048\n"
		"gateway = 192.0.2.1\nnames = x , yy,zzz\n",
		NULL);
	struct ela_config *config = load_good(text);
	struct ela_value value = {.num = 77};

	expect_str(config, "interface", 0, "tap9");
	expect_str(config, "mode", 0, "ptp");
	expect_num(config, "mode", 1);
	expect_num(config, "mtu", 1300);
	expect_num(config, "level", -3);
	expect_num(config, "delay", 180000000000);
	expect_num(config, "rate", 500000);
	expect_num(config, "ring", 2048);
	expect_str(config, "gateway", 0, "192.0.2.1");
	expect_str(config, "names", 0, "x");
	expect_str(config, "names", 1, "yy");
	expect_str(config, "names", 2, "zzz");
	ck_assert_int_eq(ela_config_option(config, config->npd, "names", 3, &value), -ENOENT);
	ck_assert_int_eq(ela_config_option(config, config->npd, "nothing", 0, &value), -EINVAL);
	ck_assert_int_eq(ela_config_option(config, config->routing, "mtu", 0, &value), -EINVAL);
	ck_assert_int_eq(value.num, 77);
	ck_assert(ela_config_is_set(config, "npd-tun", "mtu"));
	ck_assert(!ela_config_is_set(config, "npd-tun", "nothing"));
	ck_assert(!ela_config_is_set(config, "transport-udp", "port"));
	ela_config_free(config);
}
END_TEST

START_TEST(options_default)
{
	struct ela_config *config = load_good(minimal);
	struct ela_value value;

	expect_str(config, "interface", 0, "ela0");
	expect_num(config, "mode", 0);
	expect_num(config, "level", 0);
	expect_num(config, "delay", 250000000);
	expect_num(config, "rate", 10000000);
	expect_num(config, "ring", 65536);
	expect_str(config, "names", 1, "bb");
	ck_assert_int_eq(ela_config_option(config, config->npd, "names", 2, &value), -ENOENT);
	ck_assert_int_eq(ela_config_option(config, config->npd, "mtu", 0, &value), -ENOENT);
	ck_assert_int_eq(ela_config_option(config, config->npd, "gateway", 0, &value), -ENOENT);
	ck_assert_int_eq(ela_config_option(config, config->transports[0], "port", 0, &value), 0);
	ck_assert_int_eq(value.num, 7450);
	ela_config_free(config);
}
END_TEST

START_TEST(later_errors)
{
	struct ela_config *config = load_good(good);
	g_autofree char *mtu = ela_config_error(config, "npd-tun", "mtu", "at most %d", 1400);
	g_autofree char *other = ela_config_error(config, "npd-tun", "mode", "x");
	g_autofree char *none = ela_config_error(config, "cipher-aead", "x", "y");
	g_autofree char *mtu_wanted = g_strdup_printf("%s:13: [npd-tun] mtu: at most 1400", ini);
	g_autofree char *other_wanted = g_strdup_printf("%s:12: [npd-tun] mode: x", ini);
	g_autofree char *none_wanted = g_strdup_printf("%s:21: [cipher-aead] x: y", ini);

	ck_assert_str_eq(mtu, mtu_wanted);
	ck_assert_str_eq(other, other_wanted);
	ck_assert_str_eq(none, none_wanted);
	ela_config_free(config);
}
END_TEST

/* An edit of the good file and what of it needs a restart. */
static const struct {
	uint32_t line;
	const char *text;
	const char *needs; /* "" = nothing */
} diffs[] = {
	{11, "# another comment", ""},
	{2, "name = z", "node.name"},
	{3, "address = 10.88.0.9/24", "node.address"},
	{3, "address = 10.88.0.1/24, fd00::1/64", "node.address"},
	{4, "private-key-file = ./a.key", "node.private-key-file"},
	{5, "lanes = 2", "node.lanes"},
	{5, "lanes = auto", ""},
	{5, "user = nobody", "node.user"},
	{5, "log-level = debug", ""},
	{8, "cipher = blowfish, aead", "components.cipher"},
	{8, "cipher = aead", "components.cipher"},
	{9, "transport = udp", "components.transport"},
	{13, "mtu = 1400", "npd-tun.mtu"},
	{13, "", "npd-tun.mtu"},
	{13, "mtu = 1420\ndelay = 3s", ""},
	{13, "mtu = 1420\ninterface = ela0", ""},
	{13, "mtu = 1420\ninterface = ela1\nnames = a, c", "npd-tun.interface npd-tun.names"},
	{15, "port = 7451\ngso = off", "transport-udp.port transport-udp.gso"},
	{16, "[peer c]", ""},
	{19, "endpoint = 192.0.2.3", ""},
	{21, "keepalive = 5s", ""},
};

START_TEST(each_diff)
{
	g_autofree char *text = edited(diffs[_i].line, diffs[_i].text);
	struct ela_config *old = load_good(good), *fresh = load_good(text);
	g_autoptr(GPtrArray) needs = errors_new();
	g_autofree char *all = NULL;

	ela_config_diff(old, fresh, needs);
	g_ptr_array_add(needs, NULL);
	all = g_strjoinv(" ", (char **)needs->pdata);
	ck_assert_str_eq(all, diffs[_i].needs);
	ela_config_free(old);
	ela_config_free(fresh);
}
END_TEST

START_TEST(diff_routing)
{
	g_autofree char *text = g_strdup(minimal);
	struct ela_config *old = load_good(text), *fresh;
	g_autoptr(GPtrArray) needs = errors_new();

	memcpy(strstr(text, "static"), "table ", 6);
	memcpy(strstr(text, "tun"), "mem", 3);
	fresh = load_good(text);
	ela_config_diff(old, fresh, needs);
	ck_assert_uint_eq(needs->len, 2);
	ck_assert_str_eq(needs->pdata[0], "components.npd");
	ck_assert_str_eq(needs->pdata[1], "components.routing");
	ela_config_free(old);
	ela_config_free(fresh);
}
END_TEST

/* What is odd and may be meant: said, and taken. A peer with everything behind it calls, or is found by name. */
START_TEST(warnings)
{
	static const char text[] =
		"[peer b]\npublic-key = " KEY_B "\naddress = 10.89.0.2, 10.88.0.2\n"
		"[peer c]\npublic-key = " KEY_C "\naddress = 0.0.0.0/0, 10.88.0.3\nendpoint = c.example, [2001:db8::3]:1\n";
	g_autofree char *whole = g_strconcat(minimal, text, NULL);
	g_autofree char *wanted = g_strdup_printf(
		"%s:13: [peer b] address: warning: \"10.89.0.2\" is outside this node's network 10.88.0.0/24; expected the "
		"address of the [node] section of b first",
		ini);
	struct ela_config *config = load_good(whole);

	ck_assert_uint_eq(g_strv_length(config->warnings), 1);
	ck_assert_str_eq(config->warnings[0], wanted);
	ck_assert_mem_eq(config->peers[0].address4, "\x0a\x59\x00\x02", 4);
	ela_config_free(config);
	config = load_good(good);
	ck_assert_uint_eq(g_strv_length(config->warnings), 0);
	ela_config_free(config);
}
END_TEST

/* Whose routing has no ring is given the peers, whatever its name. */
START_TEST(routing_of_another)
{
	g_autofree char *text = edited(10, "routing = table");
	struct ela_config *config = load_good(text);

	ck_assert_ptr_eq(config->routing->descriptor, &fake_route_table);
	ck_assert_uint_eq(config->n_peers, 1);
	ela_config_free(config);
}
END_TEST

START_TEST(too_many_peers)
{
	g_autoptr(GString) text = g_string_new(minimal);

	for (uint32_t i = 0; i <= ELA_MAX_PEERS; i++) {
		uint8_t key[ELA_KEY_LEN] = {[0] = 9, [1] = (uint8_t)i, [2] = (uint8_t)(i >> 8)};
		char key_text[ELA_KEY_TEXT];

		ela_key_encode(key, key_text);
		g_string_append_printf(
			text, "[peer p%u]\npublic-key = %s\naddress = 10.%u.%u.1\n", i, key_text, 100 + i / 256, i % 256);
	}
	expect_text(text->str, text->len, 10 + 3 * ELA_MAX_PEERS + 1,
		"[peer p1024]: one peer too many; expected at most 1024", "peers");
}
END_TEST

/* Line line of the good file becomes key = FRONT1, FRONT2, ...: one element more than max. */
static void expect_too_many(uint32_t line, const char *key, const char *front, uint32_t max)
{
	g_autoptr(GString) list = g_string_new(key);
	g_autofree char *text = NULL;
	g_autofree char *pattern = g_strdup_printf("[*] %s: \"*\" is one too many; expected at most %u elements", key, max);

	for (uint32_t i = 0; i <= max; i++)
		g_string_append_printf(list, "%s%s%u", i == 0 ? " = " : ", ", front, i + 1);
	text = edited(line, list->str);
	expect_text(text, strlen(text), line, pattern, key);
}

START_TEST(too_many_elements)
{
	expect_too_many(18, "address", "10.90.0.", 64);
	expect_too_many(19, "endpoint", "192.0.2.", 8);
	expect_too_many(13, "names", "", 64);
}
END_TEST

static Suite *config_suite(void)
{
	Suite *suite = suite_create("config");
	TCase *bad = tcase_create("broken"), *fine = tcase_create("good");

	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_add_checked_fixture(fine, setup, teardown);
	tcase_add_loop_test(bad, each_broken, 0, (int)G_N_ELEMENTS(broken));
	tcase_add_test(bad, whole_files);
	tcase_add_test(bad, nul_byte);
	tcase_add_test(bad, long_line);
	tcase_add_test(bad, mebibyte_line);
	tcase_add_test(bad, large_file);
	tcase_add_test(bad, junk_lines);
	tcase_add_test(bad, odd_files);
	tcase_add_test(bad, unreadable_file);
	tcase_add_test(bad, key_files);
	tcase_add_test(bad, key_missing);
	tcase_add_test(bad, key_of_another);
	tcase_add_test(bad, own_public_key);
	tcase_add_test(bad, many_at_once);
	tcase_add_test(bad, missing_sections);
	tcase_add_test(bad, too_many_peers);
	tcase_add_test(bad, too_many_elements);
	tcase_add_test(fine, good_file);
	tcase_add_test(fine, full_file);
	tcase_add_test(fine, minimal_file);
	tcase_add_test(fine, no_key_flag);
	tcase_add_test(fine, options_set);
	tcase_add_test(fine, options_default);
	tcase_add_test(fine, later_errors);
	tcase_add_loop_test(fine, each_diff, 0, (int)G_N_ELEMENTS(diffs));
	tcase_add_test(fine, diff_routing);
	tcase_add_test(fine, routing_of_another);
	tcase_add_test(fine, warnings);
	tcase_add_test(bad, refused_plugin);
	suite_add_tcase(suite, bad);
	suite_add_tcase(suite, fine);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(config_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
