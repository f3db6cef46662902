/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <string.h>

#include "object/directory.h"

/* The folder, and lines of "+<name>" for what comes, "-<name>" for what goes. */
#define SWAP_RECORD "swap.record"

enum {
    RECORD_MAX = 16 * 1024 * 1024, /* some 80,000 names */
};

void posix_swap_free(struct posix_swap *s)
{
    buf_free(&s->folder);
    map_free(&s->come);
    map_free(&s->go);
}

int posix_failed(const char *what, struct slice name, struct err *err)
{
    return err_set_system(err, errno, "can't %s %.*s", what, (int)name.len,
                          (const char *)name.data);
}

void posix_swap_fill(struct posix_swap *s, const struct object_swap *swap)
{
    size_t len = strlen(swap->folder);
    bool added;
    s->keep = swap->keep;
    buf_append(&s->folder, swap->folder, len - 1);
    for (size_t i = 0; i < swap->group.count; i++)
        (void)map_put(&s->come, slice_of(swap->group.members[i].name + len), &added);
    for (size_t i = 0; i < swap->old_count; i++)
        (void)map_put(&s->go, slice_of(swap->old[i] + len), &added);
}

/* A file in our own directory, in one piece. */
int posix_record_write(struct posix *p, struct posix_swap *s, struct err *err)
{
    struct buf text = {0};
    char name[POSIX_STAGED_NAME_MAX];
    buf_printf(&text, "%s\n%s\n", s->keep ? "keep" : "exchange", buf_text(&s->folder));
    for (uint32_t i = 0; i < s->come.count + s->go.count; i++) {
        bool comes = i < s->come.count;
        buf_append_text(&text, comes ? "+" : "-");
        buf_append_slice(&text, comes ? map_key(&s->come, i) : map_key(&s->go, i - s->come.count));
        buf_append_text(&text, "\n");
    }
    struct object_staged *file = posix_stage_whole(p, buf_slice(&text), err);
    buf_free(&text);
    if (file == NULL)
        return -1;
    posix_staged_name(name, file->id);
    if (system_rename(&p->system, p->own_dir, name, p->own_dir, SWAP_RECORD) != 0) {
        (void)posix_failed("make", slice_of(SWAP_RECORD), err);
        posix_abandon(file);
        return -1;
    }
    posix_staged_free(file);
    return directory_sync(&p->system, p->own_dir, ".", err);
}

static bool cut_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    if (end == NULL)
        return false;
    *line = (struct slice){rest->data, (size_t)(end - rest->data)};
    *rest = (struct slice){end + 1, rest->len - line->len - 1};
    return true;
}

/* A name of one part, as a record may have it. */
static bool is_name(struct slice name)
{
    return object_name_is_valid(name) && memchr(name.data, '/', name.len) == NULL;
}

static int parse_record(struct posix_swap *s, struct slice rest, struct err *err)
{
    struct slice line;
    bool added;
    bool valid = cut_line(&rest, &line) && (slice_is(line, "keep") || slice_is(line, "exchange"));
    if (valid) {
        s->keep = slice_is(line, "keep");
        valid = cut_line(&rest, &line) && object_name_is_valid(line);
    }
    if (valid)
        buf_append_slice(&s->folder, line);
    while (valid && cut_line(&rest, &line)) {
        struct slice name = {line.data + 1, line.len - (line.len > 0)};
        valid = line.len > 0 && (line.data[0] == '+' || line.data[0] == '-') && is_name(name);
        if (valid)
            (void)map_put(line.data[0] == '+' ? &s->come : &s->go, name, &added);
    }
    if (valid && rest.len == 0 && s->come.count > 0)
        return 0;
    return err_set(err, ERR_FORMAT, ".varve/%%keeper/" SWAP_RECORD " is damaged");
}

/* *found: a swap was begun, and is not at its end. */
int posix_record_read(struct posix *p, struct posix_swap *s, bool *found, struct err *err)
{
    struct buf path = {0};
    struct buf text = {0};
    buf_printf(&path, ".varve/%s/" SWAP_RECORD, p->writer_name);
    int result = object_get_all(&p->store, buf_text(&path), RECORD_MAX, &text, found, err);
    if (result == 0 && *found)
        result = parse_record(s, buf_slice(&text), err);
    buf_free(&path);
    buf_free(&text);
    return result;
}

int posix_record_remove(struct posix *p, struct err *err)
{
    if (system_unlink(&p->system, p->own_dir, SWAP_RECORD) != 0 && errno != ENOENT)
        return posix_failed("remove", slice_of(SWAP_RECORD), err);
    return directory_sync(&p->system, p->own_dir, ".", err);
}
