// Activations of a wild type and of differences from it, and their derivatives.
//
// For y = f(x): `change` is f(x + d) - f(x), and `slope_change` f'(x + d) - f'(x), both without the
// loss of digits that the subtraction of nearly equal numbers brings. `KEEPS_OUTPUT` says what the
// backward pass needs of a column: the change of y, or that of x.

#pragma once

#include "products.h"

#include <cmath>

namespace dcell {

template <class R> DCELL_INLINE R tanh_of(R x);
template <> DCELL_INLINE double tanh_of(double x) { return std::tanh(x); }
// A quotient of polynomials fitted on (0, 9], whose relative error is below 2.1e-8 there, so that
// small differences keep all their digits. Unlike std::tanh it runs in vectors.
template <> DCELL_INLINE float tanh_of(float x) {
    const float cut = x > 9.0f ? 9.0f : x < -9.0f ? -9.0f : x;
    const float u = cut * cut;
    float p = 1.3353379735292492e-08f;
    p = p * u + 2.0608160411939025e-05f;
    p = p * u + 3.495533252134919e-03f;
    p = p * u + 1.3380980491638184e-01f;
    p = p * u + 1.0f;
    float q = 7.776033612572064e-07f;
    q = q * u + 3.285543934907764e-04f;
    q = q * u + 2.587677538394928e-02f;
    q = q * u + 4.671429693698883e-01f;
    q = q * u + 1.0f;
    const float y = cut * p / q;
    return y > 1.0f ? 1.0f : y < -1.0f ? -1.0f : y;
}

template <class R> struct Tanh {
    static constexpr bool KEEPS_OUTPUT = true;
    static DCELL_INLINE R value(R x) { return tanh_of(x); }
    static DCELL_INLINE R change(R, R y, R d) {
        const R t = tanh_of(d);
        return t * ((1 - y) * (1 + y)) / (1 + y * t);
    }
    // Where x and d saturate with opposite signs that is 0 / 0; values are far apart there.
    static DCELL_INLINE bool is_far(R y, R d) { return y * d < R(-1.4) && y * tanh_of(d) < R(-0.9); }
    static DCELL_INLINE R far_change(R x, R y, R d) { return tanh_of(x + d) - y; }
    // At y + D, of which D is kept.
    static DCELL_INLINE R slope(R, R y) { return (1 - y) * (1 + y); }
    static DCELL_INLINE R slope_at(R, R y, R D) { return (1 - (y + D)) * (1 + (y + D)); }
    static DCELL_INLINE R slope_change(R, R y, R D) { return -D * (2 * y + D); }
};

template <class R> struct Relu {
    static constexpr bool KEEPS_OUTPUT = true;
    static DCELL_INLINE R value(R x) { return x > 0 ? x : 0; }
    static DCELL_INLINE R change(R x, R, R d) {
        if (x > 0) return x + d > 0 ? d : -x;
        return x + d > 0 ? x + d : 0;
    }
    static DCELL_INLINE bool is_far(R, R) { return false; }
    static DCELL_INLINE R far_change(R x, R y, R d) { return change(x, y, d); }
    static DCELL_INLINE R slope(R, R y) { return y > 0 ? 1 : 0; }
    static DCELL_INLINE R slope_at(R, R y, R D) { return y + D > 0 ? 1 : 0; }
    static DCELL_INLINE R slope_change(R x, R y, R D) { return slope_at(x, y, D) - slope(x, y); }
};

template <class R> struct Gelu {
    static constexpr bool KEEPS_OUTPUT = false;
    static DCELL_INLINE R below(R x) { return R(0.5) * std::erfc(-x * R(0.70710678118654752440)); }
    static DCELL_INLINE R value(R x) { return x * below(x); }
    static DCELL_INLINE R change(R x, R y, R d) { return value(x + d) - y; }
    static DCELL_INLINE bool is_far(R, R) { return false; }
    static DCELL_INLINE R far_change(R x, R y, R d) { return change(x, y, d); }
    static DCELL_INLINE R slope(R x, R) {
        return below(x) + x * std::exp(R(-0.5) * x * x) * R(0.39894228040143267794);
    }
    static DCELL_INLINE R slope_at(R x, R y, R d) { return slope(x + d, y); }
    static DCELL_INLINE R slope_change(R x, R y, R d) { return slope_at(x, y, d) - slope(x, y); }
};

} // namespace dcell
