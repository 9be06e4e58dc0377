// Runs the native pass on random hierarchies and batches, for sanitizers to watch.

#include "functions.h"

#include <cstdio>
#include <cstdlib>
#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

namespace {

std::mt19937 engine(1);
int64_t up_to(int64_t n) { return static_cast<int64_t>(engine() % n); }
std::vector<float> numbers(size_t n) {
    std::vector<float> v(n);
    for (float &x : v) x = static_cast<float>(engine() % 2001) / 1000.0f - 1.0f;
    return v;
}

// Terms in row order are ranks here: a child has a larger number than its parents.
struct Random {
    std::vector<int32_t> width, term, place, stratum, direct, child, parent, up, down_starts, down, touched_ranks, direct_ranks;
    std::vector<int64_t> row, first_gene, second, weight, touched_starts, direct_starts, direct_weight;
    int64_t rows = 0, genes_weights = 0, children_weights = 0, second_weights = 0;
    Hierarchy h{};

    Random(int32_t T, int32_t G) {
        std::vector<std::vector<int32_t>> parents(T), genes_of(T);
        std::vector<std::vector<char>> below(T, std::vector<char>(G, 0));
        for (int32_t t = 0; t < T; ++t) {
            const int32_t widths[] = {1, 5, 20, 27, 41};
            width.push_back(widths[up_to(5)]);
            term.push_back(t), place.push_back(t), row.push_back(rows), rows += width[t];
            if (t > 0) parents[t].push_back(static_cast<int32_t>(up_to(t)));
            if (t > 1 && up_to(2)) {
                const int32_t other = static_cast<int32_t>(up_to(t));
                if (other != parents[t][0]) parents[t].push_back(other);
            }
            for (int32_t g = 0; g < G; ++g)
                if (up_to(5) == 0) genes_of[t].push_back(g), below[t][g] = 1;
        }
        for (int32_t t = T - 1; t >= 0; --t)
            for (int32_t p : parents[t])
                for (int32_t g = 0; g < G; ++g) below[p][g] |= below[t][g];
        for (int32_t t = 0; t < T; ++t) {
            first_gene.push_back(genes_weights), genes_weights += static_cast<int64_t>(genes_of[t].size()) * width[t];
            direct.push_back(static_cast<int32_t>(genes_of[t].size()));
            second.push_back(second_weights), second_weights += width[t] * width[t];
            up.push_back(static_cast<int32_t>(child.size()));
            for (int32_t p : parents[t]) child.push_back(t), parent.push_back(p);
        }
        up.push_back(static_cast<int32_t>(child.size()));
        weight.resize(child.size());
        for (int32_t p = 0; p < T; ++p) {
            down_starts.push_back(static_cast<int32_t>(down.size()));
            for (size_t e = 0; e < child.size(); ++e)
                if (parent[e] == p) {
                    down.push_back(static_cast<int32_t>(e)), weight[e] = children_weights;
                    children_weights += static_cast<int64_t>(width[p]) * width[child[e]];
                }
        }
        down_starts.push_back(static_cast<int32_t>(down.size()));
        for (int32_t g = 0; g < G; ++g) {
            touched_starts.push_back(static_cast<int64_t>(touched_ranks.size()));
            direct_starts.push_back(static_cast<int64_t>(direct_ranks.size()));
            for (int32_t t = 0; t < T; ++t) {
                if (below[t][g]) touched_ranks.push_back(t);
                for (size_t i = 0; i < genes_of[t].size(); ++i)
                    if (genes_of[t][i] == g)
                        direct_ranks.push_back(t), direct_weight.push_back(first_gene[t] + static_cast<int64_t>(i) * width[t]);
            }
        }
        touched_starts.push_back(static_cast<int64_t>(touched_ranks.size()));
        direct_starts.push_back(static_cast<int64_t>(direct_ranks.size()));
        // A parent's number is smaller, and so its stratum is not larger.
        for (int32_t t = 0; t < T; ++t) stratum.push_back((t + 3) / 4);
        h = {T, static_cast<int32_t>(child.size()), G, (T + 2) / 4 + 1, width.data(), term.data(),
             stratum.data(), row.data(), place.data(),
             first_gene.data(), direct.data(), second.data(), child.data(), parent.data(), weight.data(), up.data(),
             down_starts.data(), down.data(), touched_starts.data(), touched_ranks.data(), direct_starts.data(),
             direct_ranks.data(), direct_weight.data()};
    }
};

struct Batch {
    std::vector<int64_t> starts, entry_starts, link_starts, change_starts, change_weight;
    std::vector<int32_t> count, entry_sample, entry_column, link_parent, link_child, change_column;
    std::vector<double> change_size;
    Columns c{};

