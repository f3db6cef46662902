/* SPDX-License-Identifier: MIT */
#include "store/path.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/time.h"

#define ENDING ".parquet"
#define FIRST_SEQ "{first_seq}"
#define LAST_SEQ "{last_seq}"

enum {
    ENDING_LEN = sizeof(ENDING) - 1,
};

static const struct field {
    const char *name;
    uint32_t longest; /* bytes that it can get */
} fields[] = {
    [STORE_PATH_LITERAL] = {"", 0},
    [STORE_PATH_SIMULATION_ID] = {"simulation_id", TEXT_ESCAPED_MAX},
    [STORE_PATH_EVENT_TYPE_KEY] = {"event_type_key", TEXT_ESCAPED_MAX},
    [STORE_PATH_WORKER_ID] = {"worker_id", TEXT_ESCAPED_MAX},
    [STORE_PATH_STREAM] = {"stream", TEXT_ESCAPED_MAX},
    [STORE_PATH_INSTANCE] = {"instance", TEXT_ESCAPED_MAX},
    [STORE_PATH_DATE] = {"YYYY-MM-DD", 10},
    [STORE_PATH_YEAR] = {"YYYY", 4},
    [STORE_PATH_MONTH] = {"MM", 2},
    [STORE_PATH_DAY] = {"DD", 2},
    [STORE_PATH_HOUR] = {"HH", 2},
    [STORE_PATH_FIRST_SEQ] = {"first_seq", 20},
    [STORE_PATH_LAST_SEQ] = {"last_seq", 20},
};

