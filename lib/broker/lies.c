/* Lies: answers whose arrays leave entries out, repeat, shuffle or invent them. They work on any
 * response through its field tables: the arrays of structs of the outermost level, and those of
 * their first entries, are candidates. */
#include <string.h>

#include "broker/machine.h"
#include "wire/schema.h"

enum { LIES_CANDIDATES = 16 };

struct lies_target {
    struct sl_array *array;
    const struct sl_type *item;
};

/* Collects the arrays of structs that have entries. */
static void collect_arrays(const struct sl_type *type, void *message, struct lies_target *out,
                           int *count, int depth) {
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->kind != SL_KIND_ARRAY || f->item == NULL) continue;
        struct sl_array *array = (struct sl_array *)(void *)((char *)message + f->offset);
        if (array->count <= 0 || *count == LIES_CANDIDATES) continue;
        out[(*count)++] = (struct lies_target){array, f->item};
        if (depth == 0) collect_arrays(f->item, array->items, out, count, 1);
    }
}

/* Gives an invented entry another number: the first 32-bit member of it. */
static void renumber_entry(const struct sl_type *type, void *entry, int32_t number) {
    for (uint16_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].kind != SL_KIND_I32) continue;
        memcpy((char *)entry + type->fields[i].offset, &number, sizeof number);
        return;
    }
}

static bool append_entry(struct sl_exchange *x, struct lies_target *t, int32_t copy_of) {
    struct sl_array grown;
    if (!sl_machine_array(x, &grown, t->array->count + 1, t->item->size)) return false;
    memcpy(grown.items, t->array->items, (size_t)t->array->count * t->item->size);
    memcpy((char *)grown.items + (size_t)t->array->count * t->item->size,
           (char *)t->array->items + (size_t)copy_of * t->item->size, t->item->size);
    *t->array = grown;
    return true;
}

static bool shuffle_entries(struct sl_exchange *x, struct lies_target *t) {
    size_t size = t->item->size;
    char *items = t->array->items;
    void *swap = sl_arena_get(&x->arena, size);
    if (swap == NULL || t->array->count < 2) return false;
    for (int32_t i = t->array->count - 1; i > 0; i--) {
        int32_t k = (int32_t)sl_rng_below(&x->c->rng, (uint64_t)i + 1);
        memcpy(swap, items + (size_t)i * size, size);
        memmove(items + (size_t)i * size, items + (size_t)k * size, size);
        memcpy(items + (size_t)k * size, swap, size);
    }
    return true;
}

bool sl_lies_tell(struct sl_exchange *x, const struct sl_type *type, void *response) {
    struct lies_target targets[LIES_CANDIDATES];
    int count = 0;
    collect_arrays(type, response, targets, &count, 0);
    if (count == 0) return false;
    struct lies_target *t = &targets[sl_rng_below(&x->c->rng, (uint64_t)count)];
    int32_t entry = (int32_t)sl_rng_below(&x->c->rng, (uint64_t)t->array->count);
    int lie = x->fault.code;
    if (lie == SL_FAULT_LIE_ANY)
        lie = (int)sl_rng_range(&x->c->rng, SL_FAULT_LIE_OMIT, SL_FAULT_LIE_INVENT);
    switch (lie) {
    case SL_FAULT_LIE_OMIT:
        memmove((char *)t->array->items + (size_t)entry * t->item->size,
                (char *)t->array->items + ((size_t)entry + 1) * t->item->size,
                (size_t)(t->array->count - entry - 1) * t->item->size);
        t->array->count--;
        return true;
    case SL_FAULT_LIE_DUPLICATE:
        return append_entry(x, t, entry);
    case SL_FAULT_LIE_SHUFFLE:
        return shuffle_entries(x, t);
    default:
        if (!append_entry(x, t, entry)) return false;
        renumber_entry(t->item,
                       (char *)t->array->items + (size_t)(t->array->count - 1) * t->item->size,
                       (int32_t)sl_rng_range(&x->c->rng, 1000, 1000000));
        return true;
    }
}