    Batch(const Hierarchy &h, const std::vector<int64_t> &sample, const std::vector<int64_t> &gene, const double *size,
          int64_t samples) {
        int64_t sizes[4];
        void *made = dcell_make_columns(&h, sample.data(), gene.data(), size, static_cast<int64_t>(gene.size()),
                                        samples, sizes);
        starts.resize(h.terms + 1), entry_starts.resize(h.terms + 1), change_starts.resize(h.terms + 1);
        link_starts.resize(h.edges + 1), count.resize(sizes[0]), entry_sample.resize(sizes[1]), entry_column.resize(sizes[1]);
        link_parent.resize(sizes[2]), link_child.resize(sizes[2]), change_column.resize(sizes[3]), change_weight.resize(sizes[3]);
        change_size.resize(size ? sizes[3] : 0);
        dcell_take_columns(made, starts.data(), count.data(), entry_starts.data(), entry_sample.data(), entry_column.data(),
                           link_starts.data(), link_parent.data(), link_child.data(), change_starts.data(),
                           change_column.data(), change_weight.data(), change_size.data());
        if (!size) plan(h, made, sizes, samples);
        dcell_free_columns(made);
        c = {starts.data(), count.data(), entry_starts.data(), link_starts.data(), link_parent.data(), link_child.data(),
             change_starts.data(), change_column.data(), change_weight.data(), size ? change_size.data() : nullptr};
    }

