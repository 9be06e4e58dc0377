// One term, forward and backward: activation and norm of its wild type and of its columns.
//
// Shapes: w neurons, n columns. A wild type's numbers are `[w]`, a column's `[n, w]`. Of a column
// that `count` samples share, D is the difference from the wild type and gD the gradient of the sum
// over these samples. Sums over columns are taken in double precision.

#pragma once

#include "activations.h"
#include "hierarchy.h"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace dcell {

constexpr double NORM_EPS = 1e-5; // dcell_model/dcell/layout.py

// What a thread needs beside the results; grows as needed and is kept for the next term.
template <class R> struct Scratch {
    std::vector<R> links, turned, gradient, other, wild[6];
    std::vector<double> sums[4], gradient_of_wild;

    static R *room(std::vector<R> &v, int64_t size) {
        if (static_cast<int64_t>(v.size()) < size) v.resize(size);
        return v.data();
    }
    double *zeros(int which, int64_t size) {
        sums[which].assign(size, 0.0);
        return sums[which].data();
    }
};

// The flat parameters, mean and variance (see dcell_model/dcell/engines/weights.py); gradients have
// the same form.
template <class R> struct Flat {
    R *child, *gene, *bias, *second, *second_bias, *norm, *norm_bias, *head, *head_bias, *mean, *var;
};

// The columns of one term.
struct Own {
    int64_t w, n;
    const int32_t *count; // [n]
    int64_t touched;      // samples with a column
};

// The norm's parameters and, for batch norm, mean and variance of one term.
template <class R> struct NormOf {
    const R *weight, *bias;
    R *mean, *var;
    R *grad_weight, *grad_bias; // null in the forward pass
};

// D of an activation, from x, y = f(x) and d; D may be d.
template <class R, class Act>
void changes(const Own &own, const R *x, const R *y, const R *d, R *D) {
    for (int64_t q = 0; q < own.n; ++q) {
        const R *from = d + q * own.w;
        R *to = D + q * own.w;
        int far = 0;
        for (int64_t j = 0; j < own.w; ++j) far |= y[j] * from[j] < R(-1.3);
        if (far)
            for (int64_t j = 0; j < own.w; ++j)
                to[j] = Act::is_far(y[j], from[j]) ? Act::far_change(x[j], y[j], from[j])
                                                   : Act::change(x[j], y[j], from[j]);
        else
            for (int64_t j = 0; j < own.w; ++j) to[j] = Act::change(x[j], y[j], from[j]);
    }
}

// y and D of an activation, from x and d.
template <class R, class Act>
void activate(const Own &own, const R *x, const R *d, R *y, R *D) {
    for (int64_t j = 0; j < own.w; ++j) y[j] = Act::value(x[j]);
    changes<R, Act>(own, x, y, d, D);
}

// Gradients of x and d in place of those of y (of all samples together) and D; `keep` is D where
// the activation keeps its output, else d.
template <class R, class Act>
void activate_backward(const Own &own, const R *x, const R *y, const R *keep, double *g_wild, R *gD,
                       Scratch<R> &scratch) {
    double *sums = scratch.zeros(3, own.w);
    for (int64_t q = 0; q < own.n; ++q) {
        const R *k = keep + q * own.w;
        R *g = gD + q * own.w;
        for (int64_t j = 0; j < own.w; ++j) {
            sums[j] += static_cast<double>(g[j]) * Act::slope_change(x[j], y[j], k[j]);
            g[j] *= Act::slope_at(x[j], y[j], k[j]);
        }
    }
    for (int64_t j = 0; j < own.w; ++j) g_wild[j] = g_wild[j] * Act::slope(x[j], y[j]) + sums[j];
}

// Mean and standard deviation over the neurons of one sample.
template <class R> DCELL_INLINE void spread(int64_t w, const R *x, const R *d, double &mean, double &deviation) {
    double sum = 0, squares = 0;
    for (int64_t j = 0; j < w; ++j) sum += static_cast<double>(x[j]) + (d ? d[j] : 0);
    mean = sum / w;
    for (int64_t j = 0; j < w; ++j) {
        const double c = static_cast<double>(x[j]) + (d ? d[j] : 0) - mean;
        squares += c * c;
    }
    deviation = std::sqrt(squares / w + NORM_EPS);
}

