// C (+)= A B for the small matrices of subsystems, with the row of C in registers.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Bytes of a vector, and rows of a tile: what the registers of an instruction set hold.
#if defined(__AVX512VL__)
#define DCELL_VECTOR 32
#define DCELL_ROWS 8
#elif defined(__AVX2__)
#define DCELL_VECTOR 32
#define DCELL_ROWS 4
#else
#define DCELL_VECTOR 16
#define DCELL_ROWS 4
#endif

#define DCELL_INLINE inline __attribute__((always_inline))

namespace dcell {

template <class R> struct VectorOf;
template <> struct VectorOf<float> {
    typedef float type __attribute__((vector_size(DCELL_VECTOR)));
};
template <> struct VectorOf<double> {
    typedef double type __attribute__((vector_size(DCELL_VECTOR)));
};
template <class R> using Vector = typename VectorOf<R>::type;
template <class R> constexpr int LANES = DCELL_VECTOR / sizeof(R);

template <class R> struct HalfOf;
template <> struct HalfOf<float> {
    typedef float type __attribute__((vector_size(DCELL_VECTOR / 2)));
};
template <> struct HalfOf<double> {
    typedef double type __attribute__((vector_size(DCELL_VECTOR / 2)));
};
template <class R> using Half = typename HalfOf<R>::type;
// Vectors of 8 bytes are none: SSE's rest is numbers.
template <class R> constexpr int HALF = DCELL_VECTOR == 32 ? LANES<R> / 2 : LANES<R>;

template <class V, class R> DCELL_INLINE V load(const R *from) {
    V v;
    std::memcpy(&v, from, sizeof(V));
    return v;
}
template <class V, class R> DCELL_INLINE void store(R *to, const V &v) { std::memcpy(to, &v, sizeof(V)); }

// M rows of C: `FULL` vectors, half a vector or none, and `ONES` numbers wide. A(m, k) stands at
// A[m * row + k * step].
template <class R, int M, int FULL, bool WITH_HALF, int ONES, bool ADD>
DCELL_INLINE void tile(int64_t K, const R *A, int64_t row, int64_t step, const R *B, int64_t ldb, R *C,
                       int64_t ldc) {
    using V = Vector<R>;
    using H = Half<R>;
    constexpr int AT_HALF = FULL * LANES<R>, AT_ONES = AT_HALF + WITH_HALF * HALF<R>;
    V sum[M][FULL + 1];
    H half[M];
    R ones[M][ONES + 1];
    for (int m = 0; m < M; ++m) {
        const R *c = C + m * ldc;
        for (int v = 0; v < FULL; ++v) sum[m][v] = ADD ? load<V>(c + v * LANES<R>) : V{};
        if constexpr (WITH_HALF) half[m] = ADD ? load<H>(c + AT_HALF) : H{};
        for (int i = 0; i < ONES; ++i) ones[m][i] = ADD ? c[AT_ONES + i] : R(0);
    }
    for (int64_t k = 0; k < K; ++k) {
        const R *b = B + k * ldb;
        V full[FULL + 1];
        H of_half;
        for (int v = 0; v < FULL; ++v) full[v] = load<V>(b + v * LANES<R>);
        if constexpr (WITH_HALF) of_half = load<H>(b + AT_HALF);
        for (int m = 0; m < M; ++m) {
            const R a = A[m * row + k * step];
            for (int v = 0; v < FULL; ++v) sum[m][v] += a * full[v];
            if constexpr (WITH_HALF) half[m] += a * of_half;
            for (int i = 0; i < ONES; ++i) ones[m][i] += a * b[AT_ONES + i];
        }
    }
    for (int m = 0; m < M; ++m) {
        R *c = C + m * ldc;
        for (int v = 0; v < FULL; ++v) store(c + v * LANES<R>, sum[m][v]);
        if constexpr (WITH_HALF) store(c + AT_HALF, half[m]);
        for (int i = 0; i < ONES; ++i) c[AT_ONES + i] = ones[m][i];
    }
}

template <class R, int WIDTH, bool ADD>
void panel(int64_t M, int64_t K, const R *A, int64_t row, int64_t step, const R *B, int64_t ldb, R *C,
           int64_t ldc) {
    constexpr int FULL = WIDTH / LANES<R>, REST = WIDTH % LANES<R>;
    constexpr bool WITH_HALF = REST >= HALF<R>;
    constexpr int ONES = REST - WITH_HALF * HALF<R>;
    int64_t m = 0;
    for (; m + DCELL_ROWS <= M; m += DCELL_ROWS)
        tile<R, DCELL_ROWS, FULL, WITH_HALF, ONES, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    if constexpr (DCELL_ROWS > 4)
        for (; m + 4 <= M; m += 4)
            tile<R, 4, FULL, WITH_HALF, ONES, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    for (; m + 2 <= M; m += 2)
        tile<R, 2, FULL, WITH_HALF, ONES, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    if (m < M) tile<R, 1, FULL, WITH_HALF, ONES, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
}

template <class R>
using Panel = void (*)(int64_t, int64_t, const R *, int64_t, int64_t, const R *, int64_t, R *, int64_t);

// The panel of a width below 3 vectors.
template <class R, bool ADD, int WIDTH = 3 * LANES<R> - 1> Panel<R> panel_of(int64_t width) {
    if constexpr (WIDTH == 0) {
        return nullptr;
    } else {
        if (width == WIDTH) return panel<R, WIDTH, ADD>;
        return panel_of<R, ADD, WIDTH - 1>(width);
    }
}

template <class R, bool ADD> struct Panels {
    Panel<R> of[3 * LANES<R>];
    Panels() {
        for (int width = 0; width < 3 * LANES<R>; ++width) of[width] = panel_of<R, ADD>(width);
    }
};

// C[M, N] (+)= A B, B[K, N] and C with N numbers a row.
template <class R, bool ADD>
void product(int64_t M, int64_t N, int64_t K, const R *A, int64_t row, int64_t step, const R *B, R *C) {
    static const Panels<R, ADD> panels;
    constexpr int WIDE = 3 * LANES<R>;
    int64_t n = 0;
    for (; n + WIDE <= N; n += WIDE) panel<R, WIDE, ADD>(M, K, A, row, step, B + n, N, C + n, N);
    if (n < N) panels.of[N - n](M, K, A, row, step, B + n, N, C + n, N);
}

// The sum of a[i] b[i].
template <class R> DCELL_INLINE R dot(int64_t n, const R *a, const R *b) {
    constexpr int L = LANES<R>;
    Vector<R> sum{};
    int64_t i = 0;
    for (; i + L <= n; i += L) sum += load<Vector<R>>(a + i) * load<Vector<R>>(b + i);
    R total = 0;
    for (int l = 0; l < L; ++l) total += sum[l];
    for (; i < n; ++i) total += a[i] * b[i];
    return total;
}

// The transpose of from[rows, columns].
template <class R> void transpose(int64_t rows, int64_t columns, const R *from, R *to) {
    int64_t i = 0;
#if defined(__clang__) || __GNUC__ >= 12
    if constexpr (sizeof(R) == 4) { // blocks of 4 by 4 in registers
        typedef float Four __attribute__((vector_size(16)));
        for (; i + 4 <= rows; i += 4) {
            int64_t j = 0;
            for (; j + 4 <= columns; j += 4) {
                Four a, b, c, d;
                std::memcpy(&a, from + i * columns + j, 16);
                std::memcpy(&b, from + (i + 1) * columns + j, 16);
                std::memcpy(&c, from + (i + 2) * columns + j, 16);
                std::memcpy(&d, from + (i + 3) * columns + j, 16);
                const Four e = __builtin_shufflevector(a, b, 0, 4, 1, 5);
                const Four f = __builtin_shufflevector(c, d, 0, 4, 1, 5);
                const Four g = __builtin_shufflevector(a, b, 2, 6, 3, 7);
                const Four h = __builtin_shufflevector(c, d, 2, 6, 3, 7);
                const Four out[4] = {
                    __builtin_shufflevector(e, f, 0, 1, 4, 5), __builtin_shufflevector(e, f, 2, 3, 6, 7),
                    __builtin_shufflevector(g, h, 0, 1, 4, 5), __builtin_shufflevector(g, h, 2, 3, 6, 7)};
                for (int k = 0; k < 4; ++k) std::memcpy(to + (j + k) * rows + i, &out[k], 16);
            }
            for (; j < columns; ++j)
                for (int64_t k = i; k < i + 4; ++k) to[j * rows + k] = from[k * columns + j];
        }
    }
#endif
    for (; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

} // namespace dcell
