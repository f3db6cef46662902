/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SERIES_POINT_H
#define VARVE_FOLLOW_SERIES_POINT_H

#include "base/map.h"
#include "batch/batch.h"
#include "config/config.h"
#include "event/payload.h"
#include "follow/target.h"

/*
 * What an event becomes in a time-series database, by one entry of followers[].points. The same
 * event becomes the same bytes, whenever.
 */
enum series_type { SERIES_DOUBLE, SERIES_INTEGER, SERIES_BOOLEAN, SERIES_LABEL };

/* Where a tag or a field comes from. */
struct series_source {
    struct slice name;     /* as it stands in a line: escaped, with '=' */
    enum series_type type; /* SERIES_LABEL of tags */
    bool is_tag, is_string;
    int column;       /* of event_schema; -1: `path` of the payload */
    const char *path; /* steps with dots between, each with [number] behind a list */
    struct map seen;  /* hashes of the values of a tag */
};

/* How the payloads of one message are read. */
struct series_reading {
    char *message;
    struct payload_type *payload; /* NULL: it has not all that is asked for, */
    struct buf reason;            /* since... */
    struct schema schema;
    struct batch *batch;
    struct {
        uint32_t column, element;
    } * places; /* of each source */
};

/* A zeroed struct is empty. */
struct series_point {
    const char *event_type;
    bool any;    /* event type */
    bool counts; /* it has no fields: events are counted */
    bool by_stream_time;
    struct slice measurement;            /* escaped */
    ARRAY(struct series_source) sources; /* tags by name, then fields */
    uint64_t max_tag_values;

    const struct config_payload *settings; /* of the payload; NULL: there is none to be read */
    struct payload_types *types;           /* of protobuf */
    bool named;                            /* the event says which message it has */
    ARRAY(struct series_reading *) readings;
    struct account *account;
    struct arena arena;

    /* What the last event has become: */
    struct buf series; /* measurement and tags */
    struct buf fields; /* empty: none, as for what is counted */
    int64_t time;      /* nanoseconds since 1970 */
    struct buf reason; /* what is wrong with its payload; may be so beside fields. Empty: nothing */
};

/* Parse an entry as struct config_follower says. It is borrowed with `config` until
 * series_point_free; *p was zeroed. ERR_USAGE for what is wrong in it, or can't be had from the
 * payload that is described. */
int series_point_init(struct series_point *p, const struct config *config, const char *text,
                      uint64_t max_tag_values, struct account *account, struct err *err)
    __attribute__((warn_unused_result));

/* Make a point of a row. *made: it becomes one, or is counted. ERR_LIMIT: a tag has got too many
 * values. */
int series_point_make(struct series_point *p, const struct follow_event *row, bool *made,
                      struct err *err) __attribute__((warn_unused_result));

void series_point_free(struct series_point *p);

/* Parts of it, in series_payload.c: find out how payloads are read, as far as that is known
 * beforehand; and read one. NULL: p->reason says why, or it is empty where the event is none of
 * these. */
int series_payload_init(struct series_point *p, const struct config *config, struct err *err)
    __attribute__((warn_unused_result));
const struct series_reading *series_payload_read(struct series_point *p,
                                                 const struct follow_event *row);
void series_payload_free(struct series_point *p);

/* Whether what a column has can be what the source is to be. */
bool series_source_fits(const struct series_source *s, const struct column_spec *spec);

/* Append what a source has in a column's value, as it stands in a line; false: it has nothing
 * there. Of a payload that was read; and of a row. */
bool series_append_read(struct series_point *p, const struct series_reading *r, size_t source,
                        struct buf *out);
bool series_append_value(const struct series_source *s, const struct column_spec *spec,
                         struct slice value, struct buf *out);

#endif
