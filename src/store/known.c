/* SPDX-License-Identifier: MIT */
#include "store/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "delta/object_file.h"
#include "parquet/read/rows.h"
#include "store/commit.h"

/* The column that has the sequence of a row, in every table that varve writes. */
static const char *sequence_column(const struct schema *schema)
{
    uint32_t column = 0;
    while (!schema->columns[column].ordered)
        column++;
    return schema->columns[column].name;
}

static int check_ranges(const struct seqset *set, struct err *err)
{
    if (set->count <= SEQSET_RANGES_MAX)
        return 0;
    return err_set(err, ERR_LIMIT, "more than %d gaps between the sequences that are stored",
                   (int)SEQSET_RANGES_MAX);
}

int store_scan_rows(struct seqset *out, const struct parquet_file *file,
                    const struct schema *schema, uint64_t last, struct err *err)
{
    const char *column = sequence_column(schema);
    struct seqjoin late = {0}; /* another engine may have sorted them as it likes */
    struct slice value;
    int64_t leaf = parquet_file_leaf(file, slice_of(column));
    int result = 0;
    if (leaf < 0 || file->leaves[leaf].type.width != 8)
        return err_set(err, ERR_FORMAT, "it has no column %s", column);
    uint32_t number = (uint32_t)leaf;
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_rows *rows = parquet_rows_new(file, &number, 1, codec);
    while ((result = parquet_rows_next(rows, &value, err)) == 1) {
        uint64_t sequence = value.data != NULL ? load_u64le(value.data) : UINT64_MAX;
        if (sequence <= INT64_MAX && sequence <= last) /* else another engine has put it there */
            (void)seqjoin_add(&late, out, sequence);
        if ((result = check_ranges(out, err)) != 0)
            break;
    }
    seqjoin_finish(&late, out);
    parquet_rows_free(rows);
    parquet_codec_free(codec);
    return result;
}

int store_scan_file(struct seqset *out, struct object_store *objects, const struct schema *schema,
                    const struct delta_file *file, const struct delta_generation *g,
                    struct err *err)
{
    struct buf name = {0};
    struct delta_object_file object;
    bool found = false;
    int result = delta_object_name(&name, file->path, err);
    if (result == 0)
        result = delta_object_file_open(&object, objects, buf_text(&name), &found, err);
    if (result == 0 && found) {
        result = store_scan_rows(out, &object.file, schema,
                                 g != NULL ? delta_file_last(file, g) : UINT64_MAX, err);
        delta_object_file_close(&object);
    }
    if (result != 0 && name.len > 0)
        (void)err_prefix(err, "%s", buf_text(&name));
    buf_free(&name);
    return result;
}

/* Whether `rows` have all that the tags say of the file's sequences. */
static bool is_covered(const struct delta_file *file, const struct seqset *rows)
{
    uint64_t first, last;
    struct slice low = delta_map_get(&file->tags, "varve.first_seq");
    struct slice high = delta_map_get(&file->tags, "varve.last_seq");
    if (delta_map_get(&file->tags, "varve.sequences").data != NULL)
        return true;
    if (low.data == NULL || high.data == NULL || !num_parse_u64(low, &first) ||
        !num_parse_u64(high, &last))
        return false;
    const struct seqrange *range = seqset_find(rows, first);
    return range != NULL && range->first <= first && range->last >= last;
}

struct delta_generation *store_generation_of(const struct delta_snapshot *s,
                                             const struct delta_file *file)
{
    struct slice stream = delta_map_get(&file->tags, "varve.stream");
    struct slice created = delta_map_get(&file->tags, "varve.created");
    for (size_t i = 0; i < s->generation_list.count; i++) {
        struct delta_generation *g = &s->generation_list.list[i];
        ASSERT(g != NULL);
        if (stream.data != NULL && created.data != NULL && slice_is(stream, g->stream) &&
            slice_is(created, g->created))
            return g;
    }
    return stream.data == NULL && s->generation_list.count == 1 ? &s->generation_list.list[0]
                                                                : NULL;
}

