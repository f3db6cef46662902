/* SPDX-License-Identifier: MIT */
#include "follow/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "delta/log.h"
#include "event/event.h"
#include "follow/mixed.h"
#include "object/open.h"
#include "store/retain_plan.h"

enum {
    /* Files that are read and still remembered, because the snapshot has them: beside those that it
     * can't forget, since nothing says which rows they have. */
    FILES_MAX = 4096,
};

struct object_store *follow_open_store(const char *root, const char *mark, const char *what,
                                       const char *name, struct err *err)
{
    struct buf writer = {0}, file = {0};
    buf_printf(&writer, "%s %s", what, name);
    /* No instance is called so: escaped names have hexadecimal digits behind a '%'. */
    buf_printf(&file, "%%%s-", mark);
    text_escape(&file, slice_of(name));
    struct object_config config = {.root = root,
                                   .entries = DELTA_LOG_FOLDER,
                                   .writer = buf_text(&writer),
                                   .writer_name = buf_text(&file)};
    struct object_store *store = object_open(&config, err);
    buf_free(&writer);
    buf_free(&file);
    return store;
}

int follow_session_open_store(struct follow_session *s, struct err *err)
{
    uint32_t removed;
    if (s->store != NULL)
        return 0;
    s->reason = FOLLOWER_REASON_STORE;
    s->store = follow_open_store(s->root, "follow", "follower", s->name, err);
    if (s->store == NULL && err->code == ERR_REFUSED)
        s->reason = FOLLOWER_REASON_BUSY;
    return s->store == NULL ? -1 : object_clean(s->store, &removed, err);
}

/* A file whose rows are known to be there needs no memory. */
static enum delta_keep keep_new(void *context, const struct delta_add *add, struct delta_mark *mark)
{
    struct follow_session *s = context;
    static const struct seqset nothing;
    struct slice sequences = delta_map_get(&add->tags, "varve.sequences");
    struct seqset rows = {0}, lacking = {0};
    (void)mark;
    if (s->target != NULL && s->target->bring != NULL && !s->counting)
        return DELTA_KEEP_NOTHING; /* it goes by the entries */
    if (sequences.data == NULL || !seqset_parse_text(&rows, sequences)) {
        seqset_free(&rows);
        return DELTA_KEEP_ALL;
    }
    char *stream = text_copy_slice(delta_map_get(&add->tags, "varve.stream"));
    char *created = text_copy_slice(delta_map_get(&add->tags, "varve.created"));
    const struct seqset *has = delta_follower_rows(&s->have, stream, created, false);
    seqset_add_new(&lacking, &rows, has != NULL ? has : &nothing, 0);
    bool news = lacking.count > 0;
    seqset_free(&rows);
    seqset_free(&lacking);
    free(stream);
    free(created);
    return news ? DELTA_KEEP_ALL : DELTA_KEEP_NOTHING;
}

static size_t live_files(const struct follow_session *s)
{
    return s->table.files.count - s->table.removed;
}

static int load_table(struct follow_session *s, struct err *err)
{
    delta_snapshot_free(&s->table);
    s->table = (struct delta_snapshot){.want_files = true,
                                       .want_varve = true,
                                       .keep = keep_new,
                                       .keep_context = s,
                                       .account = s->target != NULL ? &s->target->account : NULL};
    if (delta_snapshot_load(&s->table, s->store, err) != 0)
        return -1;
    if (!s->table.found)
        return err_set(err, ERR_SYSTEM, "%s: there is no table with a commit log", s->root);
    s->loaded = true;
    s->remembered = 0;
    return 0;
}

int follow_session_load(struct follow_session *s, bool *found, struct err *err)
{
    *found = false;
    if (follow_session_open_store(s, err) != 0 || (!s->loaded && load_table(s, err) != 0))
        return -1;
    delta_follower_free(&s->have);
    return delta_follower_read(&s->have, s->store, s->name, s->table.metadata.id, found, err);
}

int follow_session_save(struct follow_session *s, struct err *err)
{
    return delta_follower_write(&s->have, s->store, s->table.metadata.id, err);
}