static bool has(const struct store_path *path, enum store_path_field field)
{
    return (path->fields & 1U << field) != 0;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_plain(uint8_t c)
{
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

static int add_token(struct store_path *path, enum store_path_field field, size_t start, size_t len,
                     struct err *err)
{
    if (path->count == STORE_PATH_TOKENS_MAX)
        return err_set(err, ERR_USAGE, "more than %d pieces", STORE_PATH_TOKENS_MAX);
    path->tokens[path->count++] =
        (struct store_path_token){.field = field, .start = (uint16_t)start, .len = (uint16_t)len};
    path->fields |= 1U << field;
    return 0;
}

/* The field whose name stands between `start` and the brace at `start + len`. */
static int add_field(struct store_path *path, size_t start, size_t len, struct err *err)
{
    struct slice name = {(const uint8_t *)path->text + start, len};
    for (uint32_t i = STORE_PATH_SIMULATION_ID; i <= STORE_PATH_LAST_SEQ; i++) {
        if (slice_is(name, fields[i].name))
            return add_token(path, (enum store_path_field)i, start, len, err);
    }
    return err_set(err, ERR_USAGE,
                   "{%.*s} is not known; use {simulation_id} {event_type_key} {worker_id} {stream} "
                   "{instance} {YYYY-MM-DD} {YYYY} {MM} {DD} {HH} {first_seq} {last_seq}",
                   (int)len, path->text + start);
}

/* The byte of the template behind a token, in braces or not; '\0' at its end. */
static char behind(const struct store_path *path, const struct store_path_token *token)
{
    return path->text[token->start + token->len + (token->field != STORE_PATH_LITERAL ? 1 : 0)];
}

static void mark_partitions(struct store_path *path)
{
    for (uint32_t i = 1; i < path->count; i++) {
        struct store_path_token *token = &path->tokens[i];
        const struct store_path_token *before = &path->tokens[i - 1];
        token->partition =
            token->field != STORE_PATH_LITERAL && before->field == STORE_PATH_LITERAL &&
            path->text[before->start + before->len - 1] == '=' && behind(path, token) == '/';
    }
}

static int split(struct store_path *path, struct err *err)
{
    const char *text = path->text;
    size_t at = 0;
    while (text[at] != '\0') {
        if (text[at] == '{') {
            const char *end = strchr(text + at, '}');
            if (end == NULL)
                return err_set(err, ERR_USAGE, "the '{' at byte %zu is not closed", at);
            size_t len = (size_t)(end - text) - at - 1;
            if (add_field(path, at + 1, len, err) != 0)
                return -1;
            at += len + 2;
            continue;
        }
        size_t len = strcspn(text + at, "{");
        for (size_t i = at; i < at + len; i++) {
            uint8_t c = (uint8_t)text[i];
            if (!is_plain(c) && c != '=' && c != '/')
                return err_set(err, ERR_USAGE,
                               "byte %zu (0x%02x) is not one of A-Z a-z 0-9 . _ = - /", i, c);
        }
        if (add_token(path, STORE_PATH_LITERAL, at, len, err) != 0)
            return -1;
        at += len;
    }
    mark_partitions(path);
    return 0;
}

/* What a walk over the parts of the path between slashes has seen of the current one. */
struct part {
    size_t longest;
    bool sequence;
};

static int end_part(const struct part *part, bool last, struct err *err)
{
    if (part->longest == 0)
        return err_set(err, ERR_USAGE, "a part between slashes is empty");
    if (part->longest > STORE_PATH_NAME_MAX - (last ? STORE_PATH_SUFFIX_MAX : 0))
        return err_set(err, ERR_USAGE,
                       "a part between slashes can get %zu bytes long, more than a file system "
                       "allows; use fewer fields in it",
                       part->longest);
    if (part->sequence && !last)
        return err_set(err, ERR_USAGE, "{first_seq} and {last_seq} belong into the file name");
    if (!part->sequence && last)
        return err_set(err, ERR_USAGE, "the file name needs {first_seq} or {last_seq}");
    return 0;
}

/* Lengths, and what may stand where. */
static int check_parts(const struct store_path *path, struct err *err)
{
    struct part part = {0};
    size_t total = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        const struct store_path_token *token = &path->tokens[i];
        if (token->field != STORE_PATH_LITERAL) {
            part.longest += fields[token->field].longest;
            total += fields[token->field].longest;
            part.sequence |= token->field >= STORE_PATH_FIRST_SEQ;
            continue;
        }
        total += token->len;
        for (uint32_t k = 0; k < token->len; k++) {
            char c = path->text[token->start + k];
            if (c == '/') {
                if (end_part(&part, false, err) != 0)
                    return -1;
                part = (struct part){0};
                continue;
            }
            if (part.longest == 0 && (c == '.' || c == '_'))
                return err_set(err, ERR_USAGE,
                               "a part that begins with '%c' is hidden from readers", c);
            part.longest++;
        }
    }
    if (total > STORE_PATH_MAX)
        return err_set(err, ERR_USAGE, "paths can get %zu bytes long, and at most %d are allowed",
                       total, STORE_PATH_MAX);
    return end_part(&part, true, err);
}

int store_path_parse(struct store_path *path, const char *text, struct err *err)
{
    *path = (struct store_path){0};
    size_t len = strlen(text);
    if (len > STORE_PATH_TEMPLATE_MAX)
        return err_set(err, ERR_USAGE, "path template: longer than %d bytes",
                       STORE_PATH_TEMPLATE_MAX);
    memcpy(path->text, text, len);
    if (len < ENDING_LEN || strcmp(text + len - ENDING_LEN, ENDING) != 0)
        return err_set(err, ERR_USAGE, "path template: '%s' does not end with " ENDING, text);
    if (split(path, err) != 0 || check_parts(path, err) != 0)
        return err_prefix(err, "path template '%s'", text);
    return 0;
}

static struct slice value_of(const struct store_path_values *values, enum store_path_field field)
{
    switch (field) {
    case STORE_PATH_SIMULATION_ID:
        return values->simulation_id;
    case STORE_PATH_EVENT_TYPE_KEY:
        return values->event_type_key;
    case STORE_PATH_WORKER_ID:
        return values->worker_id;
    case STORE_PATH_STREAM:
        return values->stream;
    case STORE_PATH_INSTANCE:
        return values->instance;
    case STORE_PATH_LITERAL:
    case STORE_PATH_DATE:
    case STORE_PATH_YEAR:
    case STORE_PATH_MONTH:
    case STORE_PATH_DAY:
    case STORE_PATH_HOUR:
    case STORE_PATH_FIRST_SEQ:
    case STORE_PATH_LAST_SEQ:
        break;
    }
    ASSERT(false); /* only fields with a text come here */
    return (struct slice){0};
}

static bool is_column(const struct schema *schema, struct slice name, const char **column)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        *column = schema->columns[i].name;
        if (strlen(*column) == name.len &&
            strncasecmp(*column, (const char *)name.data, name.len) == 0)
            return true;
    }
    return false;
}

