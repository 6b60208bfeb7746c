/* The schema's tables as Markdown. */
#ifndef PROTOCOL_TABLES_H
#define PROTOCOL_TABLES_H

#include <stdio.h>

#include "ticketd/wire.h"

void table_header(FILE *to);
void table_flags(FILE *to);
void table_ops(FILE *to);
void table_statuses(FILE *to);
void table_enumerations(FILE *to);
void table_events(FILE *to);
void table_records(FILE *to);
void table_limits(FILE *to);
void table_checksums(FILE *to);

#endif