static int open_all(struct follow_session *s, struct err *err)
{
    bool found;
    if (s->is_open)
        return 0;
    if (follow_session_load(s, &found, err) != 0 || (!found && follow_session_save(s, err) != 0))
        return -1;
    s->reason = FOLLOWER_REASON_TARGET;
    s->is_open = true; /* and to be closed, however far it comes */
    s->sure = false;
    if (s->target->operations->open(s->target, &s->have, err) != 0)
        return -1;
    s->reason = FOLLOWER_REASON_STORE;
    return load_table(s, err); /* without what is there already */
}

/* Read the table anew, without the files that have come and have nothing new any more. What a
 * checkpoint has taken up meanwhile is not listed in the generations. */
static int forget_files(struct follow_session *s, struct err *err)
{
    uint64_t version = s->table.version;
    if (load_table(s, err) != 0)
        return -1;
    s->remembered = live_files(s);
    s->sure = s->sure && !(s->table.has_base && s->table.base > version);
    return 0;
}

/* Know the newest version of the table. */
static int look(struct follow_session *s, bool *newer, struct err *err)
{
    uint64_t version = s->table.version;
    bool gap = false;
    if (live_files(s) > s->remembered + FILES_MAX) {
        if (forget_files(s, err) != 0)
            return -1;
    } else if (delta_snapshot_update(&s->table, s->store, NULL, NULL, &gap, err) != 0) {
        return -1;
    }
    if (gap) {
        s->sure = false;
        if (load_table(s, err) != 0)
            return -1;
    }
    *newer = s->table.version != version;
    return s->table.found ? 0 : err_set(err, ERR_FORMAT, "%s: its log is gone", s->root);
}

static void count_lag(struct follow_session *s)
{
    s->lag_rows = 0;
    for (size_t i = 0; i < s->table.generation_list.count; i++) {
        const struct delta_generation *g = &s->table.generation_list.list[i];
        static const struct seqset nothing;
        const struct seqset *has = delta_follower_rows(&s->have, g->stream, g->created, false);
        struct seqset lacking = {0};
        seqset_add_new(&lacking, &g->rows, has != NULL ? has : &nothing, 0);
        s->lag_rows += seqset_size(&lacking);
        seqset_free(&lacking);
        if (has != NULL && has->count > 0)
            s->position = has->list[has->count - 1].last;
    }
    s->tell(s->context);
}

static int commit(struct follow_session *s, struct err *err)
{
    s->reason = FOLLOWER_REASON_TARGET;
    if (s->target->operations->commit(s->target, &s->have, err) != 0)
        return -1;
    s->reason = FOLLOWER_REASON_STORE;
    if (follow_session_save(s, err) != 0)
        return -1;
    s->rows = s->bytes = 0;
    count_lag(s);
    return 0;
}

static struct seqset *taken_of(struct follow_session *s, const struct follow_stream *stream)
{
    return delta_follower_rows(&s->have, stream->stream, stream->created, true);
}

static void note_taken(struct follow_session *s, const struct follow_stream *stream)
{
    seqjoin_finish(&s->late, taken_of(s, stream));
}

static int take(struct follow_session *s, const struct follow_stream *stream,
                const struct follow_row *row, struct err *err)
{
    struct follow_event event = {stream->stream, stream->created, row->sequence, row->values};
    s->reason = FOLLOWER_REASON_TARGET;
    if (follow_select_passes(&s->target->select, row->values) &&
        s->target->operations->take(s->target, &event, err) != 0)
        return -1;
    s->reason = FOLLOWER_REASON_STORE;
    s->rows++;
    for (uint32_t i = 0; i < EVENT_COLUMNS; i++)
        s->bytes += row->values[i].len;
    bool due =
        s->target->full || s->rows >= FOLLOWER_COMMIT_ROWS || s->bytes >= FOLLOWER_COMMIT_BYTES;
    if (!due)
        return 0;
    note_taken(s, stream);
    return commit(s, err);
}

/* Up to where rows of another engine are taken: beyond, their numbers are of events to come. */
static uint64_t foreign_end(const struct delta_generation *g, uint64_t last)
{
    return g != NULL && g->through > 0 && g->through < last ? g->through : last;
}