static bool is_shared(const struct store_config *config, const char *stream)
{
    for (size_t i = 0; i < config->source_count; i++)
        if (strcmp(config->sources[i].stream, stream) == 0 && config->sources[i].shared)
            return true;
    return false;
}

/*
 * Rows of a file that another engine has made of others, of which the log does not know any more
 * whose they were. Those beyond all positions may be rows of that engine, with the numbers of
 * events that are to come. Varve has rows there that are known from nowhere else only if several
 * take from one consumer, so only there they count.
 */
static void add_rewritten(const struct delta_file *file, struct delta_generation *g, bool shared,
                          const struct seqset *rows)
{
    struct seqset beyond = {0};
    if (g->through > 0)
        seqset_add_new(&beyond, rows, &g->rows, g->through);
    if (beyond.count > 0)
        log_message(LOG_WARNING, "rows_of_others",
                    "%.*s, which another engine has written, has %llu rows from sequence %llu on, "
                    "and varve has stored stream %s up to %llu: they are taken for %s",
                    (int)file->path.len, (const char *)file->path.data,
                    (unsigned long long)seqset_size(&beyond),
                    (unsigned long long)beyond.list[0].first, g->stream,
                    (unsigned long long)g->through,
                    shared ? "events of the shared consumer; if that engine had appended them, "
                             "the events of these numbers are not stored"
                           : "rows that it had appended itself, and the events of these numbers "
                             "are stored when they come");
    if (beyond.count > 0 && !shared)
        seqset_add_new(&g->rows, rows, &beyond, 0);
    else
        seqset_add_all(&g->rows, rows);
    seqset_free(&beyond);
}

/* A file without tags comes behind those with them, which tell of rows that are in it, too. */
static int scan_rewritten(struct store *store, const struct store_config *config,
                          const struct delta_snapshot *s, const struct delta_file *file,
                          struct delta_generation *g, struct err *err)
{
    struct seqset rows = {0};
    bool told = !s->has_base || s->anew || delta_file_is_foreign(file);
    int result = store_scan_file(&rows, store->objects, store->schema, file, g, err);
    if (result == 0 && told)
        seqset_add_all(&g->rows, &rows);
    else if (result == 0)
        add_rewritten(file, g, is_shared(config, g->stream), &rows);
    seqset_free(&rows);
    return result;
}

static int scan_into(struct store *store, struct delta_generation *g, const struct delta_file *file,
                     struct err *err)
{
    struct seqset rows = {0};
    int result = store_scan_file(&rows, store->objects, store->schema, file, g, err);
    seqjoin_add_all(&g->late_rows, &g->rows, &rows);
    seqset_free(&rows);
    return result == 0 ? check_ranges(&g->rows, err) : -1;
}

/* Complete what the log says of the sequences that are stored; `stream`: by all means, because of
 * this one. NULL: as far as that can be told. */
static int scan_files(struct store *store, const struct store_config *config,
                      struct delta_snapshot *s, const char *stream, bool tagged, struct err *err)
{
    for (size_t i = 0; i < s->files.count; i++) {
        const struct delta_file *file = s->files.list[i];
        if (file == NULL || tagged != (delta_map_get(&file->tags, "varve.stream").data != NULL))
            continue;
        struct delta_generation *g = store_generation_of(s, file);
        if (g == NULL && stream == NULL)
            continue;
        if (g == NULL)
            return err_set(
                err, ERR_REFUSED,
                "another engine has rewritten files of several streams into one, so varve can't "
                "tell which events of stream %s are stored: continue under the nats.name and the "
                "consumer that stored them, or choose another directory",
                stream);
        if (!tagged && scan_rewritten(store, config, s, file, g, err) != 0)
            return -1;
        if (tagged && !is_covered(file, &g->rows) && scan_into(store, g, file, err) != 0)
            return -1;
    }
    delta_snapshot_complete(s);
    return 0;
}

