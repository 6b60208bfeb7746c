#include <criterion/criterion.h>

#include "base/base.h"

Test(schema, every_record_has_a_table_that_fits_its_struct)
{
    u32 records = 0;
    for (u32 record = 1; record < TKD_RECORD_END; record++, records++) {
        const struct tkd_record_info *info = tkd_record_info(record);
        cr_assert(info && info->name && *info->doc);
        u32 offset = record == TKD_RECORD_result ? 0 : TKD_RECORD_PREFIX_BYTES, texts = 0;
        for (u32 i = 0; i < info->fields_count; i++) {
            const struct tkd_field *field = &info->fields[i];
            cr_assert_eq(field->offset, offset, "%s.%s", info->name, field->name);
            cr_assert_eq(field->offset % field->bytes, 0, "%s.%s is not aligned", info->name, field->name);
            cr_assert(!texts || field->text, "%s.%s: numbers come first", info->name, field->name);
            cr_assert(!field->text || field->text_bytes_max > 0);
            cr_assert(!field->text || texts > 0 || field->offset == info->texts_offset);
            texts += field->text;
            offset += field->bytes;
        }
        cr_assert_eq(offset, info->head_bytes);
        cr_assert_eq(texts, info->texts_count);
        cr_assert_lt(info->head_bytes, UINT16_MAX);
    }
    cr_assert_eq(records, TKD_RECORD_END - 1);
    cr_assert_null(tkd_record_info(0));
    cr_assert_null(tkd_record_info(TKD_RECORD_END));
}

/* The largest record of every kind fits into a frame. */
Test(schema, largest_records_fit_a_frame)
{
    for (u32 record = 1; record < TKD_RECORD_END; record++) {
        const struct tkd_record_info *info = tkd_record_info(record);
        u64 bytes = info->head_bytes + 7;
        for (u32 i = 0; i < info->fields_count; i++) bytes += info->fields[i].text_bytes_max;
        cr_assert_leq(bytes, TKD_FRAME_BYTES_MAX - TKD_FRAME_BYTES, "%s", info->name);
    }
}

Test(schema, ids_and_reserved_are_marked)
{
    const struct tkd_record_info *info = tkd_record_info(TKD_RECORD_catalog_entry);
    u32 ids = 0;
    for (u32 i = 0; i < info->fields_count; i++) ids += info->fields[i].ids;
    cr_assert_eq(ids, 5);
    cr_assert(!info->fields[info->fields_count - 6].ids, "a name is characters");

    info = tkd_record_info(TKD_RECORD_hello);
    cr_assert_str_eq(info->fields[2].name, "reserved");
    cr_assert(info->fields[2].reserved && !info->fields[1].reserved);
}

Test(schema, ops)
{
    u32 ops = 0;
    for (u32 number = 0; number <= UINT16_MAX; number++) {
        const struct tkd_op_info *op = tkd_op_info(number);
        if (!op) continue;
        ops++;
        cr_assert_eq(op->number, number);
        cr_assert(op->class != TKD_CLASS_NONE && tkd_record_info(op->request) && tkd_record_info(op->answer));
        cr_assert(op->records_max >= 1 && op->records_max <= TKD_RECORDS_MAX);
        cr_assert_eq(op->class == TKD_CLASS_command, op->answer == TKD_RECORD_result, "%s", op->name);
    }
#define COUNT_OP(...) +1
    cr_assert_eq(ops, 0 TKD_OPS(COUNT_OP), "no number is used twice");
    cr_assert_null(tkd_op_info(0));
    cr_assert_null(tkd_op_info(UINT32_MAX));
}

Test(schema, statuses)
{
    u32 statuses = 0;
    for (u32 number = 0; number <= UINT16_MAX; number++) {
        const struct tkd_status_info *status = tkd_status_info(number);
        if (!status) continue;
        statuses++;
        cr_assert(*status->name && *status->doc && status->class != TKD_STATUS_none);
    }
#define COUNT_STATUS(...) +1
    cr_assert_eq(statuses, 0 TKD_STATUSES(COUNT_STATUS), "no number is used twice");
    cr_assert_null(tkd_status_info(0));
    cr_assert_null(tkd_status_info(UINT32_MAX));
}

Test(schema, names_lead_back_to_their_numbers)
{
    u32 members = 0;
    for (u32 which = 1; which < TKD_ENUM_END; which++) {
        for (u32 number = 1; number < 256; number++) {
            const char *name = tkd_name(which, number);
            if (strcmp(name, "?") == 0) continue;
            members++;
            cr_assert_eq(tkd_number(which, name), number, "%s", name);
        }
        cr_assert_str_eq(tkd_name(which, 0), "?", "0 is never a member");
        cr_assert_eq(tkd_number(which, "nonsense"), 0);
    }
    cr_assert_gt(members, 80);
    cr_assert_str_eq(tkd_name(TKD_ENUM_STATE, TKD_STATE_ON_HOLD), "on_hold");
    cr_assert_str_eq(tkd_doc(TKD_ENUM_STATE, TKD_STATE_ON_HOLD), "waits for a third party");
    cr_assert_str_eq(tkd_doc(TKD_ENUM_STATE, 200), "");
    cr_assert_str_eq(tkd_name(TKD_ENUM_END, 1), "?");
    cr_assert_str_eq(tkd_name(0, 1), "?");
    cr_assert_eq(tkd_number(TKD_ENUM_END, "open"), 0);
}
