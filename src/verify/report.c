/* SPDX-License-Identifier: MIT */
#include "verify/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/num.h"

/* Output errors stick to stdout and are looked at in the end of the command. */

static void clear_progress(struct report *r)
{
    if (r->line_shown)
        (void)fputs("\r\033[K", stderr);
    r->line_shown = false;
}

void report_begin(struct report *r, const char *subject)
{
    r->subject = subject;
    r->subject_findings = 0;
    r->subject_size = 0;
    buf_reset(&r->list);
    buf_reset(&r->notes_list);
}

static struct json_writer begin_finding(struct buf *list, const char *kind)
{
    struct json_writer w = {.out = list, .comma = list->len > 0};
    json_open_object(&w, NULL);
    json_put_text(&w, "kind", kind);
    return w;
}

static void end_finding(struct json_writer *w, const char *text)
{
    json_put_text(w, "text", text);
    json_close_object(w);
}

static void append(struct buf *list, const char *kind, const char *text)
{
    struct json_writer w = begin_finding(list, kind);
    end_finding(&w, text);
}

static void count(struct report *r)
{
    r->findings++;
    r->subject_findings++;
    clear_progress(r);
}

/* Count a line of this kind. True if there were enough of them already. */
static bool is_one_of_many(struct report *r, const char *kind, bool note)
{
    for (size_t i = 0; i < r->kinds.count; i++) {
        struct report_kind *k = &r->kinds.list[i];
        if (k->note == note && strcmp(k->kind, kind) == 0)
            return k->told++ >= REPORT_LINES_MAX;
    }
    *array_add(&r->kinds) = (struct report_kind){kind, note, 1};
    return false;
}

static void tell(struct report *r, const char *kind, bool note, bool total, const char *format,
                 va_list arguments) __attribute__((format(printf, 5, 0)));

static void tell(struct report *r, const char *kind, bool note, bool total, const char *format,
                 va_list arguments)
{
    char text[ERR_TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), format, arguments); /* cut if it is too long */
    if (note) {
        r->notes++;
        clear_progress(r);
    } else {
        count(r);
    }
    if (r->json)
        append(note ? &r->notes_list : &r->list, kind, text);
    else if (total || !is_one_of_many(r, kind, note))
        printf("%s: %s: %s\n", r->subject, note ? "note" : kind, text);
}

void report_found(struct report *r, const char *kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(r, kind, false, false, format, arguments);
    va_end(arguments);
}

void report_note(struct report *r, const char *kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(r, kind, true, false, format, arguments);
    va_end(arguments);
}

void report_total(struct report *r, const char *kind, bool note, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(r, kind, note, true, format, arguments);
    va_end(arguments);
}

void report_found_in_file(void *context, const struct parquet_finding *finding)
{
    struct report *r = context;
    const char *kind = parquet_fault_name(finding->fault);
    count(r);
    if (r->json) {
        struct json_writer w = begin_finding(&r->list, kind);
        if (finding->row_group >= 0)
            json_put_i64(&w, "row_group", finding->row_group);
        if (finding->column.data != NULL)
            json_put_slice(&w, "column", finding->column);
        if (finding->page >= 0)
            json_put_i64(&w, "page", finding->page);
        if (finding->offset >= 0)
            json_put_i64(&w, "offset", finding->offset);
        end_finding(&w, finding->text);
        return;
    }
    if (is_one_of_many(r, kind, false))
        return;
    printf("%s: ", r->subject);
    if (finding->row_group >= 0)
        printf("row group %" PRId64 ": ", finding->row_group);
    if (finding->column.data != NULL)
        printf("column %.*s: ", (int)finding->column.len, (const char *)finding->column.data);
    if (finding->page >= 0)
        printf("page %" PRId64 " at byte %" PRId64 ": ", finding->page, finding->offset);
    printf("%s: %s\n", kind, finding->text);
}

