// Genotypes that are two units together, in evaluation: only what both touch is computed.
//
// See dcell_model/dcell/engines/combined.py for the equations. A genotype is computed by itself, so
// that any number of threads makes the same bytes.

#include "terms.h"

#include "team.h"

#include <algorithm>
#include <atomic>
#include <new>

namespace {

using namespace dcell;

constexpr int64_t AT_ONCE = 256; // genotypes that a thread takes at a time

template <class R> class Pairs {
public:
    Pairs(const Hierarchy &h, const Settings &s, const Flat<R> &weights, const R *first, const R *last,
          const Units &left, const Units &right)
        : h_(h), s_(s), p_(weights), first_(first), last_(last), left_(left), right_(right) {
        int64_t rows = 0;
        for (int32_t r = 0; r < h.terms; ++r) rows = std::max(rows, h.row[r] + h.width[r]);
        point_.assign(last, last + rows);
        scale_.assign(rows, R(1));
        if (s.norm == 1)
            for (int64_t i = 0; i < rows; ++i) {
                const double factor = p_.norm[i] / std::sqrt(static_cast<double>(p_.var[i]) + NORM_EPS);
                scale_[i] = static_cast<R>(factor);
                if (s.norm_first)
                    point_[i] = static_cast<R>((static_cast<double>(last[i]) - p_.mean[i]) * factor + p_.norm_bias[i]);
            }
        value_.resize(rows);
    }

    template <class Act> void run(int64_t pairs, const int64_t *left, const int64_t *right, R *out) {
        for (size_t i = 0; i < value_.size(); ++i) value_[i] = Act::value(point_[i]);
        std::atomic<int64_t> next{0};
        std::atomic<bool> failed{false};
        Team::mine().run(s_.threads, [&](int) {
            try {
                Room room(h_.terms);
                for (int64_t from; (from = next.fetch_add(AT_ONCE)) < pairs;)
                    for (int64_t i = from; i < std::min(pairs, from + AT_ONCE); ++i)
                        one<Act>(left[i], right[i], out + i * s_.phenotypes, room);
            } catch (const std::bad_alloc &) {
                failed.store(true);
            }
        });
        if (failed.load()) throw std::bad_alloc();
    }

private:
    struct Shared {
        int32_t rank;
        int64_t in_left, in_right, begin;
    };
    struct Room {
        explicit Room(int32_t terms) : begin_of(terms) {}
        std::vector<Shared> shared;
        std::vector<int64_t> begin_of; // of the ranks that the present pair shares
        std::vector<R> d;
        Scratch<R> scratch;
    };

    // The part of the root's heads that neither unit has alone, `[P]`.
    template <class Act> void one(int64_t a, int64_t b, R *out, Room &room) const {
        std::fill(out, out + s_.phenotypes, R(0));
        room.shared.clear();
        int64_t i = left_.starts[a], j = right_.starts[b], size = 0;
        while (i < left_.starts[a + 1] && j < right_.starts[b + 1]) { // places descend
            const int32_t l = left_.places[i], r = right_.places[j];
            if (l == r) {
                const int32_t rank = h_.rank_of_place[l];
                room.shared.push_back({rank, left_.offset[i], right_.offset[j], size});
                room.begin_of[rank] = size;
                size += h_.width[rank];
            }
            i += l >= r;
            j += r >= l;
        }
        R *d = Scratch<R>::room(room.d, size);
        const R *da = static_cast<const R *>(left_.d), *db = static_cast<const R *>(right_.d);
        const R *Da = static_cast<const R *>(left_.D), *Db = static_cast<const R *>(right_.D);
        for (const Shared &term : room.shared)
            for (int64_t k = 0; k < h_.width[term.rank]; ++k)
                d[term.begin + k] = da[term.in_left + k] + db[term.in_right + k];
        for (const Shared &term : room.shared) {
            const int64_t w = h_.width[term.rank];
            R *own = d + term.begin; // becomes what is beyond both units
            outputs<Act>(term.rank, own, room.scratch);
            for (int64_t k = 0; k < w; ++k) own[k] -= Da[term.in_left + k] + Db[term.in_right + k];
            for (int32_t e = h_.edges_up[term.rank]; e < h_.edges_up[term.rank + 1]; ++e) {
                const int32_t parent = h_.edge_parent[e]; // shared, as it is above a shared term
                product<R, true>(1, h_.width[parent], w, own, w, 1, p_.child + h_.edge_weight[e],
                                 d + room.begin_of[parent]);
            }
        }
        if (room.shared.empty()) return;
        const Shared &root = room.shared.back(); // above all
        for (int64_t p = 0; p < s_.phenotypes; ++p)
            for (int64_t k = 0; k < h_.width[root.rank]; ++k)
                out[p] += d[root.begin + k] * p_.head[(h_.row[root.rank] + k) * s_.phenotypes + p];
    }

    // Differences of outputs in place of those of first pre-activations.
    template <class Act> void outputs(int32_t r, R *d, Scratch<R> &scratch) const {
        const int64_t row = h_.row[r], w = h_.width[r];
        const Own own{w, 1, nullptr, 1};
        R *between = Scratch<R>::room(scratch.wild[0], w), *y = Scratch<R>::room(scratch.wild[1], w);
        if (s_.layers == 2) {
            activate<R, Act>(own, first_ + row, d, y, between);
            for (int64_t k = 0; k < w; ++k) d[k] = dot(w, p_.second + h_.first_second[r] + k * w, between);
        }
        if (s_.norm == 2) {
            NormOf<R> norm{};
            norm.weight = p_.norm + row, norm.bias = p_.norm_bias + row;
            if (s_.norm_first) {
                R *unit = Scratch<R>::room(scratch.wild[2], w);
                normalise(own, s_, norm, last_ + row, d, y, between, scratch);
                activate<R, Act>(own, y, between, unit, d);
            } else {
                changes<R, Act>(own, &point_[row], &value_[row], d, between);
                normalise(own, s_, norm, &value_[row], between, y, d, scratch);
            }
            return;
        }
        const R *scale = &scale_[row];
        if (s_.norm_first)
            for (int64_t k = 0; k < w; ++k) d[k] *= scale[k];
        changes<R, Act>(own, &point_[row], &value_[row], d, d);
        if (!s_.norm_first)
            for (int64_t k = 0; k < w; ++k) d[k] *= scale[k];
    }

    const Hierarchy &h_;
    const Settings &s_;
    const Flat<R> p_;
    const R *first_, *last_;
    const Units &left_, &right_;
    // Of the wild type: what goes into the (last) activation and what comes out; factors of the norm.
    std::vector<R> point_, value_, scale_;
};

template <class R>
int combine(const Hierarchy *h, const Settings *s, R *const *weights, const R *first, const R *last,
            const Units *left, const Units *right, int64_t pairs, const int64_t *left_unit,
            const int64_t *right_unit, R *out) {
    try {
        Pairs<R> all(*h, *s, *reinterpret_cast<const Flat<R> *>(weights), first, last, *left, *right);
        switch (s->activation) {
        case 0: all.template run<Tanh<R>>(pairs, left_unit, right_unit, out); break;
        case 1: all.template run<Relu<R>>(pairs, left_unit, right_unit, out); break;
        default: all.template run<Gelu<R>>(pairs, left_unit, right_unit, out); break;
        }
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}

} // namespace

extern "C" {

DCELL_EXPORT int dcell_combine_float(const Hierarchy *h, const Settings *s, float *const *weights,
                                     const float *first, const float *last, const Units *left,
                                     const Units *right, int64_t pairs, const int64_t *left_unit,
                                     const int64_t *right_unit, float *out) {
    return combine<float>(h, s, weights, first, last, left, right, pairs, left_unit, right_unit, out);
}
DCELL_EXPORT int dcell_combine_double(const Hierarchy *h, const Settings *s, double *const *weights,
                                      const double *first, const double *last, const Units *left,
                                      const Units *right, int64_t pairs, const int64_t *left_unit,
                                      const int64_t *right_unit, double *out) {
    return combine<double>(h, s, weights, first, last, left, right, pairs, left_unit, right_unit, out);
}
}
