// Which columns a batch has: a pure function of its genotypes and the hierarchy.
//
// Two samples whose deletions agree under a term have the same column there. Sets are compared exactly,
// never by a hash alone.

#include "hierarchy.h"

#include <algorithm>
#include <new>
#include <vector>

namespace {

// Sets of genes by number: the paths of a trie, whose edges (set, gene) -> set lie in a hash table
// with open addressing. One gene is a set of its own number; sets grow by larger genes.
class Sets {
public:
    explicit Sets(int32_t genes) : genes_(genes), slots_(1024) {}

    int32_t with(int32_t set, int32_t gene) {
        const uint64_t key = static_cast<uint64_t>(set) << 32 | static_cast<uint32_t>(gene);
        Slot *slot = &find(slots_, key);
        if (slot->set < 0) {
            if (2 * made_.size() > slots_.size()) {
                grow();
                slot = &find(slots_, key);
            }
            *slot = {key, genes_ + static_cast<int32_t>(made_.size())};
            made_.push_back({set, gene});
        }
        return slot->set;
    }

    int64_t size() const { return genes_ + static_cast<int64_t>(made_.size()); }

    // Calls function(gene) for the genes of a set, the largest first.
    template <class F> void each(int32_t set, const F &function) const {
        for (; set >= genes_; set = made_[set - genes_].rest) function(made_[set - genes_].gene);
        function(set);
    }

private:
    struct Slot {
        uint64_t key = 0;
        int32_t set = -1;
    };
    struct Made {
        int32_t rest, gene;
    };

    static Slot &find(std::vector<Slot> &slots, uint64_t key) {
        const size_t mask = slots.size() - 1;
        size_t place = (key * 0x9E3779B97F4A7C15u) >> 32 & mask;
        while (slots[place].set >= 0 && slots[place].key != key) place = (place + 1) & mask;
        return slots[place];
    }
    void grow() {
        std::vector<Slot> wider(2 * slots_.size());
        for (const Slot &slot : slots_)
            if (slot.set >= 0) find(wider, slot.key) = slot;
        slots_.swap(wider);
    }