// Sum over the samples of every neuron's difference, and of its squared distance from its mean.
template <class R>
void moments(const Own &own, const R *d, int64_t samples, double *shift, double *var) {
    for (int64_t q = 0; q < own.n; ++q)
        for (int64_t j = 0; j < own.w; ++j) shift[j] += own.count[q] * static_cast<double>(d[q * own.w + j]);
    for (int64_t j = 0; j < own.w; ++j) shift[j] /= samples;
    for (int64_t q = 0; q < own.n; ++q)
        for (int64_t j = 0; j < own.w; ++j) {
            const double c = static_cast<double>(d[q * own.w + j]) - shift[j];
            var[j] += own.count[q] * c * c;
        }
    const double rest = static_cast<double>(samples - own.touched);
    for (int64_t j = 0; j < own.w; ++j) var[j] = (var[j] + rest * shift[j] * shift[j]) / samples;
}

// y and D of the norm, from x and d.
template <class R>
void normalise(const Own &own, const Settings &s, NormOf<R> norm, const R *x, const R *d, R *y, R *D,
               Scratch<R> &scratch) {
    const int64_t w = own.w;
    if (s.norm == 0) {
        std::copy(x, x + w, y);
        std::copy(d, d + own.n * w, D);
        return;
    }
    if (s.norm == 2) {
        double mean, deviation;
        spread<R>(w, x, nullptr, mean, deviation);
        double *unit = scratch.zeros(0, w);
        for (int64_t j = 0; j < w; ++j) {
            unit[j] = (x[j] - mean) / deviation;
            y[j] = static_cast<R>(unit[j] * norm.weight[j] + norm.bias[j]);
        }
        for (int64_t q = 0; q < own.n; ++q) {
            spread<R>(w, x, d + q * w, mean, deviation);
            for (int64_t j = 0; j < w; ++j) {
                const double u = (static_cast<double>(x[j]) + d[q * w + j] - mean) / deviation;
                D[q * w + j] = static_cast<R>((u - unit[j]) * norm.weight[j]);
            }
        }
        return;
    }
    R *scale = Scratch<R>::room(scratch.wild[5], w);
    if (s.training) {
        double *shift = scratch.zeros(0, w), *var = scratch.zeros(1, w);
        moments(own, d, s.samples, shift, var);
        for (int64_t j = 0; j < w; ++j) {
            const double factor = norm.weight[j] / std::sqrt(var[j] + NORM_EPS);
            norm.mean[j] = static_cast<R>(x[j] + shift[j]);
            norm.var[j] = static_cast<R>(var[j]);
            scale[j] = static_cast<R>(factor);
            y[j] = static_cast<R>(norm.bias[j] - shift[j] * factor);
        }
    } else {
        for (int64_t j = 0; j < w; ++j) {
            const double factor = norm.weight[j] / std::sqrt(static_cast<double>(norm.var[j]) + NORM_EPS);
            scale[j] = static_cast<R>(factor);
            y[j] = static_cast<R>((static_cast<double>(x[j]) - norm.mean[j]) * factor + norm.bias[j]);
        }
    }
    for (int64_t q = 0; q < own.n; ++q)
        for (int64_t j = 0; j < w; ++j) D[q * w + j] = d[q * w + j] * scale[j];
}

