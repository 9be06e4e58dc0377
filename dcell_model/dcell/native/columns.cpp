// Which columns a batch has: a pure function of its genotypes and the hierarchy.
//
// Two samples whose deletions agree under a term have the same column there. Sets are compared exactly,
// never by a hash alone.

#include "columns.h"
#include "functions.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace {

// What a sample deletes under a term, in 64 bits: the items themselves where they are at most three,
// else a sum of random numbers, one an item, which is compared item by item where it is met again.
constexpr int BITS_OF_ITEM = 20, ITEMS_IN_KEY = 3;
constexpr uint64_t IS_SUM = uint64_t(1) << 63;

uint64_t random_of(uint64_t item) { // splitmix64
    uint64_t z = (item + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

// The columns of (rank, key), by open addressing; several may have the same key.
class Table {
public:
    Table() : slots_(1024) {}

    // The first column with that rank and key of which same(column) holds, else a new one.
    template <class Same> int32_t &find(int32_t rank, uint64_t key, const Same &same) {
        if (2 * ++used_ > slots_.size()) grow();
        Slot &slot = place(slots_, rank, key, same);
        if (slot.column >= 0) --used_;
        slot.rank = rank;
        slot.key = key;
        return slot.column;
    }

private:
    struct Slot {
        uint64_t key = 0;
        int32_t rank = 0, column = -1;
    };
    template <class Same>
    static Slot &place(std::vector<Slot> &slots, int32_t rank, uint64_t key, const Same &same) {
        const size_t mask = slots.size() - 1;
        size_t i = ((key ^ random_of(rank)) * 0x9E3779B97F4A7C15u) >> 32 & mask;
        while (slots[i].column >= 0 && !(slots[i].key == key && slots[i].rank == rank && same(slots[i].column)))
            i = (i + 1) & mask;
        return slots[i];
    }
    void grow() {
        std::vector<Slot> wider(2 * slots_.size());
        for (const Slot &slot : slots_)
            if (slot.column >= 0) place(wider, slot.rank, slot.key, [](int32_t) { return false; }) = slot;
        slots_.swap(wider);
    }

    std::vector<Slot> slots_;
    size_t used_ = 0;
};

// What samples have instead of the wild type: a gene in a state. Where all states are 0, an item has
// the number of its gene; else the distinct (gene, size of the change) are numbered, in this order.
struct Items {
    std::vector<int32_t> genes; // of each item
    std::vector<double> sizes;  // 1 less the state; empty where all are 1

    Items(const Hierarchy &h, const int64_t *gene, const double *size, int64_t deleted) {
        if (!size) {
            genes.resize(h.genes);
            for (int32_t g = 0; g < h.genes; ++g) genes[g] = g;
            return;
        }
        std::vector<std::pair<int64_t, double>> found;
        for (int64_t i = 0; i < deleted; ++i)
            if (gene[i] < h.genes) found.emplace_back(gene[i], size[i]);
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        for (const auto &[own, its_size] : found) {
            genes.push_back(static_cast<int32_t>(own));
            sizes.push_back(its_size);
        }
        starts_.assign(h.genes + 1, 0);
        for (const int32_t own : genes) ++starts_[own + 1];
        for (int32_t g = 0; g < h.genes; ++g) starts_[g + 1] += starts_[g];
    }

    int32_t count() const { return static_cast<int32_t>(genes.size()); }
    int32_t of(int64_t gene, double size) const {
        if (sizes.empty()) return static_cast<int32_t>(gene);
        const auto first = sizes.begin() + starts_[gene], last = sizes.begin() + starts_[gene + 1];
        return static_cast<int32_t>(std::lower_bound(first, last, size) - sizes.begin());
    }

private:
    std::vector<int32_t> starts_; // of the items of each gene
};

// The items of every sample whose genes the hierarchy knows: ascending, each once.
void items_by_sample(const Hierarchy &h, const Items &all, const int64_t *sample, const int64_t *gene,
                     const double *size, int64_t deleted, int64_t samples, std::vector<int64_t> &starts,
                     std::vector<int32_t> &items) {
    starts.assign(samples + 1, 0);
    for (int64_t i = 0; i < deleted; ++i) starts[sample[i] + 1] += gene[i] < h.genes;
    for (int64_t s = 0; s < samples; ++s) starts[s + 1] += starts[s];
    items.resize(starts[samples]);
    std::vector<int64_t> next(starts.begin(), starts.end() - 1);
    for (int64_t i = 0; i < deleted; ++i)
        if (gene[i] < h.genes) items[next[sample[i]]++] = all.of(gene[i], size ? size[i] : 1);
    int64_t kept = 0, first = 0;
    for (int64_t s = 0; s < samples; ++s) {
        const int64_t last = starts[s + 1];
        std::sort(items.begin() + first, items.begin() + last);
        const int64_t from = kept;
        for (int64_t i = first; i < last; ++i)
            if (i == first || items[i] != items[i - 1]) items[kept++] = items[i];
        first = last;
        starts[s] = from;
    }
    starts[samples] = kept;
}

} // namespace

void dcell::find_columns(const Hierarchy &h, const int64_t *sample, const int64_t *gene, const double *size,
                         int64_t deleted, int64_t samples, FoundColumns &found) {
    const Items all(h, gene, size, deleted);
    std::vector<int64_t> of_sample;
    std::vector<int32_t> items;
    items_by_sample(h, all, sample, gene, size, deleted, samples, of_sample, items);

    // For each sample, what it deletes under each term that it touches, and which of it directly.
    const int32_t T = h.terms;
    const bool fits = all.count() < 1 << BITS_OF_ITEM;
    struct Entry {
        uint64_t key;
        int32_t sample, rank;
    };
    struct Direct {
        int64_t weight;
        int32_t sample, rank, item;
    };
    struct Under { // of the present sample, by rank
        uint64_t key, sum;
        int32_t sample = -1, items;
    };
    std::vector<Entry> by_sample;
    std::vector<Direct> directs;
    std::vector<Under> under(T);
    std::vector<int32_t> touched;
    std::vector<int64_t> direct_starts(T + 1, 0);
    found.entry_starts.assign(T + 1, 0);
    for (int64_t s = 0; s < samples; ++s) {
        const int32_t sample = static_cast<int32_t>(s);
        touched.clear();
        for (int64_t i = of_sample[s]; i < of_sample[s + 1]; ++i) {
            const uint64_t item = static_cast<uint64_t>(items[i]), random = random_of(item);
            const int32_t gene = all.genes[item];
            for (int64_t t = h.touched_starts[gene]; t < h.touched_starts[gene + 1]; ++t) {
                Under &own = under[h.touched_ranks[t]];
                if (own.sample != sample) {
                    own = {item, random, sample, 1};
                    touched.push_back(h.touched_ranks[t]);
                } else {
                    if (own.items < ITEMS_IN_KEY) own.key |= (item + 1) << BITS_OF_ITEM * own.items;
                    own.sum += random;
                    ++own.items;
                }
            }
            for (int64_t d = h.direct_starts[gene]; d < h.direct_starts[gene + 1]; ++d) {
                directs.push_back({h.direct_weight[d], sample, h.direct_ranks[d], items[i]});
                ++direct_starts[h.direct_ranks[d] + 1];
            }
        }
        for (const int32_t r : touched) {
            const Under &own = under[r];
            const bool by_items = fits && own.items <= ITEMS_IN_KEY;
            by_sample.push_back({by_items ? own.key : own.sum | IS_SUM, sample, r});
            ++found.entry_starts[r + 1];
        }
    }

    // Sorted by rank; samples stay in order.
    std::vector<int64_t> next(T), next_direct(T);
    for (int32_t r = 0; r < T; ++r) {
        found.entry_starts[r + 1] += found.entry_starts[r];
        direct_starts[r + 1] += direct_starts[r];
        next[r] = found.entry_starts[r];
        next_direct[r] = direct_starts[r];
    }
    std::vector<Entry> by_rank(by_sample.size());
    std::vector<Direct> direct_by_rank(directs.size());
    for (const Entry &entry : by_sample) by_rank[next[entry.rank]++] = entry;
    for (const Direct &direct : directs) direct_by_rank[next_direct[direct.rank]++] = direct;

    // Whether two samples delete the same under a term.
    const auto is_below = [&](int32_t item, int32_t r) {
        const int32_t gene = all.genes[item];
        const int32_t *first = h.touched_ranks + h.touched_starts[gene];
        return std::binary_search(first, h.touched_ranks + h.touched_starts[gene + 1], r);
    };
    const auto same_under = [&](int32_t a, int32_t b, int32_t r) {
        int64_t i = of_sample[a], j = of_sample[b];
        for (;;) {
            while (i < of_sample[a + 1] && !is_below(items[i], r)) ++i;
            while (j < of_sample[b + 1] && !is_below(items[j], r)) ++j;
            if (i == of_sample[a + 1] || j == of_sample[b + 1])
                return i == of_sample[a + 1] && j == of_sample[b + 1];
            if (items[i++] != items[j++]) return false;
        }
    };

    // Columns in the order in which samples bring them.
    struct Single {
        int32_t rank, column;
    };
    std::vector<Single> singles(all.count(), {-1, 0}); // of one item: no search
    Table table;
    std::vector<int32_t> first_sample;
    found.starts.assign(T + 1, 0);
    found.change_starts.assign(T + 1, 0);
    found.entry_sample.resize(by_rank.size());
    found.entry_column.resize(by_rank.size());
    for (int32_t r = 0; r < T; ++r) {
        int64_t direct = direct_starts[r];
        for (int64_t i = found.entry_starts[r]; i < found.entry_starts[r + 1]; ++i) {
            const Entry &entry = by_rank[i];
            const int32_t fresh = static_cast<int32_t>(found.count.size());
            int32_t column;
            if (entry.key < static_cast<uint64_t>(all.count())) {
                Single &own = singles[entry.key];
                if (own.rank != r) own = {r, fresh};
                column = own.column;
            } else {
                int32_t &own = table.find(r, entry.key, [&](int32_t c) {
                    return !(entry.key & IS_SUM) || same_under(entry.sample, first_sample[c], r);
                });
                if (own < 0) own = fresh;
                column = own;
            }
            while (direct < direct_starts[r + 1] && direct_by_rank[direct].sample < entry.sample) ++direct;
            if (column == fresh) {
                found.count.push_back(0);
                first_sample.push_back(entry.sample);
                for (; direct < direct_starts[r + 1] && direct_by_rank[direct].sample == entry.sample; ++direct) {
                    found.change_column.push_back(static_cast<int32_t>(column - found.starts[r]));
                    found.change_weight.push_back(direct_by_rank[direct].weight);
                    if (size) found.change_size.push_back(all.sizes[direct_by_rank[direct].item]);
                }
            }
            ++found.count[column];
            found.entry_sample[i] = entry.sample;
            found.entry_column[i] = column;
        }
        found.starts[r + 1] = static_cast<int64_t>(found.count.size());
        found.change_starts[r + 1] = static_cast<int64_t>(found.change_column.size());
    }

    // A parent's column decides its child's: any sample that has the one tells the other.
    std::vector<int32_t> column_of(samples, 0), seen_at(samples, -1);
    found.link_starts.assign(h.edges + 1, 0);
    for (int32_t child = 0; child < T; ++child) {
        const int64_t first = found.starts[child];
        if (found.starts[child + 1] > first && h.edges_up[child + 1] > h.edges_up[child])
            for (int64_t i = found.entry_starts[child]; i < found.entry_starts[child + 1]; ++i) {
                column_of[found.entry_sample[i]] = static_cast<int32_t>(found.entry_column[i] - first);
                seen_at[found.entry_sample[i]] = child;
            }
        for (int32_t e = h.edges_up[child]; e < h.edges_up[child + 1]; ++e) {
            const int32_t parent = h.edge_parent[e];
            if (found.starts[child + 1] > first)
                for (int64_t q = found.starts[parent]; q < found.starts[parent + 1]; ++q)
                    if (seen_at[first_sample[q]] == child) {
                        found.link_parent.push_back(static_cast<int32_t>(q - found.starts[parent]));
                        found.link_child.push_back(column_of[first_sample[q]]);
                    }
            found.link_starts[e + 1] = static_cast<int64_t>(found.link_parent.size());
        }
    }
}

namespace {

template <class T> T *copied(const std::vector<T> &from, T *to) {
    return std::copy(from.begin(), from.end(), to);
}

template <class R>
void sum_over_columns(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P, const R *values,
                      int64_t columns, double *room, R *sums) {
    std::fill(room, room + columns * P, 0.0);
    if (P == 1)
        for (int64_t i = 0; i < entries; ++i) room[column[i]] += values[sample[i]];
    else
        for (int64_t i = 0; i < entries; ++i)
            for (int64_t p = 0; p < P; ++p) room[column[i] * P + p] += values[sample[i] * P + p];
    for (int64_t i = 0; i < columns * P; ++i) sums[i] = static_cast<R>(room[i]);
}

} // namespace

extern "C" {

const char *dcell_sources() { return DCELL_SOURCES; }

void *dcell_make_columns(const Hierarchy *h, const int64_t *sample, const int64_t *gene, const double *size,
                         int64_t deleted, int64_t samples, int64_t *sizes) {
    dcell::FoundColumns *found = nullptr;
    try {
        found = new dcell::FoundColumns;
        dcell::find_columns(*h, sample, gene, size, deleted, samples, *found);
    } catch (const std::bad_alloc &) {
        delete found;
        return nullptr;
    }
    sizes[0] = static_cast<int64_t>(found->count.size());
    sizes[1] = static_cast<int64_t>(found->entry_sample.size());
    sizes[2] = static_cast<int64_t>(found->link_parent.size());
    sizes[3] = static_cast<int64_t>(found->change_column.size());
    return found;
}

void dcell_free_columns(void *made) { delete static_cast<dcell::FoundColumns *>(made); }

void dcell_take_columns(const void *made, int64_t *starts, int32_t *count, int64_t *entry_starts,
                        int32_t *entry_sample, int32_t *entry_column, int64_t *link_starts,
                        int32_t *link_parent, int32_t *link_child, int64_t *change_starts,
                        int32_t *change_column, int64_t *change_weight, double *change_size) {
    const auto *found = static_cast<const dcell::FoundColumns *>(made);
    copied(found->starts, starts);
    copied(found->count, count);
    copied(found->entry_starts, entry_starts);
    copied(found->entry_sample, entry_sample);
    copied(found->entry_column, entry_column);
    copied(found->link_starts, link_starts);
    copied(found->link_parent, link_parent);
    copied(found->link_child, link_child);
    copied(found->change_starts, change_starts);
    copied(found->change_column, change_column);
    copied(found->change_weight, change_weight);
    copied(found->change_size, change_size);
}

int dcell_sum_float(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                    const float *values, int64_t columns, double *room, float *sums) {
    sum_over_columns(entries, sample, column, P, values, columns, room, sums);
    return 0;
}
int dcell_sum_double(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                     const double *values, int64_t columns, double *room, double *sums) {
    sum_over_columns(entries, sample, column, P, values, columns, room, sums);
    return 0;
}
}
