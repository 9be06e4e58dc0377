// The columns of a batch, as columns.cpp finds them.

#pragma once

#include "hierarchy.h"

#include <vector>

namespace dcell {

// The arrays of `Columns` and, by rank and sample, the entries: (term, sample) pairs that are touched.
struct FoundColumns {
    std::vector<int64_t> starts, entry_starts, link_starts, change_starts, change_weight;
    std::vector<int32_t> count, entry_sample, entry_column, link_parent, link_child, change_column;
    std::vector<double> change_size;
};

// `size` is 1 less the state of every deleted gene, or null where all states are 0.
void find_columns(const Hierarchy &h, const int64_t *sample, const int64_t *gene, const double *size,
                  int64_t deleted, int64_t samples, FoundColumns &found);

} // namespace dcell
