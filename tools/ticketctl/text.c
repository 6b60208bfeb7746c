#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ticketctl.h"

#define REPLACEMENT      0xFFFDu
#define REPLACEMENT_UTF8 "\xEF\xBF\xBD"
#define ELLIPSIS_UTF8    "\xE2\x80\xA6"

u32 utf8_next(const char *data, u32 bytes, u32 *character)
{
    const u8 *at = (const u8 *)data;
    *character = at[0];
    if (at[0] < 0x80) return 1;
    *character = REPLACEMENT;
    u32 length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > bytes) return 1;
    u32 value = at[0] & (0xFFu >> (length + 1));
    for (u32 i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 1;
        value = value << 6 | (at[i] & 0x3Fu);
    }
    bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
    if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return 1;
    *character = value;
    return length;
}

u32 character_width(u32 character)
{
    int width = wcwidth((wchar_t)character);
    return width < 0 ? 1 : (u32)width;
}

u32 text_width(const char *data, u32 bytes)
{
    u32 width = 0;
    for (u32 at = 0; at < bytes;) {
        u32 character;
        at += utf8_next(data + at, bytes - at, &character);
        width += character_width(character);
    }
    return width;
}

/* C0 and C1 controls, and the marks that turn the writing direction round. */
static bool is_control(u32 character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0) ||
           (character >= 0x2028 && character <= 0x202E) || (character >= 0x2066 && character <= 0x2069);
}

static char *text_copy(const char *data, u32 bytes, bool clean)
{
    char *copy = allocate((size_t)bytes * 3 + 1);
    size_t length = 0;
    for (u32 at = 0; at < bytes;) {
        u32 character;
        u32 step = utf8_next(data + at, bytes - at, &character);
        bool broken = character == REPLACEMENT && step == 1;
        if (broken) {
            memcpy(copy + length, REPLACEMENT_UTF8, 3);
            length += 3;
        } else if (clean && is_control(character)) {
            copy[length++] = ' ';
        } else {
            memcpy(copy + length, data + at, step);
            length += step;
        }
        at += step;
    }
    copy[length] = 0;
    return copy;
}

char *text_clean(const char *data, u32 bytes) { return text_copy(data, bytes, true); }
char *text_repair(const char *data, u32 bytes) { return text_copy(data, bytes, false); }

/* How many bytes of the text fit into `columns`. */
static u32 text_fit(const char *string, u32 bytes, u32 columns, u32 *width)
{
    u32 at = 0;
    *width = 0;
    while (at < bytes) {
        u32 character;
        u32 step = utf8_next(string + at, bytes - at, &character);
        u32 more = character_width(character);
        if (*width + more > columns) break;
        *width += more;
        at += step;
    }
    return at;
}

void text_print(FILE *file, const char *string, u32 columns, bool pad)
{
    u32 bytes = (u32)strlen(string);
    u32 width = text_width(string, bytes);
    if (width > columns && columns > 0) {
        u32 fit = text_fit(string, bytes, columns - 1, &width);
        fwrite(string, 1, fit, file);
        fputs(ELLIPSIS_UTF8, file);
        width++;
    } else {
        fwrite(string, 1, bytes, file);
    }
    for (; pad && width < columns; width++) fputc(' ', file);
}
