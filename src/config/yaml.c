/* SPDX-License-Identifier: MIT */
#include "config/yaml.h"

#include <string.h>

#include "base/assert.h"

/* Ours nests 4 deep; the other sections of a simulation's file may go deeper. */
enum { DEPTH_MAX = 64 };

unsigned yaml_walk_line(const struct yaml_walk *w)
{
    return (unsigned)w->event.start_mark.line + 1;
}

int yaml_walk_place(struct yaml_walk *w, unsigned line)
{
    return err_prefix(w->err, "%s:%u", w->name, line);
}

int yaml_walk_fail(struct yaml_walk *w, const char *text)
{
    err_set(w->err, ERR_USAGE, "%s", text);
    return yaml_walk_place(w, yaml_walk_line(w));
}

bool yaml_walk_is_mapping(const struct yaml_walk *w)
{
    return w->event.type == YAML_MAPPING_START_EVENT;
}

bool yaml_walk_is_list(const struct yaml_walk *w)
{
    return w->event.type == YAML_SEQUENCE_START_EVENT;
}

bool yaml_walk_is_scalar(const struct yaml_walk *w)
{
    return w->event.type == YAML_SCALAR_EVENT;
}

bool yaml_walk_is_close(const struct yaml_walk *w)
{
    return w->event.type == YAML_MAPPING_END_EVENT || w->event.type == YAML_SEQUENCE_END_EVENT;
}

struct slice yaml_walk_scalar(const struct yaml_walk *w)
{
    ASSERT(yaml_walk_is_scalar(w));
    return (struct slice){w->event.data.scalar.value, w->event.data.scalar.length};
}

bool yaml_walk_is_null(const struct yaml_walk *w)
{
    if (!yaml_walk_is_scalar(w) || w->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct slice text = yaml_walk_scalar(w);
    return text.len == 0 || slice_is(text, "~") || slice_is(text, "null");
}

static int parser_failed(struct yaml_walk *w)
{
    const yaml_parser_t *p = &w->parser;
    unsigned line = (unsigned)p->problem_mark.line + 1;
    if (p->error == YAML_READER_ERROR) {
        /* A byte that is no character has an offset, but no line. */
        line = 1;
        for (size_t i = 0; i < p->problem_offset && i < w->text.len; i++)
            line += w->text.data[i] == '\n';
    }
    size_t at = p->problem_mark.index;
    if (p->error == YAML_SCANNER_ERROR && at < w->text.len && w->text.data[at] == '\t')
        err_set(w->err, ERR_USAGE, "there is a tab: YAML takes only spaces in front of a key");
    else
        err_set(w->err, ERR_USAGE, "not YAML: %s", p->problem == NULL ? "no memory" : p->problem);
    return yaml_walk_place(w, line);
}

int yaml_walk_next(struct yaml_walk *w)
{
    yaml_event_delete(&w->event);
    if (!yaml_parser_parse(&w->parser, &w->event))
        return parser_failed(w);
    if (yaml_walk_is_mapping(w) || yaml_walk_is_list(w))
        w->depth++;
    if (yaml_walk_is_close(w))
        w->depth--;
    return w->depth <= DEPTH_MAX ? 0 : yaml_walk_fail(w, "nested too deeply");
}

int yaml_walk_begin(struct yaml_walk *w, const char *name, struct slice text, struct err *err,
                    bool *empty)
{
    *w = (struct yaml_walk){.name = name, .text = text, .err = err};
    if (!yaml_parser_initialize(&w->parser))
        return err_set(err, ERR_USAGE, "%s: no memory", name);
    yaml_parser_set_input_string(&w->parser, text.data, text.len);
    /* The start of the stream, then that of a document, then its root. */
    if (yaml_walk_next(w) < 0 || yaml_walk_next(w) < 0)
        return -1;
    *empty = w->event.type == YAML_STREAM_END_EVENT;
    return *empty ? 0 : yaml_walk_next(w);
}

void yaml_walk_end(struct yaml_walk *w)
{
    yaml_event_delete(&w->event);
    yaml_parser_delete(&w->parser);
}

int yaml_walk_skip(struct yaml_walk *w)
{
    if (!yaml_walk_is_mapping(w) && !yaml_walk_is_list(w))
        return 0;
    unsigned outside = w->depth - 1;
    while (w->depth > outside)
        if (yaml_walk_next(w) < 0)
            return -1;
    return 0;
}

int yaml_walk_finish(struct yaml_walk *w)
{
    /* The end of the document, then that of the stream. */
    if (yaml_walk_next(w) < 0 || yaml_walk_next(w) < 0)
        return -1;
    return w->event.type == YAML_STREAM_END_EVENT ? 0
                                                  : yaml_walk_fail(w, "there is a second document");
}

int yaml_walk_check_plain(struct yaml_walk *w)
{
    static const char *const known[] = {"!",          YAML_NULL_TAG, YAML_BOOL_TAG,
                                        YAML_STR_TAG, YAML_INT_TAG,  YAML_FLOAT_TAG,
                                        YAML_MAP_TAG, YAML_SEQ_TAG,  YAML_TIMESTAMP_TAG};
    if (w->event.type == YAML_ALIAS_EVENT)
        return yaml_walk_fail(w, "aliases (*name) are not supported here: write the value out");
    const yaml_char_t *tag = NULL;
    if (yaml_walk_is_scalar(w))
        tag = w->event.data.scalar.tag;
    else if (yaml_walk_is_list(w))
        tag = w->event.data.sequence_start.tag;
    else if (yaml_walk_is_mapping(w))
        tag = w->event.data.mapping_start.tag;
    if (tag == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp((const char *)tag, known[i]) == 0)
            return 0;
    return yaml_walk_fail(w, "this tag is not supported here: leave it out");
}