/* Check the directory `name`=... `value` is the token of its value, or NULL if that is not just one
 * field. */
static int check_partition(struct slice name, const struct store_path_token *value,
                           const struct schema *schema, struct err *err)
{
    const char *column;
    int shown = (int)name.len;
    if (name.len == 0 || memchr(name.data, '{', name.len) != NULL)
        return err_set(err, ERR_USAGE, "'%.*s=': no event chooses the name in front of '='", shown,
                       (const char *)name.data);
    if (!is_column(schema, name, &column))
        return 0;
    if (value != NULL && slice_is(name, column) && strcmp(fields[value->field].name, column) == 0)
        return 0;
    return err_set(err, ERR_USAGE,
                   "readers that look for partitions would take '%.*s=' for the column %s, which "
                   "the files have with other values; choose another name",
                   shown, (const char *)name.data, column);
}

/* Is a directory of this name among those of the template up to byte `end`? */
static bool is_there(const char *text, size_t end, struct slice name)
{
    for (size_t at = 0, start = 0; at < end; at++) {
        if (text[at] == '/')
            start = at + 1;
        if (text[at] == '=' && at - start == name.len &&
            strncasecmp(text + start, (const char *)name.data, name.len) == 0)
            return true;
    }
    return false;
}

int store_path_check_partitions(const struct store_path *path, const struct schema *schema,
                                struct err *err)
{
    const char *text = path->text;
    size_t start = 0; /* of the directory */
    for (uint32_t i = 0; i < path->count; i++) {
        const struct store_path_token *token = &path->tokens[i];
        const struct store_path_token *next = token + 1;
        size_t end = (size_t)token->start + token->len;
        for (size_t at = token->start; token->field == STORE_PATH_LITERAL && at < end; at++) {
            struct slice name = {(const uint8_t *)text + start, at - start};
            bool alone = at + 1 == end && i + 1 < path->count && next->partition;
            if (text[at] == '/')
                start = at + 1;
            if (text[at] != '=' || memchr(name.data, '=', name.len) != NULL)
                continue;
            if (check_partition(name, alone ? next : NULL, schema, err) != 0)
                return -1;
            if (is_there(text, start, name))
                return err_set(err, ERR_USAGE, "'%.*s=' is there twice", (int)name.len,
                               (const char *)name.data);
        }
    }
    return 0;
}

