/* SPDX-License-Identifier: Apache-2.0 */
/* table: rows of text in columns as wide as what is in them, on stdout. */
#ifndef ELA_CLI_TABLE_H
#define ELA_CLI_TABLE_H

#include <glib.h>
#include <stdbool.h>

struct ela_table;

/* n heads of columns; the last column is as wide as it is. */
struct ela_table *ela_table_new(const char *const *heads, guint n);
/* One text a column, g_free; start and end (static) stand around the row, such as a colour. TAKES the texts. */
void ela_table_add(struct ela_table *table, char *const *cells, const char *start, const char *end);
/* Nothing where there is no row. head_start, head_end: around the heads. */
void ela_table_print(const struct ela_table *table, const char *head_start, const char *head_end);
void ela_table_free(struct ela_table *table);

#endif