/* Whether a row of a file with rows of another engine is one that the stream has had. */
static bool has_come(const struct delta_generation *g, uint64_t sequence)
{
    return sequence <= foreign_end(g, UINT64_MAX) || seqset_contains(&g->rows, sequence);
}

/* Leave the files whose rows may be new, and note since when. Those that another engine has added
 * come behind all others: of two rows with one number that of the stream is read. */
static void choose_files(struct follow_session *s, struct follow_stream *stream)
{
    ARRAY(struct follow_file) foreign = {0};
    const struct delta_generation *g =
        delta_snapshot_generation(&s->table, stream->stream, stream->created);
    const struct seqset *has = delta_follower_rows(&s->have, stream->stream, stream->created, true);
    size_t kept = 0;
    for (size_t i = 0; i < stream->files.count; i++) {
        struct follow_file file = stream->files.list[i];
        uint64_t last = file.foreign ? foreign_end(g, file.last) : file.last;
        bool listed = s->sure || file.listed;
        bool news = follow_has_news(g, has, file.first, file.last);
        if (!listed && !news)
            news = file.first <= last && seqset_contiguous_end(has, file.first) < last;
        if (!file.chosen && !news)
            continue;
        int64_t since = retain_committed(file.modified);
        if (s->behind_since == 0 || since < s->behind_since)
            s->behind_since = since;
        if (file.foreign)
            *array_add(&foreign) = file;
        else
            stream->files.list[kept++] = file;
    }
    stream->files.count = kept;
    for (size_t i = 0; i < foreign.count; i++)
        *array_add(&stream->files) = foreign.list[i];
    array_free(&foreign);
}

static int read_files(struct follow_session *s, const struct follow_stream *stream,
                      const struct follow_file *files, size_t count, struct err *err)
{
    const struct delta_generation *g =
        delta_snapshot_generation(&s->table, stream->stream, stream->created);
    struct follow_column columns[EVENT_COLUMNS];
    struct seqset *has = taken_of(s, stream);
    struct follow_row row;
    int more = 0;
    follow_event_columns(columns);
    struct follow_reader *r =
        follow_reader_new(s->store, files, count, columns, EVENT_COLUMNS, 0, &s->target->account);
    follow_reader_set_feed(r, &s->feed);
    while ((more = follow_reader_next(r, &row, err)) == 1) {
        if (atomic_load(s->stop))
            more = err_set(err, ERR_REFUSED, "it is time to end");
        else if ((!files->foreign || has_come(g, row.sequence)) &&
                 seqjoin_add(&s->late, has, row.sequence) && take(s, stream, &row, err) != 0)
            more = -1;
        if (more < 0)
            break;
    }
    follow_reader_free(r);
    note_taken(s, stream);
    return more;
}

static int read_stream(struct follow_session *s, const struct follow_stream *stream,
                       struct err *err)
{
    const struct follow_file *files = stream->files.list;
    size_t own = 0, count = stream->files.count;
    while (own < count && !files[own].foreign)
        own++;
    if (read_files(s, stream, files, own, err) != 0)
        return -1;
    return own < count ? read_files(s, stream, files + own, count - own, err) : 0;
}

/* How far it is can't be told by rows before it is done. */
static void tell_since(void *context)
{
    struct follow_session *s = context;
    s->behind_since = s->view.behind_since;
    s->tell(s->context);
}

static int bring_all(struct follow_session *s, struct err *err)
{
    s->view = (struct follow_view){.store = s->store,
                                   .table = &s->table,
                                   .feed = &s->feed,
                                   .stop = s->stop,
                                   .tell = tell_since,
                                   .context = s};
    count_lag(s);
    int result = s->target->bring(s->target, &s->view, err);
    s->reason = s->view.failed ? FOLLOWER_REASON_STORE : FOLLOWER_REASON_TARGET;
    s->rows += s->view.rows;
    return result;
}