    const int32_t genes_;
    std::vector<Slot> slots_;
    std::vector<Made> made_;
};

struct Plan {
    std::vector<int64_t> starts, entry_starts, link_starts, change_starts, change_weight;
    std::vector<int32_t> count, entry_sample, entry_column, link_parent, link_child, change_column;
};

// The deleted genes of every sample that the hierarchy knows: ascending, each once.
void genes_by_sample(const Hierarchy &h, const int64_t *sample, const int64_t *gene, int64_t deleted,
                     int64_t samples, std::vector<int64_t> &starts, std::vector<int32_t> &genes) {
    starts.assign(samples + 1, 0);
    for (int64_t i = 0; i < deleted; ++i) starts[sample[i] + 1] += gene[i] < h.genes;
    for (int64_t s = 0; s < samples; ++s) starts[s + 1] += starts[s];
    genes.resize(starts[samples]);
    std::vector<int64_t> next(starts.begin(), starts.end() - 1);
    for (int64_t i = 0; i < deleted; ++i)
        if (gene[i] < h.genes) genes[next[sample[i]]++] = static_cast<int32_t>(gene[i]);
    int64_t kept = 0, first = 0;
    for (int64_t s = 0; s < samples; ++s) {
        const int64_t last = starts[s + 1];
        std::sort(genes.begin() + first, genes.begin() + last);
        const int64_t from = kept;
        for (int64_t i = first; i < last; ++i)
            if (i == first || genes[i] != genes[i - 1]) genes[kept++] = genes[i];
        first = last;
        starts[s] = from;
    }
    starts[samples] = kept;
}

void make(const Hierarchy &h, const int64_t *sample, const int64_t *gene, int64_t deleted,
          int64_t samples, Plan &plan) {
    std::vector<int64_t> of_sample;
    std::vector<int32_t> genes;
    genes_by_sample(h, sample, gene, deleted, samples, of_sample, genes);

    // For each sample, the set that it deletes under each term that it touches.
    const int32_t T = h.terms;
    struct Entry {
        int32_t sample, set;
    };
    std::vector<Entry> by_sample, by_rank;
    std::vector<int32_t> rank_of_entry, seen_by(T, -1);
    std::vector<int64_t> place(T);
    Sets sets(h.genes);
    plan.entry_starts.assign(T + 1, 0);
    for (int64_t s = 0; s < samples; ++s)
        for (int64_t i = of_sample[s]; i < of_sample[s + 1]; ++i)
            for (int64_t t = h.touched_starts[genes[i]]; t < h.touched_starts[genes[i] + 1]; ++t) {
                const int32_t r = h.touched_ranks[t];
                if (seen_by[r] != s) {
                    seen_by[r] = static_cast<int32_t>(s);
                    place[r] = static_cast<int64_t>(by_sample.size());
                    by_sample.push_back({seen_by[r], genes[i]});
                    rank_of_entry.push_back(r);
                    ++plan.entry_starts[r + 1];
                } else {
                    int32_t &set = by_sample[place[r]].set;
                    set = sets.with(set, genes[i]);
                }
            }

    // Sorted by rank; samples stay in order.
    for (int32_t r = 0; r < T; ++r) {
        plan.entry_starts[r + 1] += plan.entry_starts[r];
        place[r] = plan.entry_starts[r];
    }
    by_rank.resize(by_sample.size());
    for (size_t i = 0; i < by_sample.size(); ++i) by_rank[place[rank_of_entry[i]]++] = by_sample[i];

    // Columns in the order in which samples bring them.
    struct Seen {
        int32_t rank, column;
    };
    std::vector<Seen> seen(sets.size(), {-1, 0});
    std::vector<int32_t> first_sample;
    plan.starts.assign(T + 1, 0);
    plan.change_starts.assign(T + 1, 0);
    plan.entry_sample.resize(by_rank.size());
    plan.entry_column.resize(by_rank.size());
    for (int32_t r = 0; r < T; ++r) {
        for (int64_t i = plan.entry_starts[r]; i < plan.entry_starts[r + 1]; ++i) {
            Seen &own = seen[by_rank[i].set];
            if (own.rank != r) {
                own = {r, static_cast<int32_t>(plan.count.size())};
                plan.count.push_back(0);
                first_sample.push_back(by_rank[i].sample);
                sets.each(by_rank[i].set, [&](int32_t g) {
                    const int32_t *first = h.direct_ranks + h.direct_starts[g];
                    const int32_t *last = h.direct_ranks + h.direct_starts[g + 1];
                    const int32_t *found = std::lower_bound(first, last, r);
                    if (found == last || *found != r) return;
                    plan.change_column.push_back(static_cast<int32_t>(own.column - plan.starts[r]));
                    plan.change_weight.push_back(h.direct_weight[found - h.direct_ranks]);
                });
            }
            ++plan.count[own.column];
            plan.entry_sample[i] = by_rank[i].sample;
            plan.entry_column[i] = own.column;
        }
        plan.starts[r + 1] = static_cast<int64_t>(plan.count.size());
        plan.change_starts[r + 1] = static_cast<int64_t>(plan.change_column.size());
    }

    // A parent's column decides its child's: any sample that has the one tells the other.
    std::vector<int32_t> column_of(samples, 0), seen_at(samples, -1);
    plan.link_starts.assign(h.edges + 1, 0);
    for (int32_t child = 0; child < T; ++child) {
        const int64_t first = plan.starts[child];
        if (plan.starts[child + 1] > first && h.edges_up[child + 1] > h.edges_up[child])
            for (int64_t i = plan.entry_starts[child]; i < plan.entry_starts[child + 1]; ++i) {
                column_of[plan.entry_sample[i]] = static_cast<int32_t>(plan.entry_column[i] - first);
                seen_at[plan.entry_sample[i]] = child;
            }
        for (int32_t e = h.edges_up[child]; e < h.edges_up[child + 1]; ++e) {
            const int32_t parent = h.edge_parent[e];
            if (plan.starts[child + 1] > first)
                for (int64_t q = plan.starts[parent]; q < plan.starts[parent + 1]; ++q)
                    if (seen_at[first_sample[q]] == child) {
                        plan.link_parent.push_back(static_cast<int32_t>(q - plan.starts[parent]));
                        plan.link_child.push_back(column_of[first_sample[q]]);
                    }
            plan.link_starts[e + 1] = static_cast<int64_t>(plan.link_parent.size());
        }
    }
}

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

// What the sources were that this library was made of (dcell_model/dcell/native/native_build.py).
DCELL_EXPORT const char *dcell_sources() { return DCELL_SOURCES; }

// Makes the columns of a batch. `sizes` takes columns, entries, links and changes. The result is
// for one call of `dcell_take_columns`. Returns null where memory ran out.
DCELL_EXPORT void *dcell_make_columns(const Hierarchy *h, const int64_t *sample, const int64_t *gene,
                         int64_t deleted, int64_t samples, int64_t *sizes) {
    Plan *plan = nullptr;
    try {
        plan = new Plan;
        make(*h, sample, gene, deleted, samples, *plan);
    } catch (const std::bad_alloc &) {
        delete plan;
        return nullptr;
    }
    sizes[0] = static_cast<int64_t>(plan->count.size());
    sizes[1] = static_cast<int64_t>(plan->entry_sample.size());
    sizes[2] = static_cast<int64_t>(plan->link_parent.size());
    sizes[3] = static_cast<int64_t>(plan->change_column.size());
    return plan;
}

// Copies what `dcell_make_columns` made into the caller's arrays, and frees it.
DCELL_EXPORT void dcell_take_columns(void *made, int64_t *starts, int32_t *count, int64_t *entry_starts,
                        int32_t *entry_sample, int32_t *entry_column, int64_t *link_starts,
                        int32_t *link_parent, int32_t *link_child, int64_t *change_starts,
                        int32_t *change_column, int64_t *change_weight) {
    const Plan *plan = static_cast<Plan *>(made);
    copied(plan->starts, starts);
    copied(plan->count, count);
    copied(plan->entry_starts, entry_starts);
    copied(plan->entry_sample, entry_sample);
    copied(plan->entry_column, entry_column);
    copied(plan->link_starts, link_starts);
    copied(plan->link_parent, link_parent);
    copied(plan->link_child, link_child);
    copied(plan->change_starts, change_starts);
    copied(plan->change_column, change_column);
    copied(plan->change_weight, change_weight);
    delete plan;
}

// Sums of values [B, P] over the samples of every column, [C, P], from zero.
DCELL_EXPORT int dcell_sum_float(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                     const float *values, int64_t columns, double *room, float *sums) {
    sum_over_columns(entries, sample, column, P, values, columns, room, sums);
    return 0;
}
DCELL_EXPORT int dcell_sum_double(int64_t entries, const int32_t *sample, const int32_t *column, int64_t P,
                      const double *values, int64_t columns, double *room, double *sums) {
    sum_over_columns(entries, sample, column, P, values, columns, room, sums);
    return 0;
}
}
