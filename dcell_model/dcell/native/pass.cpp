// DCell, forward and backward, over all terms of a hierarchy and the columns of a batch.
//
// See dcell_model/dcell/engines/native_pass.py for the equations. Every number has one owner, the term
// that it belongs to (of an edge: its child), which sums in a fixed order: any number of threads
// makes the same bytes.

#include "functions.h"
#include "team.h"
#include "terms.h"

#include <algorithm>
#include <new>

namespace {

using namespace dcell;

// What the forward pass leaves: of the wild type, pre-activations of the first layer and of the
// last, `[R]`; of columns, outputs D and what the backward pass needs, X and Y, with one more row a
// term, `[sum of (n + 1) w]`: in D it is the wild type's outputs, so that one product carries both;
// heads of the wild type `[T, P]` and of columns, less those, `[C, P]`.
template <class R> struct State {
    R *first, *last, *D, *X, *Y, *wild_heads, *column_heads;
};

template <class R> class Pass {
public:
    Pass(const Hierarchy &h, const Columns &c, const Settings &s, const Flat<R> &weights, const State<R> &state)
        : h_(h), c_(c), s_(s), p_(weights), at_(state), offset_(h.terms + 1, 0), silent_(h.terms, 0) {
        for (int32_t r = 0; r < h.terms; ++r)
            offset_[r + 1] = offset_[r] + (c.starts[r + 1] - c.starts[r] + 1) * h.width[r];
    }

    void forward() {
        walk(true, [this](int32_t r, Scratch<R> &scratch) { dispatch(r, scratch, false); });
    }

    void backward(const Flat<R> &gradients, const State<R> &given, R *grad_columns, R *grad_first) {
        g_ = gradients;
        given_ = given;
        gd_ = grad_columns;
        gz_ = grad_first;
        walk(false, [this](int32_t r, Scratch<R> &scratch) { dispatch(r, scratch, true); });
    }

private:
    template <class F> void walk(bool upward, const F &work) {
        Order order(h_, upward);
        std::atomic<bool> failed{false};
        Team::mine().run(s_.threads, [&](int) {
            Scratch<R> scratch;
            for (int32_t r; (r = order.take()) >= 0; order.done(r)) {
                try {
                    if (!failed.load(std::memory_order_relaxed)) work(r, scratch);
                } catch (const std::bad_alloc &) {
                    failed.store(true);
                }
            }
        });
        if (failed.load()) throw std::bad_alloc();
    }

    void dispatch(int32_t r, Scratch<R> &scratch, bool back) {
        switch (s_.activation) {
        case 0: back ? backward_of<Tanh<R>>(r, scratch) : forward_of<Tanh<R>>(r, scratch); break;
        case 1: back ? backward_of<Relu<R>>(r, scratch) : forward_of<Relu<R>>(r, scratch); break;
        default: back ? backward_of<Gelu<R>>(r, scratch) : forward_of<Gelu<R>>(r, scratch); break;
        }
    }

    Own own(int32_t r) const {
        return {h_.width[r], c_.starts[r + 1] - c_.starts[r], c_.count + c_.starts[r],
                c_.entry_starts[r + 1] - c_.entry_starts[r]};
    }
    NormOf<R> norm(int32_t r) const {
        const int64_t row = h_.row[r];
        NormOf<R> of{};
        if (s_.norm != 0) {
            of.weight = p_.norm + row, of.bias = p_.norm_bias + row;
            if (g_.norm != nullptr) of.grad_weight = g_.norm + row, of.grad_bias = g_.norm_bias + row;
        }
        if (s_.norm == 1) of.mean = p_.mean + row, of.var = p_.var + row;
        return of;
    }

    // Pre-activations, of the wild type z and of columns, less those, d `[n + 1, w]`: from the
    // children and the genes.
    void collect(int32_t r, R *z, R *d, Scratch<R> &scratch) const {
        const int64_t w = h_.width[r], n = c_.starts[r + 1] - c_.starts[r], with_wild = !s_.known;
        std::fill(d, d + (n + 1) * w, R(0));
        for (int32_t i = h_.edges_down[r]; i < h_.edges_down[r + 1]; ++i) {
            const int32_t e = h_.down[i], child = h_.edge_child[e];
            const int64_t columns = c_.starts[child + 1] - c_.starts[child], v = h_.width[child];
            if (columns == 0 && !with_wild) continue;
            // The wild type goes along also where it is known: a product rounds as its rows are cut.
            R *carried = Scratch<R>::room(scratch.links, (columns + 1) * w);
            product<R, false>(columns + 1, w, v, at_.D + offset_[child], v, 1, p_.child + h_.edge_weight[e], carried);
            for (int64_t l = c_.link_starts[e]; l < c_.link_starts[e + 1]; ++l)
                add(w, carried + c_.link_child[l] * w, d + c_.link_parent[l] * w);
            if (with_wild) add(w, carried + columns * w, d + n * w);
        }
        for (int64_t i = c_.change_starts[r]; i < c_.change_starts[r + 1]; ++i) {
            R *to = d + c_.change_column[i] * w;
            const R *weight = p_.gene + c_.change_weight[i];
            if (c_.change_size) {
                const R size = size_of(i);
                for (int64_t j = 0; j < w; ++j) to[j] += size * weight[j];
            } else if (s_.disruption)
                add(w, weight, to);
            else
                for (int64_t j = 0; j < w; ++j) to[j] -= weight[j];
        }
        if (!with_wild) return;
        double *sum = scratch.zeros(0, w);
        for (int64_t j = 0; j < w; ++j) sum[j] = static_cast<double>(p_.bias[h_.row[r] + j]) + d[n * w + j];
        if (!s_.disruption)
            for (int64_t g = 0; g < h_.direct_genes[r]; ++g) {
                const R *weight = p_.gene + h_.first_gene[r] + g * w;
                for (int64_t j = 0; j < w; ++j) sum[j] += weight[j];
            }
        for (int64_t j = 0; j < w; ++j) z[j] = static_cast<R>(sum[j]);
    }

    // By how much a change moves the gene's input.
    R size_of(int64_t change) const {
        return static_cast<R>(s_.disruption ? c_.change_size[change] : -c_.change_size[change]);
    }

    static DCELL_INLINE void add(int64_t w, const R *from, R *to) {
        for (int64_t j = 0; j < w; ++j) to[j] += from[j];
    }

    // The weights `[w]` of a term's head for one phenotype, in one piece.
    const R *head_of(int32_t r, int64_t p, Scratch<R> &scratch) const {
        const R *weight = p_.head + h_.row[r] * s_.phenotypes + p;
        if (s_.phenotypes == 1) return weight;
        R *to = Scratch<R>::room(scratch.wild[2], h_.width[r]);
        for (int64_t j = 0; j < h_.width[r]; ++j) to[j] = weight[j * s_.phenotypes];
        return to;
    }

    template <class Act> void forward_of(int32_t r, Scratch<R> &scratch) {
        const Own own = this->own(r);
        const int64_t row = h_.row[r], w = own.w, size = own.n * w, P = s_.phenotypes;
        R *z = at_.first + row, *x = at_.X + offset_[r], *D = at_.D + offset_[r];
        collect(r, z, x, scratch);
        if (s_.layers == 2) {
            R *y = Scratch<R>::room(scratch.wild[0], w), *Y = Scratch<R>::room(scratch.other, size);
            activate<R, Act>(own, z, x, y, Y);
            R *keep = at_.Y + offset_[r];
            const R *kept = Act::KEEPS_OUTPUT && !s_.keep_inputs ? Y : x;
            std::copy(kept, kept + size, keep);
            std::fill(keep + size, keep + size + w, R(0));
            const R *turned = transposed(p_.second + h_.first_second[r], w, w, scratch);
            z = at_.last + row;
            double *sum = scratch.zeros(0, w);
            for (int64_t k = 0; k < w; ++k)
                for (int64_t j = 0; j < w; ++j) sum[j] += static_cast<double>(y[k]) * turned[k * w + j];
            for (int64_t j = 0; j < w; ++j) z[j] = static_cast<R>(sum[j] + p_.second_bias[row + j]);
            product<R, false>(own.n, w, w, Y, w, 1, turned, x);
        } else {
            std::copy(z, z + w, at_.last + row);
        }
        R *out = D + size, *between = Scratch<R>::room(scratch.wild[1], w);
        if (s_.norm_first) {
            R *unit = Scratch<R>::room(scratch.other, size);
            normalise(own, s_, norm(r), z, x, between, unit, scratch);
            activate<R, Act>(own, between, unit, out, D);
        } else if (Act::KEEPS_OUTPUT && !s_.keep_inputs) {
            activate<R, Act>(own, z, x, between, x);
            normalise(own, s_, norm(r), between, x, out, D, scratch);
        } else {
            R *h = Scratch<R>::room(scratch.other, size);
            activate<R, Act>(own, z, x, between, h);
            normalise(own, s_, norm(r), between, h, out, D, scratch);
        }
        R *wild = at_.wild_heads + h_.term[r] * P, *heads = at_.column_heads + c_.starts[r] * P;
        for (int64_t p = 0; p < P; ++p) {
            const R *weight = head_of(r, p, scratch);
            wild[p] = p_.head_bias[h_.term[r] * P + p] + dot(w, out, weight);
            for (int64_t q = 0; q < own.n; ++q) heads[q * P + p] = dot(w, D + q * w, weight);
        }
    }

    const R *transposed(const R *from, int64_t rows, int64_t columns, Scratch<R> &scratch) const {
        R *to = Scratch<R>::room(scratch.turned, rows * columns);
        transpose(rows, columns, from, to);
        return to;
    }

    // Gradients of the differences of outputs and, in the row after them, of the wild type's, from
    // heads and parents; those of the weights of heads and of the edges to parents are put in place.
    void receive(int32_t r, const Own &own, R *gD, Scratch<R> &scratch) {
        const int64_t row = h_.row[r], w = own.w, n = own.n, P = s_.phenotypes;
        const R *D = at_.D + offset_[r], *out = D + n * w;
        std::fill(gD, gD + (n + 1) * w, R(0));
        for (int64_t p = 0; p < P; ++p) {
            const R *weight = head_of(r, p, scratch), *grad = given_.column_heads + c_.starts[r] * P + p;
            const R wild = given_.wild_heads[h_.term[r] * P + p];
            double *sum = scratch.zeros(0, w);
            for (int64_t q = 0; q < n; ++q) {
                const R g = grad[q * P];
                for (int64_t j = 0; j < w; ++j) {
                    sum[j] += static_cast<double>(D[q * w + j]) * g;
                    gD[q * w + j] += g * weight[j];
                }
            }
            for (int64_t j = 0; j < w; ++j) {
                g_.head[(row + j) * P + p] = static_cast<R>(sum[j] + static_cast<double>(wild) * out[j]);
                gD[n * w + j] += wild * weight[j];
            }
        }
        for (int32_t e = h_.edges_up[r]; e < h_.edges_up[r + 1]; ++e) {
            const int32_t parent = h_.edge_parent[e];
            const int64_t v = h_.width[parent]; // the parent's; the weights are [w, v]
            const R *weight = p_.child + h_.edge_weight[e], *gz = gz_ + h_.row[parent];
            R *grad = g_.child + h_.edge_weight[e];
            if (n == 0) {
                for (int64_t j = 0; j < w; ++j) {
                    for (int64_t k = 0; k < v; ++k) grad[j * v + k] = out[j] * gz[k];
                    if (!silent_[parent]) gD[j] += dot(v, gz, weight + j * v);
                }
                continue;
            }
            R *carried = Scratch<R>::room(scratch.links, (n + 1) * v);
            std::fill(carried, carried + n * v, R(0));
            std::copy(gz, gz + v, carried + n * v);
            const R *from = gd_ + offset_[parent];
            for (int64_t l = c_.link_starts[e]; l < c_.link_starts[e + 1]; ++l)
                add(v, from + c_.link_parent[l] * v, carried + c_.link_child[l] * v);
            product<R, false>(w, v, n + 1, D, 1, w, carried, grad);
            product<R, true>(n + 1, w, v, carried, v, 1, transposed(weight, w, v, scratch), gD);
        }
    }

    template <class Act> void backward_of(int32_t r, Scratch<R> &scratch) {
        const Own own = this->own(r);
        const int64_t row = h_.row[r], w = own.w, size = own.n * w;
        const R *z = at_.last + row, *D = at_.D + offset_[r], *out = D + size, *x = at_.X + offset_[r];
        std::vector<double> &wild = scratch.gradient_of_wild;
        R *gD = gd_ + offset_[r], *between = Scratch<R>::room(scratch.wild[1], w);
        receive(r, own, gD, scratch);
        wild.assign(gD + size, gD + size + w);
        double *g_wild = wild.data();
        if (s_.norm_first) {
            const R *keep = D;
            if (!Act::KEEPS_OUTPUT) { // what came between them is made again
                R *unit = Scratch<R>::room(scratch.other, size);
                normalise(own, s_, norm(r), z, x, between, unit, scratch);
                keep = unit;
            }
            activate_backward<R, Act>(own, between, out, keep, g_wild, gD, scratch);
            normalise_backward(own, s_, norm(r), z, x, g_wild, gD, scratch);
        } else {
            const R *h = x;
            for (int64_t j = 0; j < w; ++j) between[j] = Act::value(z[j]);
            if (!Act::KEEPS_OUTPUT) {
                R *changed = Scratch<R>::room(scratch.other, size);
                activate<R, Act>(own, z, x, between, changed);
                h = changed;
            }
            normalise_backward(own, s_, norm(r), between, h, g_wild, gD, scratch);
            activate_backward<R, Act>(own, z, between, x, g_wild, gD, scratch);
        }
        if (s_.layers == 2) second_backward<Act>(r, own, g_wild, gD, scratch);
        R *gz = gz_ + row;
        bool silent = true;
        for (int64_t j = 0; j < w; ++j) {
            gz[j] = g_.bias[row + j] = static_cast<R>(g_wild[j]);
            silent = silent && gz[j] == 0;
        }
        silent_[r] = silent;
        for (int64_t g = 0; g < h_.direct_genes[r]; ++g) {
            R *to = g_.gene + h_.first_gene[r] + g * w;
            for (int64_t j = 0; j < w; ++j) to[j] = s_.disruption ? R(0) : gz[j];
        }
        for (int64_t i = c_.change_starts[r]; i < c_.change_starts[r + 1]; ++i) {
            R *to = g_.gene + c_.change_weight[i];
            const R *g = gD + c_.change_column[i] * w;
            if (c_.change_size) {
                const R size = size_of(i);
                for (int64_t j = 0; j < w; ++j) to[j] += size * g[j];
                continue;
            }
            for (int64_t j = 0; j < w; ++j) to[j] += s_.disruption ? g[j] : -g[j];
        }
    }

    // From the gradients of the second layer's pre-activations to those of the first's.
    template <class Act>
    void second_backward(int32_t r, const Own &own, double *g_wild, R *gD, Scratch<R> &scratch) {
        const int64_t row = h_.row[r], w = own.w, size = own.n * w;
        const R *z = at_.first + row, *keep = at_.Y + offset_[r], *Y = keep;
        const R *weight = p_.second + h_.first_second[r];
        R *grad = g_.second + h_.first_second[r], *y = Scratch<R>::room(scratch.wild[0], w);
        for (int64_t j = 0; j < w; ++j) y[j] = Act::value(z[j]);
        if (!Act::KEEPS_OUTPUT) {
            R *made = Scratch<R>::room(scratch.other, size);
            activate<R, Act>(own, z, keep, y, made);
            Y = made;
        }
        double *through = scratch.zeros(0, w);
        for (int64_t i = 0; i < w; ++i) {
            g_.second_bias[row + i] = static_cast<R>(g_wild[i]);
            for (int64_t k = 0; k < w; ++k) {
                grad[i * w + k] = static_cast<R>(g_wild[i] * y[k]);
                through[k] += g_wild[i] * weight[i * w + k];
            }
        }
        product<R, true>(w, w, own.n, gD, 1, w, Y, grad);
        R *back = Scratch<R>::room(scratch.gradient, size);
        product<R, false>(own.n, w, w, gD, w, 1, weight, back);
        std::copy(back, back + size, gD);
        std::copy(through, through + w, g_wild);
        activate_backward<R, Act>(own, z, y, keep, g_wild, gD, scratch);
    }

    const Hierarchy &h_;
    const Columns &c_;
    const Settings &s_;
    Flat<R> p_, g_{};
    State<R> at_, given_{};
    std::vector<int64_t> offset_;
    std::vector<char> silent_; // terms whose wild type gets no gradient
    R *gd_ = nullptr, *gz_ = nullptr;
};

template <class R>
int forward(const Hierarchy *h, const Columns *c, const Settings *s, R *const *weights, R *const *state) {
    try {
        const auto *flat = reinterpret_cast<const Flat<R> *>(weights);
        Pass<R>(*h, *c, *s, *flat, *reinterpret_cast<const State<R> *>(state)).forward();
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}

template <class R>
int backward(const Hierarchy *h, const Columns *c, const Settings *s, R *const *weights, R *const *state,
             R *const *given, R *const *gradients, R *grad_columns, R *grad_first) {
    try {
        const auto *flat = reinterpret_cast<const Flat<R> *>(weights);
        Pass<R> pass(*h, *c, *s, *flat, *reinterpret_cast<const State<R> *>(state));
        State<R> heads{};
        heads.wild_heads = given[0];
        heads.column_heads = given[1];
        pass.backward(*reinterpret_cast<const Flat<R> *>(gradients), heads, grad_columns, grad_first);
    } catch (const std::bad_alloc &) {
        return 1;
    }
    return 0;
}

} // namespace

extern "C" {

int dcell_forward_float(const Hierarchy *h, const Columns *c, const Settings *s, float *const *weights,
                        float *const *state) {
    return forward<float>(h, c, s, weights, state);
}
int dcell_forward_double(const Hierarchy *h, const Columns *c, const Settings *s, double *const *weights,
                         double *const *state) {
    return forward<double>(h, c, s, weights, state);
}
int dcell_backward_float(const Hierarchy *h, const Columns *c, const Settings *s, float *const *weights,
                         float *const *state, float *const *given, float *const *gradients,
                         float *grad_columns, float *grad_first) {
    return backward<float>(h, c, s, weights, state, given, gradients, grad_columns, grad_first);
}
int dcell_backward_double(const Hierarchy *h, const Columns *c, const Settings *s, double *const *weights,
                          double *const *state, double *const *given, double *const *gradients,
                          double *grad_columns, double *grad_first) {
    return backward<double>(h, c, s, weights, state, given, gradients, grad_columns, grad_first);
}
}
