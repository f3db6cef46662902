/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"

enum { SENTENCE_MAX = 2048 }; /* what is longer is cut */

void check_say(struct check_report *r, enum check_level level, const char *format, ...)
{
    static const char *const names[CHECK_LEVELS] = {
        [CHECK_OK] = "ok", [CHECK_WARNING] = "warning", [CHECK_PROBLEM] = "problem"};
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    /* Names come from the server: they must not write to the terminal. */
    for (char *c = sentence; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    r->counts[level]++;
    if (!r->json) {
        buf_printf(&r->text, "%-8s %s\n", names[level], sentence);
        return;
    }
    struct json_writer w = {.out = &r->text};
    json_open_object(&w, NULL);
    json_put_text(&w, "level", names[level]);
    json_put_text(&w, "text", sentence);
    json_close_object(&w);
    buf_append_byte(&r->text, '\n');
}

const char *check_duration(int64_t ns, char out[static CHECK_DURATION_MAX])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t seconds = ns / CLOCK_SECOND;
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < 2 * units[i].seconds && seconds != units[i].seconds)
        i++;
    (void)snprintf(out, CHECK_DURATION_MAX, "%" PRId64 "%c", seconds / units[i].seconds,
                   units[i].unit);
    return out;
}
