/* SPDX-License-Identifier: Apache-2.0 */
/* table: see table.h. What is printed is checked by main() at the end. */
#include "table.h"

#include <stdio.h>
#include <string.h>

struct row {
	char **cells;
	const char *start, *end;
};

struct ela_table {
	guint n;
	GArray *rows; /* struct row; the first has the heads */
};

static void clear_row(void *data)
{
	g_strfreev(((struct row *)data)->cells);
}

static char **copy(struct ela_table *table, char *const *cells)
{
	char **own = g_new0(char *, table->n + 1);

	memcpy(own, cells, table->n * sizeof *own);
	return own;
}

void ela_table_add(struct ela_table *table, char *const *cells, const char *start, const char *end)
{
	const struct row row = {copy(table, cells), start, end};

	g_array_append_val(table->rows, row);
}

struct ela_table *ela_table_new(const char *const *heads, guint n)
{
	struct ela_table *table = g_new0(struct ela_table, 1);
	g_autofree char **cells = g_new0(char *, n);

	table->n = n;
	table->rows = g_array_new(FALSE, FALSE, sizeof(struct row));
	g_array_set_clear_func(table->rows, clear_row);
	for (guint i = 0; i < n; i++)
		cells[i] = g_strdup(heads[i]);
	ela_table_add(table, cells, "", "");
	return table;
}

static void print_row(const struct row *row, const size_t *widths, guint n)
{
	for (guint i = 0; i + 1 < n; i++)
		(void)printf("%-*s  ", (int)widths[i], row->cells[i]);
	(void)printf("%s", row->cells[n - 1]);
}

void ela_table_print(const struct ela_table *table, const char *head_start, const char *head_end)
{
	g_autofree size_t *widths = g_new0(size_t, table->n);

	for (guint i = 0; i < table->rows->len; i++)
		for (guint k = 0; k < table->n; k++)
			widths[k] = MAX(widths[k], strlen(g_array_index(table->rows, struct row, i).cells[k]));
	for (guint i = 0; table->rows->len > 1 && i < table->rows->len; i++) {
		const struct row *row = &g_array_index(table->rows, struct row, i);

		(void)fputs(i ? row->start : head_start, stdout);
		print_row(row, widths, table->n);
		(void)printf("%s\n", i ? row->end : head_end);
	}
}

void ela_table_free(struct ela_table *table)
{
	g_array_unref(table->rows);
	g_free(table);
}