static void append_field(struct buf *out, const struct store_path *path,
                         const struct store_path_token *token,
                         const struct store_path_values *values, const struct time_utc *time)
{
    const struct time_date *date = &time->date;
    switch (token->field) {
    case STORE_PATH_LITERAL:
        buf_append(out, path->text + token->start, token->len);
        break;
    case STORE_PATH_DATE:
        buf_printf(out, "%04" PRId64 "-%02d-%02d", date->year, date->month, date->day);
        break;
    case STORE_PATH_YEAR:
        buf_printf(out, "%04" PRId64, date->year);
        break;
    case STORE_PATH_MONTH:
        buf_printf(out, "%02d", date->month);
        break;
    case STORE_PATH_DAY:
        buf_printf(out, "%02d", date->day);
        break;
    case STORE_PATH_HOUR:
        buf_printf(out, "%02d", time->hour);
        break;
    case STORE_PATH_FIRST_SEQ:
        buf_append_text(out, FIRST_SEQ);
        break;
    case STORE_PATH_LAST_SEQ:
        buf_append_text(out, LAST_SEQ);
        break;
    case STORE_PATH_SIMULATION_ID:
    case STORE_PATH_EVENT_TYPE_KEY:
    case STORE_PATH_WORKER_ID:
    case STORE_PATH_STREAM:
    case STORE_PATH_INSTANCE:
        if (token->partition && value_of(values, token->field).len == 0)
            buf_append_text(out, STORE_PATH_NULL);
        else
            text_escape(out, value_of(values, token->field));
        break;
    }
}

void store_path_key(struct buf *out, const struct store_path *path,
                    const struct store_path_values *values)
{
    struct time_utc time = time_utc_of(values->time);
    for (uint32_t i = 0; i < path->count; i++)
        append_field(out, path, &path->tokens[i], values, &time);
}

bool store_path_same(const struct store_path *path, const struct store_path_values *a,
                     const struct store_path_values *b)
{
    for (uint32_t i = STORE_PATH_SIMULATION_ID; i <= STORE_PATH_INSTANCE; i++) {
        enum store_path_field field = (enum store_path_field)i;
        if (has(path, field) && !slice_equal(value_of(a, field), value_of(b, field)))
            return false;
    }
    int64_t hour = 3600 * CLOCK_SECOND;
    if (has(path, STORE_PATH_HOUR))
        return num_floor_divide(a->time, hour) == num_floor_divide(b->time, hour);
    if (has(path, STORE_PATH_DATE) || has(path, STORE_PATH_YEAR) || has(path, STORE_PATH_MONTH) ||
        has(path, STORE_PATH_DAY))
        return num_floor_divide(a->time, 24 * hour) == num_floor_divide(b->time, 24 * hour);
    return true;
}

void store_path_quarantine_key(struct buf *out, struct slice stream)
{
    buf_append_text(out, STORE_PATH_QUARANTINE);
    text_escape(out, stream);
    buf_append_text(out, "-" FIRST_SEQ "-" LAST_SEQ STORE_PATH_QUARANTINE_ENDING);
}

static bool ends_with(struct slice text, const char *ending)
{
    size_t len = strlen(ending);
    return text.len > len && memcmp(text.data + text.len - len, ending, len) == 0;
}

void store_path_quarantine_name(struct buf *out, struct slice path, bool *renamed)
{
    *renamed = slice_starts_with(path, STORE_PATH_QUARANTINE) && ends_with(path, ENDING);
    if (*renamed)
        path.len -= ENDING_LEN;
    buf_append_slice(out, path);
    if (*renamed)
        buf_append_text(out, STORE_PATH_QUARANTINE_ENDING);
}

void store_path_name(struct buf *out, struct slice key, uint64_t first_seq, uint64_t last_seq)
{
    const char *ending = ends_with(key, ENDING) ? ENDING : STORE_PATH_QUARANTINE_ENDING;
    ASSERT(ends_with(key, ending));
    size_t end = key.len - strlen(ending);
    for (size_t at = 0; at < end;) {
        struct slice rest = {key.data + at, end - at};
        if (slice_starts_with(rest, FIRST_SEQ)) {
            buf_append_decimal(out, first_seq);
            at += sizeof(FIRST_SEQ) - 1;
        } else if (slice_starts_with(rest, LAST_SEQ)) {
            buf_append_decimal(out, last_seq);
            at += sizeof(LAST_SEQ) - 1;
        } else {
            buf_append_byte(out, key.data[at++]);
        }
    }
    buf_append_text(out, ending);
}
