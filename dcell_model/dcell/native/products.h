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

template <class R, int N = LANES<R>> DCELL_INLINE Vector<R> load(const R *from) {
    Vector<R> v{};
    std::memcpy(&v, from, N * sizeof(R));
    return v;
}
template <class R, int N = LANES<R>> DCELL_INLINE void store(R *to, const Vector<R> &v) {
    std::memcpy(to, &v, N * sizeof(R));
}

// M rows of C, `FULL` vectors and `REST` numbers wide. A(m, k) stands at A[m * row + k * step].
template <class R, int M, int FULL, int REST, bool ADD>
DCELL_INLINE void tile(int64_t K, const R *A, int64_t row, int64_t step, const R *B, int64_t ldb, R *C,
                       int64_t ldc) {
    constexpr int L = LANES<R>, ALL = FULL + (REST > 0);
    Vector<R> sum[M][ALL];
    for (int m = 0; m < M; ++m) {
        for (int v = 0; v < FULL; ++v) sum[m][v] = ADD ? load<R>(C + m * ldc + v * L) : Vector<R>{};
        if constexpr (REST > 0) sum[m][FULL] = ADD ? load<R, REST>(C + m * ldc + FULL * L) : Vector<R>{};
    }
    for (int64_t k = 0; k < K; ++k) {
        Vector<R> b[ALL];
        for (int v = 0; v < FULL; ++v) b[v] = load<R>(B + k * ldb + v * L);
        if constexpr (REST > 0) b[FULL] = load<R, REST>(B + k * ldb + FULL * L);
        for (int m = 0; m < M; ++m) {
            const R a = A[m * row + k * step];
            for (int v = 0; v < ALL; ++v) sum[m][v] += a * b[v];
        }
    }
    for (int m = 0; m < M; ++m) {
        for (int v = 0; v < FULL; ++v) store<R>(C + m * ldc + v * L, sum[m][v]);
        if constexpr (REST > 0) store<R, REST>(C + m * ldc + FULL * L, sum[m][FULL]);
    }
}

template <class R, int FULL, int REST, bool ADD>
void panel(int64_t M, int64_t K, const R *A, int64_t row, int64_t step, const R *B, int64_t ldb, R *C,
           int64_t ldc) {
    int64_t m = 0;
    for (; m + DCELL_ROWS <= M; m += DCELL_ROWS)
        tile<R, DCELL_ROWS, FULL, REST, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    if constexpr (DCELL_ROWS > 4)
        for (; m + 4 <= M; m += 4)
            tile<R, 4, FULL, REST, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    for (; m + 2 <= M; m += 2)
        tile<R, 2, FULL, REST, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
    if (m < M) tile<R, 1, FULL, REST, ADD>(K, A + m * row, row, step, B, ldb, C + m * ldc, ldc);
}

template <class R>
using Panel = void (*)(int64_t, int64_t, const R *, int64_t, int64_t, const R *, int64_t, R *, int64_t);

// The panel of a width below 3 vectors.
template <class R, bool ADD, int WIDTH = 3 * LANES<R> - 1> Panel<R> panel_of(int64_t width) {
    if constexpr (WIDTH == 0) {
        return nullptr;
    } else {
        if (width == WIDTH) return panel<R, WIDTH / LANES<R>, WIDTH % LANES<R>, ADD>;
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
    constexpr int64_t WIDE = 3 * LANES<R>;
    int64_t n = 0;
    for (; n + WIDE <= N; n += WIDE) panel<R, 3, 0, ADD>(M, K, A, row, step, B + n, N, C + n, N);
    if (n < N) panels.of[N - n](M, K, A, row, step, B + n, N, C + n, N);
}

// The sum of a[i] b[i].
template <class R> DCELL_INLINE R dot(int64_t n, const R *a, const R *b) {
    constexpr int L = LANES<R>;
    Vector<R> sum{};
    int64_t i = 0;
    for (; i + L <= n; i += L) sum += load<R>(a + i) * load<R>(b + i);
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
