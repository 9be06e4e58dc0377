// Genotypes that are two units together, in evaluation: only what both touch is computed.
//
// See dcell_model/dcell/engines/combined.py for the equations. A thread takes a block of genotypes and
// goes through the terms that some of them share, so that a term's weights serve many of them; blocks
// do not depend on the threads, so that any number of these makes the same bytes.

#include "functions.h"
#include "team.h"
#include "terms.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <new>

namespace {

using namespace dcell;

constexpr int64_t AT_ONCE = 1024; // genotypes of a block

template <class R> class Pairs {
public:
    Pairs(const Hierarchy &h, const Settings &s, const Flat<R> &weights, const R *first, const R *last,
          const Units &left, const Units &right)
        : h_(h), s_(s), p_(weights), first_(first), last_(last), left_(left), right_(right), place_(h.terms) {
        for (int32_t place = 0; place < h.terms; ++place) place_[h.rank_of_place[place]] = place;
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
        std::fill(out, out + pairs * s_.phenotypes, R(0));
        std::atomic<int64_t> next{0};
        std::atomic<bool> failed{false};
        Team::mine().run(s_.threads, [&](int) {
            try {
                Room room(h_.terms);
                for (int64_t from; (from = next.fetch_add(AT_ONCE)) < pairs;)
                    block<Act>(std::min(AT_ONCE, pairs - from), left + from, right + from, out + from * s_.phenotypes,
                               room);
            } catch (const std::bad_alloc &) {
                failed.store(true);
            }
        });
        if (failed.load()) throw std::bad_alloc();
    }

private:
    // A term that both units of a pair touch.
    struct Shared {
        int32_t place, pair;
        int64_t in_left, in_right;
    };
    struct Room {
        explicit Room(int32_t terms) : rows(terms), first(terms), begin(terms) {}
        std::vector<Shared> found, sorted; // of a block: pair by pair; term by term, in the order of pairs
        std::vector<int32_t> places;       // of the terms that some pair shares, children before parents
        std::vector<int64_t> rows, first, begin; // of each place, all 0 between blocks; in `sorted`; in `d`
        std::vector<R> d, carried;
        Scratch<R> scratch;
    };

    // The terms that both units of each pair touch, term by term.
    int64_t share(int64_t pairs, const int64_t *left, const int64_t *right, Room &room) const {
        room.found.clear();
        room.places.clear();
        for (int32_t pair = 0; pair < pairs; ++pair) {
            int64_t i = left_.starts[left[pair]], j = right_.starts[right[pair]];
            const int64_t last_i = left_.starts[left[pair] + 1], last_j = right_.starts[right[pair] + 1];
            while (i < last_i && j < last_j) { // places descend
                const int32_t l = left_.places[i], r = right_.places[j];
                if (l == r) {
                    room.found.push_back({l, pair, left_.offset[i], right_.offset[j]});
                    if (room.rows[l]++ == 0) room.places.push_back(l);
                }
                i += l >= r;
                j += r >= l;
            }
        }
        std::sort(room.places.begin(), room.places.end(), std::greater<int32_t>());
        int64_t first = 0, size = 0;
        for (const int32_t place : room.places) {
            room.first[place] = first;
            room.begin[place] = size;
            first += room.rows[place];
            size += room.rows[place] * h_.width[h_.rank_of_place[place]];
        }
        room.sorted.resize(room.found.size());
        for (const Shared &one : room.found) room.sorted[room.first[one.place]++] = one;
        for (const int32_t place : room.places) room.first[place] -= room.rows[place];
        return size;
    }

    // The parts of the root's heads that neither unit of a pair has alone, `[pairs, P]`; zero before.
    template <class Act>
    void block(int64_t pairs, const int64_t *left, const int64_t *right, R *out, Room &room) const {
        R *d = Scratch<R>::room(room.d, share(pairs, left, right, room));
        const R *da = static_cast<const R *>(left_.d), *db = static_cast<const R *>(right_.d);
        const R *Da = static_cast<const R *>(left_.D), *Db = static_cast<const R *>(right_.D);
        R *to = d;
        for (const Shared &one : room.sorted) {
            const int64_t w = h_.width[h_.rank_of_place[one.place]];
            for (int64_t k = 0; k < w; ++k) to[k] = da[one.in_left + k] + db[one.in_right + k];
            to += w;
        }
        for (const int32_t place : room.places) {
            const int32_t rank = h_.rank_of_place[place];
            const int64_t w = h_.width[rank], n = room.rows[place];
            const Shared *own = room.sorted.data() + room.first[place];
            R *beyond = d + room.begin[place]; // in place of differences, what is beyond both units
            outputs<Act>(rank, n, beyond, room.scratch);
            for (int64_t q = 0; q < n; ++q)
                for (int64_t k = 0; k < w; ++k)
                    beyond[q * w + k] -= Da[own[q].in_left + k] + Db[own[q].in_right + k];
            for (int32_t e = h_.edges_up[rank]; e < h_.edges_up[rank + 1]; ++e)
                carry(n, own, beyond, w, p_.child + h_.edge_weight[e], place_[h_.edge_parent[e]], d, room);
            if (place == 0) // the root
                for (int64_t q = 0; q < n; ++q)
                    for (int64_t p = 0; p < s_.phenotypes; ++p)
                        for (int64_t k = 0; k < w; ++k)
                            out[own[q].pair * s_.phenotypes + p] +=
                                beyond[q * w + k] * p_.head[(h_.row[rank] + k) * s_.phenotypes + p];
        }
        for (const int32_t place : room.places) room.rows[place] = 0;
    }

    // Adds a child's part to a parent's differences; the parent is shared wherever the child is.
    void carry(int64_t n, const Shared *child, const R *from, int64_t v, const R *weight, int32_t place, R *d,
               Room &room) const {
        const int64_t w = h_.width[h_.rank_of_place[place]];
        R *to = d + room.begin[place];
        if (n == room.rows[place]) return product<R, true>(n, w, v, from, v, 1, weight, to);
        R *carried = Scratch<R>::room(room.carried, n * w);
        product<R, false>(n, w, v, from, v, 1, weight, carried);
        const Shared *parent = room.sorted.data() + room.first[place];
        for (int64_t q = 0; q < n; ++q, ++parent, to += w) {
            while (parent->pair != child[q].pair) ++parent, to += w;
            for (int64_t k = 0; k < w; ++k) to[k] += carried[q * w + k];
        }
    }

    // Differences of outputs `[n, w]` in place of those of first pre-activations.
    template <class Act> void outputs(int32_t r, int64_t n, R *d, Scratch<R> &scratch) const {
        const int64_t row = h_.row[r], w = h_.width[r];
        const Own own{w, n, nullptr, n};
        R *y = Scratch<R>::room(scratch.wild[1], w);
        if (s_.layers == 2) {
            R *between = Scratch<R>::room(scratch.other, n * w), *turned = Scratch<R>::room(scratch.turned, w * w);
            activate<R, Act>(own, first_ + row, d, y, between);
            transpose(w, w, p_.second + h_.first_second[r], turned);
            product<R, false>(n, w, w, between, w, 1, turned, d);
        }
        if (s_.norm == 2) {
            NormOf<R> norm{};
            norm.weight = p_.norm + row, norm.bias = p_.norm_bias + row;
            R *between = Scratch<R>::room(scratch.other, n * w);
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
        if (s_.norm_first) times(n, w, scale, d);
        changes<R, Act>(own, &point_[row], &value_[row], d, d);
        if (!s_.norm_first) times(n, w, scale, d);
    }

    static void times(int64_t n, int64_t w, const R *scale, R *d) {
        for (int64_t q = 0; q < n; ++q)
            for (int64_t k = 0; k < w; ++k) d[q * w + k] *= scale[k];
    }

    const Hierarchy &h_;
    const Settings &s_;
    const Flat<R> p_;
    const R *first_, *last_;
    const Units &left_, &right_;
    std::vector<int32_t> place_; // of each rank
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

int dcell_combine_float(const Hierarchy *h, const Settings *s, float *const *weights,
                                     const float *first, const float *last, const Units *left,
                                     const Units *right, int64_t pairs, const int64_t *left_unit,
                                     const int64_t *right_unit, float *out) {
    return combine<float>(h, s, weights, first, last, left, right, pairs, left_unit, right_unit, out);
}
int dcell_combine_double(const Hierarchy *h, const Settings *s, double *const *weights,
                                      const double *first, const double *last, const Units *left,
                                      const Units *right, int64_t pairs, const int64_t *left_unit,
                                      const int64_t *right_unit, double *out) {
    return combine<double>(h, s, weights, first, last, left, right, pairs, left_unit, right_unit, out);
}
}
