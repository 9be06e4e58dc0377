// Which columns a batch has: a pure function of its genotypes and the hierarchy.
//
// Two samples whose deletions agree under a term have the same column there. Sets are compared exactly,
// never by a hash alone.

#include "hierarchy.h"

#include <algorithm>
#include <new>
#include <vector>

namespace {

// What a sample deletes under a term, in 64 bits: the genes themselves where they are at most three,
// else a sum of random numbers, one a gene, which is compared gene by gene where it is met again.
constexpr int BITS_OF_GENE = 20, GENES_IN_KEY = 3;
constexpr uint64_t IS_SUM = uint64_t(1) << 63;

uint64_t random_of(uint64_t gene) { // splitmix64
    uint64_t z = (gene + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

// The columns of (rank, key), by open addressing; several may have the same key.
class Found {
public:
    Found() : slots_(1024) {}

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

    // For each sample, what it deletes under each term that it touches, and which of it directly.
    const int32_t T = h.terms;
    const bool fits = h.genes < 1 << BITS_OF_GENE;
    struct Entry {
        uint64_t key;
        int32_t sample, rank;
    };
    struct Direct {
        int64_t weight;
        int32_t sample, rank;
    };
    struct Under { // of the present sample, by rank
        uint64_t key, sum;
        int32_t sample = -1, genes;
    };
    std::vector<Entry> by_sample;
    std::vector<Direct> directs;
    std::vector<Under> under(T);
    std::vector<int32_t> touched;
    std::vector<int64_t> direct_starts(T + 1, 0);
    plan.entry_starts.assign(T + 1, 0);
    for (int64_t s = 0; s < samples; ++s) {
        const int32_t sample = static_cast<int32_t>(s);
        touched.clear();
        for (int64_t i = of_sample[s]; i < of_sample[s + 1]; ++i) {
            const uint64_t gene = static_cast<uint64_t>(genes[i]), random = random_of(gene);
            for (int64_t t = h.touched_starts[gene]; t < h.touched_starts[gene + 1]; ++t) {
                Under &own = under[h.touched_ranks[t]];
                if (own.sample != sample) {
                    own = {gene, random, sample, 1};
                    touched.push_back(h.touched_ranks[t]);
                } else {
                    if (own.genes < GENES_IN_KEY) own.key |= (gene + 1) << BITS_OF_GENE * own.genes;
                    own.sum += random;
                    ++own.genes;
                }
            }
            for (int64_t d = h.direct_starts[gene]; d < h.direct_starts[gene + 1]; ++d) {
                directs.push_back({h.direct_weight[d], sample, h.direct_ranks[d]});
                ++direct_starts[h.direct_ranks[d] + 1];
            }
        }
        for (const int32_t r : touched) {
            const Under &own = under[r];
            const bool by_genes = fits && own.genes <= GENES_IN_KEY;
            by_sample.push_back({by_genes ? own.key : own.sum | IS_SUM, sample, r});
            ++plan.entry_starts[r + 1];
        }
    }

    // Sorted by rank; samples stay in order.
    std::vector<int64_t> next(T), next_direct(T);
    for (int32_t r = 0; r < T; ++r) {
        plan.entry_starts[r + 1] += plan.entry_starts[r];
        direct_starts[r + 1] += direct_starts[r];
        next[r] = plan.entry_starts[r];
        next_direct[r] = direct_starts[r];
    }
    std::vector<Entry> by_rank(by_sample.size());
    std::vector<Direct> direct_by_rank(directs.size());
    for (const Entry &entry : by_sample) by_rank[next[entry.rank]++] = entry;
    for (const Direct &direct : directs) direct_by_rank[next_direct[direct.rank]++] = direct;

    // Whether two samples delete the same under a term.
    const auto is_below = [&](int32_t gene, int32_t r) {
        const int32_t *first = h.touched_ranks + h.touched_starts[gene];
        return std::binary_search(first, h.touched_ranks + h.touched_starts[gene + 1], r);
    };
    const auto same_under = [&](int32_t a, int32_t b, int32_t r) {
        int64_t i = of_sample[a], j = of_sample[b];
        for (;;) {
            while (i < of_sample[a + 1] && !is_below(genes[i], r)) ++i;
            while (j < of_sample[b + 1] && !is_below(genes[j], r)) ++j;
            if (i == of_sample[a + 1] || j == of_sample[b + 1])
                return i == of_sample[a + 1] && j == of_sample[b + 1];
            if (genes[i++] != genes[j++]) return false;
        }
    };

    // Columns in the order in which samples bring them.
    struct Single {
        int32_t rank, column;
    };
    std::vector<Single> singles(h.genes, {-1, 0}); // of one deleted gene: no search
    Found found;
    std::vector<int32_t> first_sample;
    plan.starts.assign(T + 1, 0);
    plan.change_starts.assign(T + 1, 0);
    plan.entry_sample.resize(by_rank.size());
    plan.entry_column.resize(by_rank.size());
    for (int32_t r = 0; r < T; ++r) {
        int64_t direct = direct_starts[r];
        for (int64_t i = plan.entry_starts[r]; i < plan.entry_starts[r + 1]; ++i) {
            const Entry &entry = by_rank[i];
            const int32_t fresh = static_cast<int32_t>(plan.count.size());
            int32_t column;
            if (entry.key < static_cast<uint64_t>(h.genes)) {
                Single &own = singles[entry.key];
                if (own.rank != r) own = {r, fresh};
                column = own.column;
            } else {
                int32_t &own = found.find(r, entry.key, [&](int32_t c) {
                    return !(entry.key & IS_SUM) || same_under(entry.sample, first_sample[c], r);
                });
                if (own < 0) own = fresh;
                column = own;
            }
            while (direct < direct_starts[r + 1] && direct_by_rank[direct].sample < entry.sample) ++direct;
            if (column == fresh) {
                plan.count.push_back(0);
                first_sample.push_back(entry.sample);
                for (; direct < direct_starts[r + 1] && direct_by_rank[direct].sample == entry.sample; ++direct) {
                    plan.change_column.push_back(static_cast<int32_t>(column - plan.starts[r]));
                    plan.change_weight.push_back(direct_by_rank[direct].weight);
                }
            }
            ++plan.count[column];
            plan.entry_sample[i] = entry.sample;
            plan.entry_column[i] = column;
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