void report_progress(void *context, uint64_t offset)
{
    struct report *r = context;
    int64_t now = r->progress ? clock_monotonic() : 0;
    if (!r->progress || now < r->next_progress)
        return;
    char done[NUM_SIZE_TEXT_MAX];
    num_format_size(r->bytes + offset, done);
    (void)fprintf(stderr, "\r\033[K%" PRIu64 " files, %s: %.60s", r->files, done, r->subject);
    (void)fflush(stderr);
    r->line_shown = true;
    r->next_progress = now + CLOCK_SECOND / 5;
}

void report_end(struct report *r, const struct parquet_verify *file)
{
    if (file != NULL) {
        r->files++;
        r->rows += file->rows;
        r->bytes += r->subject_size;
        if (file->findings > PARQUET_FINDINGS_MAX) {
            uint64_t more = file->findings - PARQUET_FINDINGS_MAX;
            report_found(r, "more", "%" PRIu64 " findings are not listed", more);
        }
    }
    if (!r->json || (file == NULL && r->subject_findings == 0 && r->notes_list.len == 0))
        return;
    struct buf line = {0};
    struct json_writer w = {.out = &line};
    json_open_object(&w, NULL);
    json_put_text(&w, file != NULL ? "file" : "folder", r->subject);
    if (file != NULL) {
        json_put_u64(&w, "bytes", r->subject_size);
        json_put_u64(&w, "rows", file->rows);
        json_put_u64(&w, "row_groups", file->row_groups);
        json_put_u64(&w, "pages", file->pages);
        json_put_u64(&w, "pages_without_crc", file->pages_without_crc);
    }
    json_put_bool(&w, "ok", r->subject_findings == 0);
    json_open_array(&w, "findings");
    buf_append_slice(&line, buf_slice(&r->list));
    json_close_array(&w);
    json_open_array(&w, "notes");
    buf_append_slice(&line, buf_slice(&r->notes_list));
    json_close_array(&w);
    json_close_object(&w);
    buf_append_byte(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
}

void report_end_path(struct report *r, const char *path)
{
    for (size_t i = 0; i < r->kinds.count; i++) {
        const struct report_kind *k = &r->kinds.list[i];
        if (k->told <= REPORT_LINES_MAX)
            continue;
        clear_progress(r);
        printf("%s: %s%s: and %" PRIu64 " more, which --json has\n", path, k->note ? "note: " : "",
               k->kind, k->told - REPORT_LINES_MAX);
    }
    r->kinds.count = 0;
}

static void print_summary_json(const struct report *r)
{
    struct buf line = {0};
    struct json_writer w = {.out = &line};
    json_open_object(&w, NULL);
    json_open_object(&w, "summary");
    json_put_u64(&w, "files", r->files);
    json_put_u64(&w, "rows", r->rows);
    json_put_u64(&w, "bytes", r->bytes);
    json_put_u64(&w, "findings", r->findings);
    json_put_u64(&w, "notes", r->notes);
    json_close_object(&w);
    json_close_object(&w);
    buf_append_byte(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
}

void report_summary(struct report *r, bool failed)
{
    char size[NUM_SIZE_TEXT_MAX];
    clear_progress(r);
    if (r->json) {
        print_summary_json(r);
        return;
    }
    num_format_size(r->bytes, size);
    printf("%s: %" PRIu64 " file%s, %" PRIu64 " rows, %s, %" PRIu64 " finding%s",
           r->findings == 0 && !failed ? "ok" : "NOT OK", r->files, r->files == 1 ? "" : "s",
           r->rows, size, r->findings, r->findings == 1 ? "" : "s");
    if (r->notes > 0)
        printf(", %" PRIu64 " note%s", r->notes, r->notes == 1 ? "" : "s");
    printf("\n");
}

void report_free(struct report *r)
{
    array_free(&r->kinds);
    buf_free(&r->list);
    buf_free(&r->notes_list);
    *r = (struct report){0};
}