    // The plan for a GPU, in rooms as large as it is and larger.
    static void plan(const Hierarchy &h, const void *made, const int64_t *sizes, int64_t samples) {
        for (const int64_t more : {0, 5}) {
            std::vector<int64_t> room(6 + 2 * h.strata);
            dcell_size_plan(&h, made, {64, 32}, room.data());
            for (int64_t &part : room) part += more;
            const auto sum = [](auto first, auto last) { return std::accumulate(first, last, int64_t(0)); };
            const int64_t edge_tiles = sum(room.begin() + 6, room.begin() + 6 + h.strata);
            const int64_t row_tiles = sum(room.begin() + 6 + h.strata, room.end());
            const int64_t pairs = sum(h.direct_genes, h.direct_genes + h.terms);
            const std::vector<int64_t> lengths{1, h.terms + 1, room[0], room[0] + 1, room[2], room[1] + 1, room[2],
                                               room[0] + 1, room[3], pairs + 1, room[3], h.edges + 1,
                                               3 * edge_tiles, 3 * row_tiles, h.terms, h.edges + 1};
            std::vector<int32_t> narrow(sum(lengths.begin(), lengths.end() - 2));
            std::vector<int64_t> wide(lengths[14] + lengths[15]), term(sizes[0]);
            std::vector<int32_t> count(sizes[0]), sample(sizes[1]), column(sizes[1]);
            if (dcell_take_plan(&h, made, {64, 32}, samples, room.data(), lengths.data(), narrow.data(), wide.data(),
                                term.data(), count.data(), sample.data(), column.data()))
                std::abort();
        }
    }
};

void step(const Random &r, Settings s) {
    std::vector<int64_t> sample, gene;
    for (int64_t i = 0; i < s.samples; ++i)
        for (int64_t n = i == 1 ? r.h.genes - 1 : up_to(5); n > 0; --n) sample.push_back(i), gene.push_back(up_to(r.h.genes + 1));
    std::vector<double> sizes(gene.size());
    for (double &one : sizes) one = static_cast<double>(1 + up_to(3)) / 4; // graded states in half of the steps
    const Batch b(r.h, sample, gene, up_to(2) ? sizes.data() : nullptr, s.samples);
    const int64_t P = s.phenotypes;
    size_t size = 0;
    for (int32_t t = 0; t < r.h.terms; ++t) size += static_cast<size_t>((b.starts[t + 1] - b.starts[t] + 1) * r.width[t]);
    const auto flat = [&](bool zero) {
        std::vector<std::vector<float>> v;
        for (const int64_t n : {r.children_weights, r.genes_weights, r.rows, r.second_weights, r.rows, r.rows, r.rows,
                                r.rows * P, r.h.terms * P, r.rows, r.rows})
            v.push_back(zero ? std::vector<float>(n) : numbers(n));
        for (float &x : v[10]) x = std::abs(x) + 0.1f;
        return v;
    };
    const auto pointers = [](std::vector<std::vector<float>> &v) {
        std::vector<float *> p;
        for (auto &each : v) p.push_back(each.data());
        return p;
    };
    auto weights = flat(false), gradients = flat(true);
    std::vector<std::vector<float>> state{std::vector<float>(r.rows), std::vector<float>(r.rows), std::vector<float>(size),
                                          std::vector<float>(size), std::vector<float>(size),
                                          std::vector<float>(r.h.terms * P), std::vector<float>(b.count.size() * P)};
    std::vector<std::vector<float>> given{numbers(r.h.terms * P), numbers(b.count.size() * P)};
    auto w = pointers(weights), g = pointers(gradients), at = pointers(state), back = pointers(given);
    std::vector<float> columns(size), first(r.rows);
    bool failed = dcell_forward_float(&r.h, &b.c, &s, w.data(), at.data());
    failed |= dcell_backward_float(&r.h, &b.c, &s, w.data(), at.data(), back.data(), g.data(), columns.data(), first.data());
    auto values = numbers(s.samples * P);
    std::vector<float> sums(b.count.size() * P);
    std::vector<double> room(sums.size());
    failed |= dcell_sum_float(static_cast<int64_t>(b.entry_sample.size()), b.entry_sample.data(), b.entry_column.data(), P,
                              values.data(), static_cast<int64_t>(b.count.size()), room.data(), sums.data());
    if (!s.training) {
        s.keep_inputs = 1;
        failed |= dcell_forward_float(&r.h, &b.c, &s, w.data(), at.data());
        std::vector<int64_t> table(r.h.terms), starts{0}, offset;
        for (int32_t t = 0, o = 0; t < r.h.terms; ++t) table[t] = o, o += static_cast<int32_t>((b.starts[t + 1] - b.starts[t] + 1) * r.width[t]);
        std::vector<int32_t> places;
        for (int64_t u = 0; u < s.samples; ++u) {
            for (int32_t t = r.h.terms - 1; t >= 0; --t)
                for (int64_t e = b.entry_starts[t]; e < b.entry_starts[t + 1]; ++e)
                    if (b.entry_sample[e] == u) places.push_back(t), offset.push_back(table[t] + (b.entry_column[e] - b.starts[t]) * r.width[t]);
            starts.push_back(static_cast<int64_t>(places.size()));
        }
        const Units units{starts.data(), places.data(), offset.data(), s.layers == 2 ? at[4] : at[3], at[2]};
        std::vector<int64_t> left, right;
        for (int i = 0; i < 700; ++i) left.push_back(up_to(s.samples)), right.push_back(up_to(s.samples));
        std::vector<float> out(left.size() * P);
        failed |= dcell_combine_float(&r.h, &s, w.data(), at[0], at[1], &units, &units, static_cast<int64_t>(left.size()),
                                      left.data(), right.data(), out.data());
    }
    if (failed) std::abort();
}

} // namespace

int main() {
    for (int round = 0; round < 12; ++round) {
        const Random r(static_cast<int32_t>(2 + up_to(60)), static_cast<int32_t>(3 + up_to(40)));
        for (int32_t activation = 0; activation < 3; ++activation)
            for (int32_t norm = 0; norm < 3; ++norm)
                for (int32_t rest = 0; rest < 8; ++rest)
                    step(r, {activation, norm, rest & 1, 1 + (rest >> 1 & 1), round & 1, rest >> 2, 1 + round % 2, 0, 0,
                             1 + round % 4, 9});
    }
    std::puts("done");
}