// Gradients of x and d in place of those of y and D; those of weight and bias are put in place.
template <class R>
void normalise_backward(const Own &own, const Settings &s, NormOf<R> norm, const R *x, const R *d,
                        double *g_wild, R *gD, Scratch<R> &scratch) {
    const int64_t w = own.w;
    if (s.norm == 0) return;
    for (int64_t j = 0; j < w; ++j) norm.grad_bias[j] = static_cast<R>(g_wild[j]);
    double *weight = scratch.zeros(0, w);
    if (s.norm == 2) {
        double mean, deviation;
        double *rest = scratch.zeros(1, w), *total = scratch.zeros(2, w);
        for (int64_t j = 0; j < w; ++j) rest[j] = g_wild[j]; // of the samples without a column
        for (int64_t q = 0; q < own.n; ++q)
            for (int64_t j = 0; j < w; ++j) rest[j] -= gD[q * w + j];
        const auto backward = [&](const R *change, const auto *g, auto *to) {
            spread<R>(w, x, change, mean, deviation);
            double sum = 0, along = 0;
            for (int64_t j = 0; j < w; ++j) {
                const double u = (static_cast<double>(x[j]) + (change ? change[j] : 0) - mean) / deviation;
                const double gu = static_cast<double>(g[j]) * norm.weight[j];
                weight[j] += static_cast<double>(g[j]) * u;
                sum += gu;
                along += gu * u;
            }
            for (int64_t j = 0; j < w; ++j) {
                const double u = (static_cast<double>(x[j]) + (change ? change[j] : 0) - mean) / deviation;
                const double value = (static_cast<double>(g[j]) * norm.weight[j] - sum / w - u * along / w) / deviation;
                total[j] += value;
                to[j] = static_cast<std::remove_reference_t<decltype(to[j])>>(value);
            }
        };
        backward(nullptr, rest, rest);
        for (int64_t q = 0; q < own.n; ++q) backward(d + q * w, gD + q * w, gD + q * w);
        for (int64_t j = 0; j < w; ++j) {
            norm.grad_weight[j] = static_cast<R>(weight[j]);
            g_wild[j] = total[j];
        }
        return;
    }
    double *dot = weight;
    for (int64_t q = 0; q < own.n; ++q)
        for (int64_t j = 0; j < w; ++j) dot[j] += static_cast<double>(gD[q * w + j]) * d[q * w + j];
    R *scale = Scratch<R>::room(scratch.wild[5], w);
    if (!s.training) {
        for (int64_t j = 0; j < w; ++j) {
            const double rstd = 1 / std::sqrt(static_cast<double>(norm.var[j]) + NORM_EPS);
            const double from_mean = static_cast<double>(x[j]) - norm.mean[j];
            norm.grad_weight[j] = static_cast<R>((dot[j] + g_wild[j] * from_mean) * rstd);
            scale[j] = static_cast<R>(norm.weight[j] * rstd);
            g_wild[j] *= norm.weight[j] * rstd;
        }
        for (int64_t q = 0; q < own.n; ++q)
            for (int64_t j = 0; j < w; ++j) gD[q * w + j] *= scale[j];
        return;
    }
    double *shift = scratch.zeros(1, w), *var = scratch.zeros(2, w);
    moments(own, d, s.samples, shift, var);
    R *slope = Scratch<R>::room(scratch.wild[4], w), *offset = Scratch<R>::room(scratch.wild[3], w);
    for (int64_t j = 0; j < w; ++j) {
        const double rstd = 1 / std::sqrt(var[j] + NORM_EPS), factor = norm.weight[j] * rstd;
        dot[j] -= g_wild[j] * shift[j];
        norm.grad_weight[j] = static_cast<R>(dot[j] * rstd);
        const double along = factor * rstd * rstd * dot[j] / s.samples;
        scale[j] = static_cast<R>(factor);
        slope[j] = static_cast<R>(along);
        offset[j] = static_cast<R>(along * shift[j] - factor * g_wild[j] / s.samples);
        g_wild[j] = 0; // what the samples have in common drops out
    }
    for (int64_t q = 0; q < own.n; ++q) {
        const R samples = static_cast<R>(own.count[q]);
        for (int64_t j = 0; j < w; ++j) {
            R &g = gD[q * w + j];
            g = g * scale[j] + samples * (offset[j] - slope[j] * d[q * w + j]);
        }
    }
}

} // namespace dcell
