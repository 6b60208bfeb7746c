/* Writes a dictionary for the fuzzers from the schema: magic, numbers of ops, names of members and
 * enumerations. */
#include <stdio.h>

#include "base/base.h"

static void bytes_write(const void *data, u32 bytes)
{
    putchar('"');
    for (u32 i = 0; i < bytes; i++) printf("\\x%02x", ((const u8 *)data)[i]);
    puts("\"");
}

static void name_write(const char *name) { printf("\"%s\"\n", name); }

int main(void)
{
    u32 magic = TKD_MAGIC;
    bytes_write(&magic, sizeof magic);
    for (u16 op = 1; op < 256; op++) {
        if (tkd_op_info(op) == NULL) continue;
        bytes_write(&op, sizeof op);
        name_write(tkd_op_info(op)->name);
    }
    for (u32 which = 1; which < TKD_ENUM_END; which++)
        for (u32 member = 1; member < 256; member++)
            if (strcmp(tkd_name((enum tkd_enum)which, member), "?") != 0)
                name_write(tkd_name((enum tkd_enum)which, member));
    for (u32 record = 1; record < TKD_RECORD_END; record++) {
        const struct tkd_record_info *info = tkd_record_info(record);
        for (u32 i = 0; info != NULL && i < info->fields_count; i++) name_write(info->fields[i].name);
    }
    return 0;
}