/* A source that this instance knows nothing of, though others have stored of its stream. */
static const char *find_unknown(const struct store *store, const struct store_config *config)
{
    for (size_t i = 0; i < config->source_count; i++) {
        const struct store_source *source = &config->sources[i];
        if (positions_newest(&store->current, source->stream, source->consumer) != NULL)
            continue;
        for (size_t g = 0; g < store->table.generation_list.count; g++) {
            if (strcmp(store->table.generation_list.list[g].stream, source->stream) == 0)
                return source->stream;
        }
    }
    return NULL;
}

static int by_creation(const void *a, const void *b)
{
    const struct delta_generation *x = a;
    const struct delta_generation *y = b;
    return strcmp(x->created, y->created);
}

/* The newest generation of a stream comes last: names begin with the time of creation, and go on
 * with the time at which the stream was set back. */
static void add_generations(struct positions *out, const struct delta_snapshot *s)
{
    size_t count = s->generation_list.count;
    struct delta_generation *sorted = calloc(count + 1, sizeof(*sorted));
    if (sorted == NULL)
        out_of_memory((count + 1) * sizeof(*sorted));
    if (count > 0)
        memcpy(sorted, s->generation_list.list, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_creation);
    for (size_t i = 0; i < count; i++) {
        struct position known = {.stream = sorted[i].stream,
                                 .created = sorted[i].created,
                                 .consumer = STORE_ANYBODY,
                                 .above = sorted[i].rows};
        positions_put(out, &known);
    }
    free(sorted); /* what is in them is the snapshot's */
}

/* What the files say lies above our own positions is not in the log any more. */
static void raise_own(struct store *store, const struct positions *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct position *known = &all->list[i];
        for (size_t j = 0; j < store->current.count; j++) {
            struct position *own = &store->current.list[j];
            if (strcmp(own->stream, known->stream) == 0 &&
                strcmp(own->created, known->created) == 0) {
                seqset_add_all(&own->above, &known->above);
                position_raise(own, own->through);
            }
        }
    }
}

static void add_rows(struct delta_snapshot *to, const struct delta_snapshot *from)
{
    for (size_t i = 0; i < from->generation_list.count; i++) {
        const struct delta_generation *g = &from->generation_list.list[i];
        delta_snapshot_add_rows(to, slice_of(g->stream), slice_of(g->created), &g->rows);
    }
}

int store_read_known(struct store *store, const struct store_config *config, struct positions *out,
                     struct err *err)
{
    const char *unknown = find_unknown(store, config);
    if (unknown == NULL && !store->recovery.incomplete) {
        add_generations(out, &store->table);
        return 0;
    }
    struct delta_snapshot full = {.want_files = true, .want_varve = true};
    int result = delta_snapshot_load(&full, store->objects, err);
    /* What is in no file of the table, such as messages in quarantine, is in no checkpoint either,
     * but in the file of the instance. */
    if (result == 0)
        add_rows(&full, &store->table);
    if (result == 0)
        result = scan_files(store, config, &full, unknown, true, err);
    if (result == 0)
        result = scan_files(store, config, &full, unknown, false, err);
    if (result == 0)
        add_generations(out, &full);
    if (result == 0 && store->recovery.incomplete)
        raise_own(store, out);
    delta_snapshot_free(&full);
    return result;
}

int store_check_files(struct store *store, struct err *err)
{
    struct delta_snapshot full = {.want_files = true, .keep = delta_keep_brief};
    int result = delta_snapshot_load(&full, store->objects, err);
    if (result == 0)
        result = delta_object_names_check(&full, err);
    delta_snapshot_free(&full);
    return result;
}