static int read_all(struct follow_session *s, struct err *err)
{
    struct follow_catalogue catalogue = {.arena.account = &s->target->account};
    int result = follow_catalogue_fill(&catalogue, &s->table, err);
    s->behind_since = 0;
    if (result == 0)
        result =
            follow_mixed_resolve(&catalogue, s->store, s->table.version, &s->have, s->stop, err);
    for (size_t i = 0; i < catalogue.streams.count && result == 0; i++)
        choose_files(s, &catalogue.streams.list[i]);
    s->counted = result == 0;
    if (result == 0)
        count_lag(s);
    for (size_t i = 0; i < catalogue.streams.count && result == 0; i++)
        result = read_stream(s, &catalogue.streams.list[i], err);
    follow_catalogue_free(&catalogue);
    return result;
}

/* The target takes nothing, and so has not said how far behind it is: by what the store has, and
 * knows to be there. What goes wrong here is less than what is to be said already. */
static void count_behind(struct follow_session *s)
{
    struct follow_catalogue catalogue = {.arena.account = &s->target->account};
    struct err ignored = {0};
    s->counting = true;
    s->sure = false;
    int result = load_table(s, &ignored);
    if (result == 0)
        result = follow_catalogue_fill(&catalogue, &s->table, &ignored);
    if (result == 0)
        result = follow_mixed_resolve(&catalogue, s->store, s->table.version, &s->have, s->stop,
                                      &ignored);
    s->behind_since = result == 0 ? 0 : s->behind_since;
    for (size_t i = 0; i < catalogue.streams.count && result == 0; i++)
        choose_files(s, &catalogue.streams.list[i]);
    if (result == 0)
        count_lag(s);
    follow_catalogue_free(&catalogue);
    s->counting = false;
}

/* All that the commits tell of was read, or has no row: a dead letter, or one that is gone. True if
 * files are known now to have nothing new that were not. */
static bool note_all(struct follow_session *s)
{
    if (s->feed.feed != NULL)
        feed_taken(s->feed.feed, s->feed.number, s->table.version);
    for (size_t i = 0; i < s->table.generation_list.count; i++) {
        const struct delta_generation *g = &s->table.generation_list.list[i];
        seqset_add_all(delta_follower_rows(&s->have, g->stream, g->created, true), &g->rows);
    }
    s->sure = true;
    s->behind_since = 0;
    return s->target->bring == NULL && follow_mixed_note(&s->have, &s->table);
}

static int attempt(struct follow_session *s, bool *news, struct err *err)
{
    struct err moved = {0};
    bool newer = false;
    *news = false;
    s->reason = FOLLOWER_REASON_STORE;
    bool first = !s->is_open;
    if (open_all(s, err) != 0 || look(s, &newer, err) != 0)
        return -1;
    if (!first && !newer && s->sure)
        return 0;
    /* Files may be moved while they are read: go on with the new ones. */
    while ((s->target->bring != NULL ? bring_all(s, err) : read_all(s, err)) != 0) {
        if (s->reason != FOLLOWER_REASON_STORE || atomic_load(s->stop) ||
            look(s, &newer, &moved) != 0 || !newer)
            return -1;
        err_clear(err);
    }
    *news = s->rows > 0;
    bool noted = note_all(s);
    /* A target with a position of its own may have had all of it. */
    if (*news || (first && s->target->bring != NULL))
        return commit(s, err);
    count_lag(s);
    return noted ? follow_session_save(s, err) : 0;
}

int follow_session_round(struct follow_session *s, bool *news, struct err *err)
{
    s->counted = false;
    int result = attempt(s, news, err);
    if (result != 0 && s->reason == FOLLOWER_REASON_TARGET && !s->counted && !atomic_load(s->stop))
        count_behind(s);
    return result;
}

void follow_session_close(struct follow_session *s)
{
    if (s->feed.feed != NULL)
        feed_leave(s->feed.feed, s->feed.number);
    if (s->is_open)
        s->target->operations->close(s->target);
    object_store_close(s->store);
    delta_snapshot_free(&s->table);
    s->table = (struct delta_snapshot){0}; /* without the account, which is the target's */
    delta_follower_free(&s->have);
    s->store = NULL;
    s->is_open = s->loaded = s->sure = false;
    s->rows = s->bytes = 0;
}
