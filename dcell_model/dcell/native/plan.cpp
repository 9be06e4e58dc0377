// The plan of a batch for the kernels of a GPU (dcell_model/dcell/gpu/plan.py): a pure function of its
// columns.
//
// Edges have the numbers that kernels know them by: those of `down`, by parent. Everything about a term
// lies together, and so one walk over the terms, and inside a term over its edges, makes all lists.

#include "columns.h"
#include "functions.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <vector>

namespace {

using dcell::FoundColumns;

// How many of each, in the order of `dcell_size_plan` and of `Sizes` in gpu/plan.py.
enum Size { ROWS, PLACES, LINKS, CHANGES, NUMBERS, PRODUCTS, TILES };

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a term: its columns and the wild type.
int64_t rows_of(const FoundColumns &found, int32_t r) { return found.starts[r + 1] - found.starts[r] + 1; }

// Arrays of a plan that lie one after the other.
template <class T> struct Parts {
    T *at;
    T *next(int64_t length) {
        T *part = at;
        at += length;
        return part;
    }
};

// Tiles of every stratum: rows of a table [3, .] of name, first row and first neuron, −1 where none is.
class TileTable {
public:
    TileTable(int32_t *table, const int64_t *room, int32_t strata) : next_(strata) {
        int64_t total = 0;
        for (int32_t s = 0; s < strata; ++s) {
            next_[s] = total;
            total += room[s];
        }
        name_ = table;
        row_ = name_ + total;
        neuron_ = row_ + total;
        std::fill(name_, row_, -1);
        std::fill(row_, neuron_ + total, 0);
    }
    void add(int32_t stratum, int32_t name, int64_t rows, int32_t width, Tiling tiling) {
        for (int64_t row = 0; row < rows; row += tiling.rows)
            for (int32_t neuron = 0; neuron < width; neuron += tiling.neurons) {
                const int64_t at = next_[stratum]++;
                name_[at] = name;
                row_[at] = static_cast<int32_t>(row);
                neuron_[at] = neuron;
            }
    }

private:
    std::vector<int64_t> next_;
    int32_t *name_, *row_, *neuron_;
};

// Puts the members of groups one after the other, each group's in the order in which they come.
class Groups {
public:
    void begin(int64_t groups) { next_.assign(groups + 1, 0); }
    void count(int64_t group, int64_t members = 1) { next_[group + 1] += members; }
    // Writes where each group begins, from `first` on; returns where the last one ends.
    int64_t starts(int64_t first, int32_t *to) {
        next_[0] = first;
        for (size_t g = 0; g + 1 < next_.size(); ++g) {
            next_[g + 1] += next_[g];
            to[g] = static_cast<int32_t>(next_[g]);
        }
        return next_.back();
    }
    int64_t place(int64_t group) { return next_[group]++; }

private:
    std::vector<int64_t> next_;
};

void size(const Hierarchy &h, const FoundColumns &found, Tiling tiling, int64_t *sizes) {
    std::fill(sizes, sizes + TILES + 2 * h.strata, 0);
    int64_t *edge_tiles = sizes + TILES, *row_tiles = edge_tiles + h.strata;
    for (int32_t r = 0; r < h.terms; ++r) {
        const int64_t rows = rows_of(found, r), width = h.width[r];
        sizes[ROWS] += rows;
        sizes[NUMBERS] += rows * width;
        row_tiles[h.stratum[r]] += up(rows, tiling.rows) * up(width, tiling.neurons);
        for (int32_t e = h.edges_down[r]; e < h.edges_down[r + 1]; ++e) {
            const int64_t places = rows_of(found, h.edge_child[h.down[e]]);
            sizes[PLACES] += places;
            sizes[PRODUCTS] += places * width;
            edge_tiles[h.stratum[r]] += up(places, tiling.rows) * up(width, tiling.neurons);
        }
    }
    sizes[LINKS] = static_cast<int64_t>(found.link_parent.size()) + h.edges; // and the wild types'
    sizes[CHANGES] = static_cast<int64_t>(found.change_column.size());
}

void take(const Hierarchy &h, const FoundColumns &found, Tiling tiling, int64_t samples, const int64_t *room,
          const int64_t *length, int32_t *narrow_at, int64_t *wide_at) {
    std::fill(narrow_at, narrow_at + std::accumulate(length, length + 14, int64_t(0)), 0);
    std::fill(wide_at, wide_at + length[14] + length[15], 0);
    Parts<int32_t> narrow{narrow_at};
    Parts<int64_t> wide{wide_at};
    narrow.next(length[0])[0] = static_cast<int32_t>(samples);
    int32_t *row_start = narrow.next(length[1]), *shared = narrow.next(length[2]);
    int32_t *link_start = narrow.next(length[3]), *link_place = narrow.next(length[4]);
    int32_t *pull_start = narrow.next(length[5]), *pull_row = narrow.next(length[6]);
    int32_t *change_start = narrow.next(length[7]), *change_gene = narrow.next(length[8]);
    int32_t *pair_start = narrow.next(length[9]), *pair_row = narrow.next(length[10]);
    int32_t *first_place = narrow.next(length[11]);
    TileTable edge_tiles(narrow.next(length[12]), room + TILES, h.strata);
    TileTable row_tiles(narrow.next(length[13]), room + TILES + h.strata, h.strata);
    int64_t *number = wide.next(length[14]), *product = wide.next(length[15]);

    int64_t row = 0, place = 0, link = 0, pull = 0, change = 0, pair = 0, genes = 0, numbers = 0, products = 0;
    Groups of_rows, of_places, of_genes;
    for (int32_t r = 0; r < h.terms; ++r) {
        const int64_t columns = rows_of(found, r) - 1, width = h.width[r];
        const int32_t first_edge = h.edges_down[r], last_edge = h.edges_down[r + 1];
        row_start[r] = static_cast<int32_t>(row);
        number[r] = numbers;
        std::copy_n(found.count.begin() + found.starts[r], columns, shared + row);
        shared[row + columns] = static_cast<int32_t>(samples - (found.entry_starts[r + 1] - found.entry_starts[r]));
        row_tiles.add(h.stratum[r], r, columns + 1, static_cast<int32_t>(width), tiling);

        // The places that each row sums, and the rows that pull each place.
        of_rows.begin(columns + 1);
        for (int32_t e = first_edge; e < last_edge; ++e) {
            const int32_t n = h.down[e];
            for (int64_t l = found.link_starts[n]; l < found.link_starts[n + 1]; ++l)
                of_rows.count(found.link_parent[l]);
            of_rows.count(columns);
        }
        link = of_rows.starts(link, link_start + row);
        const int64_t first_of_term = place;
        for (int32_t e = first_edge; e < last_edge; ++e) {
            const int32_t n = h.down[e];
            const int64_t places = rows_of(found, h.edge_child[n]);
            first_place[e] = static_cast<int32_t>(place);
            product[e] = products;
            edge_tiles.add(h.stratum[r], e, places, static_cast<int32_t>(width), tiling);
            of_places.begin(places);
            for (int64_t l = found.link_starts[n]; l < found.link_starts[n + 1]; ++l)
                of_places.count(found.link_child[l]);
            of_places.count(places - 1);
            pull = of_places.starts(pull, pull_start + place);
            const auto join = [&](int64_t parent, int64_t child) {
                link_place[of_rows.place(parent)] = static_cast<int32_t>(place - first_of_term + child);
                pull_row[of_places.place(child)] = static_cast<int32_t>(parent);
            };
            for (int64_t l = found.link_starts[n]; l < found.link_starts[n + 1]; ++l)
                join(found.link_parent[l], found.link_child[l]);
            join(columns, places - 1);
            place += places;
            products += places * width;
        }

        // The direct genes that are deleted in each row, and the rows in which each is.
        of_rows.begin(columns + 1);
        of_genes.begin(h.direct_genes[r]);
        const auto gene_of = [&](int64_t x) { return (found.change_weight[x] - h.first_gene[r]) / width; };
        for (int64_t x = found.change_starts[r]; x < found.change_starts[r + 1]; ++x) {
            of_rows.count(found.change_column[x]);
            of_genes.count(gene_of(x));
        }
        change = of_rows.starts(change, change_start + row);
        pair = of_genes.starts(pair, pair_start + genes);
        for (int64_t x = found.change_starts[r]; x < found.change_starts[r + 1]; ++x) {
            change_gene[of_rows.place(found.change_column[x])] = static_cast<int32_t>(gene_of(x));
            pair_row[of_genes.place(gene_of(x))] = found.change_column[x];
        }
        genes += h.direct_genes[r];
        row += columns + 1;
        numbers += (columns + 1) * width;
    }
    row_start[h.terms] = static_cast<int32_t>(row);
    link_start[row] = static_cast<int32_t>(link);
    change_start[row] = static_cast<int32_t>(change);
    first_place[h.edges] = static_cast<int32_t>(place);
    product[h.edges] = products;
    pull_start[place] = static_cast<int32_t>(pull);
    pair_start[genes] = static_cast<int32_t>(pair);
}

} // namespace

extern "C" {

void dcell_size_plan(const Hierarchy *h, const void *made, Tiling tiling, int64_t *sizes) {
    size(*h, *static_cast<const FoundColumns *>(made), tiling, sizes);
}

int dcell_take_plan(const Hierarchy *h, const void *made, Tiling tiling, int64_t samples, const int64_t *room,
                    const int64_t *lengths, int32_t *narrow, int64_t *wide, int64_t *term, int32_t *count,
                    int32_t *sample, int32_t *column) {
    const auto &found = *static_cast<const FoundColumns *>(made);
    try {
        take(*h, found, tiling, samples, room, lengths, narrow, wide);
    } catch (const std::bad_alloc &) {
        return 1;
    }
    for (int32_t r = 0; r < h->terms; ++r)
        std::fill(term + found.starts[r], term + found.starts[r + 1], h->term[r]);
    std::copy(found.count.begin(), found.count.end(), count);
    std::copy(found.entry_sample.begin(), found.entry_sample.end(), sample);
    std::copy(found.entry_column.begin(), found.entry_column.end(), column);
    return 0;
}
}
