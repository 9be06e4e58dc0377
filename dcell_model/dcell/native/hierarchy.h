// The hierarchy, a batch's columns and the flat parameters, as Python hands them over.
//
// Terms are named by rank (dcell_model/dcell/ranks.py: by width, then in row order). An
// edge is named by its number; edges are sorted by their child. Arrays belong to the caller.

#pragma once

#include <cstdint>

extern "C" {

struct Hierarchy {
    int32_t terms, edges, genes, strata;
    const int32_t *width;          // [T]
    const int32_t *term;           // [T] index of the term, as heads have it
    const int32_t *stratum;        // [T]
    const int64_t *row;            // [T] first neuron among all rows
    const int32_t *rank_of_place;  // [T] ranks in row order: parents before children
    const int64_t *first_gene;     // [T] first of the term's flat gene weights
    const int32_t *direct_genes;   // [T]
    const int64_t *first_second;   // [T] first of the term's flat second-layer weights
    const int32_t *edge_child;     // [E]
    const int32_t *edge_parent;    // [E]
    const int64_t *edge_weight;    // [E] first of the edge's [child width, width] flat weights
    const int32_t *edges_up;       // [T + 1] edges from each child
    const int32_t *edges_down;     // [T + 1] edges to each parent begin here in `down`
    const int32_t *down;           // [E] edges by parent, children in index order
    const int64_t *touched_starts; // [G + 1] terms that each gene touches
    const int32_t *touched_ranks;  // [.] ascending
    const int64_t *direct_starts;  // [G + 1] direct annotations of each gene
    const int32_t *direct_ranks;   // [M] ascending
    const int64_t *direct_weight;  // [M] first of the pair's flat gene weights
};

// A column is a term and a set of deleted genes below it. Columns are sorted by rank; inside a
// term, links and changes name them from 0 on.
struct Columns {
    const int64_t *starts;        // [T + 1] columns of each rank
    const int32_t *count;         // [C] samples that share the column
    const int64_t *entry_starts;  // [T + 1] (term, sample) pairs of each rank
    const int64_t *link_starts;   // [E + 1] links of each edge
    const int32_t *link_parent;   // [L] ascending
    const int32_t *link_child;    // [L]
    const int64_t *change_starts; // [T + 1]
    const int32_t *change_column; // [X]
    const int64_t *change_weight; // [X] first of the flat gene weights of the deleted gene
    const double *change_size;    // [X] 1 less the gene's state; null: every deleted gene is in state 0
};

// What one program of a GPU takes of a matrix product: so many rows and so many neurons.
struct Tiling {
    int32_t rows, neurons;
};

struct Settings {
    int32_t activation;     // 0 tanh, 1 relu, 2 gelu
    int32_t norm;           // 0 none, 1 batch, 2 layer
    int32_t norm_first;     // 1: norm, then activation
    int32_t layers;         // 1 or 2
    int32_t disruption;     // 1: deleted genes are 1, others 0; 0: the other way round
    int32_t training;
    int32_t phenotypes;     // P
    int32_t known;          // 1: `first` holds the wild type's pre-activations already
    int32_t keep_inputs;    // 1: X (of two layers: Y) keeps what goes into the first activation
    int32_t threads;
    int64_t samples;        // B
};

// Genotypes that others are combined of, with their columns at the terms that each touches.
struct Units {
    const int64_t *starts; // [U + 1]
    const int32_t *places; // [N] of each unit in row order, descending: children before parents
    const int64_t *offset; // [N] where the column begins in the tables
    const void *d, *D;     // tables: first pre-activations and outputs, less the wild type's
};
}
