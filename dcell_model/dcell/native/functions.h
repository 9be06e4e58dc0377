// The functions of the library, as Python calls them (interface.py, library.py).

#pragma once

#include "hierarchy.h"

#define DCELL_EXPORT __attribute__((visibility("default")))

extern "C" {

// What the sources were that this library was made of (native_build.py).
DCELL_EXPORT const char *dcell_sources();

// Finds the columns of a batch; `size` is 1 less the state of every deleted gene, or null where all
// states are 0. `sizes` takes columns, entries, links and changes. The result is for any `take`
// function, and then for `dcell_free_columns`. Returns null where memory ran out.
DCELL_EXPORT void *dcell_make_columns(const Hierarchy *h, const int64_t *sample, const int64_t *gene,
                                      const double *size, int64_t deleted, int64_t samples, int64_t *sizes);
DCELL_EXPORT void dcell_free_columns(void *made);

// Copies what `dcell_make_columns` made into the caller's arrays.
DCELL_EXPORT void dcell_take_columns(const void *made, int64_t *starts, int32_t *count, int64_t *entry_starts,
                                     int32_t *entry_sample, int32_t *entry_column, int64_t *link_starts,
                                     int32_t *link_parent, int32_t *link_child, int64_t *change_starts,
                                     int32_t *change_column, int64_t *change_weight, double *change_size);

// How large the plan for a GPU is (dcell_model/dcell/gpu/plan.py): rows, places, links, changes,
// numbers, products, then matrix products by stratum: of edges, by the parent's, and of terms.
DCELL_EXPORT void dcell_size_plan(const Hierarchy *h, const void *made, Tiling tiling, int64_t *sizes);

// Writes the plan into the caller's arrays, which have room for `room`; returns 1 where memory ran out.
// `lengths` are those of the plan's arrays, which lie one after the other in `narrow` and `wide`; `term`,
// `count`, `sample` and `column` take the columns' terms and multiplicities, and the entries.
DCELL_EXPORT int dcell_take_plan(const Hierarchy *h, const void *made, Tiling tiling, int64_t samples,
                                 const int64_t *room, const int64_t *lengths, int32_t *narrow, int64_t *wide,
                                 int64_t *term, int32_t *count, int32_t *sample, int32_t *column);

// Sums of values [B, P] over the samples of every column, [C, P], from zero.
DCELL_EXPORT int dcell_sum_float(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                                 const float *values, int64_t columns, double *room, float *sums);
DCELL_EXPORT int dcell_sum_double(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                                  const double *values, int64_t columns, double *room, double *sums);

// The passes; all return 1 where memory ran out.
DCELL_EXPORT int dcell_forward_float(const Hierarchy *h, const Columns *c, const Settings *s,
                                     float *const *weights, float *const *state);
DCELL_EXPORT int dcell_forward_double(const Hierarchy *h, const Columns *c, const Settings *s,
                                      double *const *weights, double *const *state);
DCELL_EXPORT int dcell_backward_float(const Hierarchy *h, const Columns *c, const Settings *s,
                                      float *const *weights, float *const *state, float *const *given,
                                      float *const *gradients, float *grad_columns, float *grad_first);
DCELL_EXPORT int dcell_backward_double(const Hierarchy *h, const Columns *c, const Settings *s,
                                       double *const *weights, double *const *state, double *const *given,
                                       double *const *gradients, double *grad_columns, double *grad_first);
DCELL_EXPORT int dcell_combine_float(const Hierarchy *h, const Settings *s, float *const *weights,
                                     const float *first, const float *last, const Units *left,
                                     const Units *right, int64_t pairs, const int64_t *left_unit,
                                     const int64_t *right_unit, float *out);
DCELL_EXPORT int dcell_combine_double(const Hierarchy *h, const Settings *s, double *const *weights,
                                      const double *first, const double *last, const Units *left,
                                      const Units *right, int64_t pairs, const int64_t *left_unit,
                                      const int64_t *right_unit, double *out);
}