int store_note_others(struct store *store, const struct delta_action *action, struct err *err)
{
    if (action->kind != DELTA_COMMIT_INFO && action->kind != DELTA_ADD)
        return 0;
    /* Rows that were there before, in other files. */
    if (action->kind == DELTA_ADD && !action->add.data_change)
        return 0;
    return delta_snapshot_gather(&store->others.fresh, action, err);
}

void store_note_all(struct store *store, const struct delta_snapshot *table)
{
    add_rows(&store->others.fresh, table);
}

static int refuse(struct store *store, const char *stream, uint64_t sequence, struct err *err)
{
    store->outdated = store->outrun = true;
    return err_set(err, ERR_REFUSED,
                   "another instance has stored sequence %llu of stream %s, which was about to be "
                   "stored",
                   (unsigned long long)sequence, stream);
}

/* Sequences of a generation, against what entries say. */
static bool find_rows(const struct delta_snapshot *entries, const char *stream, const char *created,
                      const struct seqset *rows, uint64_t *sequence)
{
    const struct delta_generation *known = delta_snapshot_generation(entries, stream, created);
    return known != NULL && seqset_meet(&known->rows, rows, sequence);
}

static bool has_one_of(const struct position *p, const struct seqset *rows, uint64_t *sequence)
{
    if (rows->count == 0 || rows->list[0].first > p->through)
        return seqset_meet(&p->above, rows, sequence);
    *sequence = rows->list[0].first;
    return true;
}

/* What was told before the first row of an epoch came is not in it, and not in those behind it. */
static void rotate_told(struct store_others *others, uint64_t heard)
{
    if (others->told_at[1] > heard)
        return;
    positions_free(&others->told[1]);
    others->told[1] = others->told[0];
    others->told_at[1] = others->told_at[0];
    others->told[0] = (struct positions){0};
}

int store_check_others(struct store *store, const struct store_epoch *epoch, struct err *err)
{
    struct store_others *others = &store->others;
    rotate_told(others, epoch->heard);
    for (size_t i = 0; epoch->rows_of != NULL && i < epoch->position_count; i++) {
        const struct position *p = &epoch->positions[i];
        const struct seqset *rows = &epoch->rows_of[i];
        uint64_t sequence;
        for (size_t k = 0; k < 2; k++) {
            const struct position *told =
                positions_find(&others->told[k], p->stream, p->created, STORE_ANYBODY);
            if (told != NULL && has_one_of(told, rows, &sequence))
                return refuse(store, p->stream, sequence, err);
        }
        if (find_rows(&others->fresh, p->stream, p->created, rows, &sequence))
            return refuse(store, p->stream, sequence, err);
    }
    return 0;
}

int store_find_stored(struct store *store, struct slice text, bool *stored, struct err *err)
{
    struct delta_snapshot own = {.want_varve = true};
    int result = delta_snapshot_apply_entry(&own, 0, text, err);
    *stored = false;
    for (size_t i = 0; i < own.generation_list.count && result == 0; i++) {
        const struct delta_generation *g = &own.generation_list.list[i];
        uint64_t sequence;
        *stored |= find_rows(&store->table, g->stream, g->created, &g->rows, &sequence) ||
                   find_rows(&store->others.fresh, g->stream, g->created, &g->rows, &sequence);
    }
    delta_snapshot_free(&own);
    return result;
}

void store_take_others(struct store *store, uint64_t number, struct positions *out)
{
    struct store_others *others = &store->others;
    struct positions fresh = {0};
    if (others->fresh.generation_list.count > 0)
        add_generations(&fresh, &others->fresh);
    for (size_t i = 0; i < fresh.count; i++) {
        positions_merge(&others->told[0], &fresh.list[i]);
        others->told_at[0] = number;
    }
    positions_copy(out, &fresh);
    positions_free(&fresh);
    delta_snapshot_free(&others->fresh);
}

void store_forget_others(struct store *store)
{
    delta_snapshot_free(&store->others.fresh);
    positions_free(&store->others.told[0]);
    positions_free(&store->others.told[1]);
}
