//! Coarse dot products of a few models with a few directions: exact integer sums, so every path
//! gives the same numbers.

use crate::coarse::{ModelChunk, QueryChunk};

/// Models of a tile.
pub(crate) const MODELS: usize = 4;
/// Directions of a tile.
pub(crate) const QUERIES: usize = 4;

/// Dot products of one tile: by model, then direction.
pub(crate) type Tile = [[i32; QUERIES]; MODELS];

/// The widest instructions that the CPU has, found once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    /// 512-bit vectors, multiplied and added up in one instruction.
    #[cfg(target_arch = "x86_64")]
    V4Vnni(x86::Vnni, pulp::x86::V4),
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    /// 256-bit vectors.
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    /// What the compiler makes of plain loops.
    Portable,
}

impl Kernel {
    /// The best kernel of this CPU.
    pub(crate) fn best() -> Self {
        Self::all().into_iter().next().unwrap_or(Self::Portable)
    }

    /// All kernels that this CPU can run, the best first.
    pub(crate) fn all() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let v4 = pulp::x86::V4::try_new();
            let vnni = x86::Vnni::try_new();
            kernels.extend(vnni.zip(v4).map(|(vnni, v4)| Self::V4Vnni(vnni, v4)));
            kernels.extend(v4.map(Self::V4));
            kernels.extend(pulp::x86::V3::try_new().map(Self::V3));
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// Dot products of up to four models with up to four directions, all of the same number of
    /// chunks. Absent rows repeat present ones; their products are for the caller to ignore.
    pub(crate) fn tile(
        self,
        models: [&[ModelChunk]; MODELS],
        queries: [&[QueryChunk]; QUERIES],
    ) -> Tile {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4Vnni(vnni, simd) => vnni.vectorize(x86::V4Tile {
                simd,
                models,
                queries,
            }),
            #[cfg(target_arch = "x86_64")]
            Self::V4(simd) => simd.vectorize(x86::V4Tile {
                simd,
                models,
                queries,
            }),
            #[cfg(target_arch = "x86_64")]
            Self::V3(simd) => simd.vectorize(x86::V3Tile {
                simd,
                models,
                queries,
            }),
            Self::Portable => portable(models, queries),
        }
    }

    /// Dot products of four models with one direction.
    pub(crate) fn column(
        self,
        models: [&[ModelChunk]; MODELS],
        query: &[QueryChunk],
    ) -> [i32; MODELS] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4Vnni(_, simd) | Self::V4(simd) => simd.vectorize(x86::V4Column {
                simd,
                models,
                query,
            }),
            #[cfg(target_arch = "x86_64")]
            Self::V3(simd) => simd.vectorize(x86::V3Column {
                simd,
                models,
                query,
            }),
            Self::Portable => models.map(|model| portable_dot(model, query)),
        }
    }
}

fn portable(models: [&[ModelChunk]; MODELS], queries: [&[QueryChunk]; QUERIES]) -> Tile {
    models.map(|model| queries.map(|query| portable_dot(model, query)))
}

fn portable_dot(model: &[ModelChunk], query: &[QueryChunk]) -> i32 {
    let mut sum = 0i32;
    for (model, query) in model.iter().zip(query) {
        for (a, b) in model.iter().zip(query) {
            sum = sum.wrapping_add(i32::from(*a) * i32::from(*b));
        }
    }
    sum
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, __m512i};

    use pulp::x86::{V3, V4};
    use pulp::{NullaryFnOnce, cast};

    use super::{MODELS, QUERIES, Tile};
    use crate::coarse::{ModelChunk, QueryChunk};

    pulp::simd_type! {
        /// What a multiply-and-add of 512-bit vectors in one instruction needs.
        pub(crate) struct Vnni {
            avx2: "avx2",
            avx512f: "avx512f",
            avx512bw: "avx512bw",
            avx512dq: "avx512dq",
            avx512vl: "avx512vl",
            avx512vnni: "avx512vnni",
        }
    }

    fn sum<const N: usize>(lanes: [i32; N]) -> i32 {
        lanes.iter().fold(0, |sum, lane| sum.wrapping_add(*lane))
    }

    pub(super) struct V4Tile<'a> {
        pub(super) simd: V4,
        pub(super) models: [&'a [ModelChunk]; MODELS],
        pub(super) queries: [&'a [QueryChunk]; QUERIES],
    }

    impl NullaryFnOnce for V4Tile<'_> {
        type Output = Tile;

        // Plain loops: a closure would not be compiled for this instruction set.
        #[inline(always)]
        fn call(self) -> Tile {
            let Self {
                simd,
                models,
                queries,
            } = self;
            let zero = simd.avx512f._mm512_setzero_si512();
            let mut sums = [[zero; QUERIES]; MODELS];
            let chunks = models[0].len();
            let (mut models, mut queries) = (models, queries);
            for row in &mut models {
                *row = &row[..chunks];
            }
            for row in &mut queries {
                *row = &row[..chunks];
            }
            for chunk in 0..chunks {
                let mut right = [zero; QUERIES];
                for (right, query) in right.iter_mut().zip(queries) {
                    *right = cast::<QueryChunk, __m512i>(query[chunk]);
                }
                for (sums, model) in sums.iter_mut().zip(models) {
                    let narrow = cast::<ModelChunk, __m256i>(model[chunk]);
                    let left = simd.avx512bw._mm512_cvtepi8_epi16(narrow);
                    for (sum, right) in sums.iter_mut().zip(right) {
                        let products = simd.avx512bw._mm512_madd_epi16(left, right);
                        *sum = simd.avx512f._mm512_add_epi32(*sum, products);
                    }
                }
            }
            let mut tile = [[0; QUERIES]; MODELS];
            for (row, sums) in tile.iter_mut().zip(sums) {
                for (dot, lanes) in row.iter_mut().zip(sums) {
                    *dot = simd.avx512f._mm512_reduce_add_epi32(lanes);
                }
            }
            tile
        }
    }

    pub(super) struct V4Column<'a> {
        pub(super) simd: V4,
        pub(super) models: [&'a [ModelChunk]; MODELS],
        pub(super) query: &'a [QueryChunk],
    }

    impl NullaryFnOnce for V4Column<'_> {
        type Output = [i32; MODELS];

        /// One model after the other, so that memory is read in one stream.
        #[inline(always)]
        fn call(self) -> [i32; MODELS] {
            let Self {
                simd,
                models,
                query,
            } = self;
            let mut dots = [0; MODELS];
            // Plain loops: a closure would not be compiled for this instruction set.
            for (dot, model) in dots.iter_mut().zip(models) {
                let mut even = simd.avx512f._mm512_setzero_si512();
                let mut odd = even;
                let (pairs, rest) = query.as_chunks::<2>();
                let (model_pairs, model_rest) = model.as_chunks::<2>();
                for (model, query) in model_pairs.iter().zip(pairs) {
                    let left = simd.avx512bw._mm512_cvtepi8_epi16(cast(model[0]));
                    let products = simd.avx512bw._mm512_madd_epi16(left, cast(query[0]));
                    even = simd.avx512f._mm512_add_epi32(even, products);
                    let left = simd.avx512bw._mm512_cvtepi8_epi16(cast(model[1]));
                    let products = simd.avx512bw._mm512_madd_epi16(left, cast(query[1]));
                    odd = simd.avx512f._mm512_add_epi32(odd, products);
                }
                for (model, query) in model_rest.iter().zip(rest) {
                    let left = simd.avx512bw._mm512_cvtepi8_epi16(cast(*model));
                    let products = simd.avx512bw._mm512_madd_epi16(left, cast(*query));
                    even = simd.avx512f._mm512_add_epi32(even, products);
                }
                let both = simd.avx512f._mm512_add_epi32(even, odd);
                *dot = simd.avx512f._mm512_reduce_add_epi32(both);
            }
            dots
        }
    }

    #[inline(always)]
    fn wide(simd: V3, chunk: ModelChunk) -> [__m256i; 2] {
        let [low, high] = cast::<ModelChunk, [std::arch::x86_64::__m128i; 2]>(chunk);
        [
            simd.avx2._mm256_cvtepi8_epi16(low),
            simd.avx2._mm256_cvtepi8_epi16(high),
        ]
    }

    #[inline(always)]
    fn step(simd: V3, total: __m256i, left: [__m256i; 2], right: QueryChunk) -> __m256i {
        let [low, high] = cast::<QueryChunk, [__m256i; 2]>(right);
        let low = simd.avx2._mm256_madd_epi16(left[0], low);
        let high = simd.avx2._mm256_madd_epi16(left[1], high);
        let both = simd.avx2._mm256_add_epi32(low, high);
        simd.avx2._mm256_add_epi32(total, both)
    }

    pub(super) struct V3Tile<'a> {
        pub(super) simd: V3,
        pub(super) models: [&'a [ModelChunk]; MODELS],
        pub(super) queries: [&'a [QueryChunk]; QUERIES],
    }

    impl NullaryFnOnce for V3Tile<'_> {
        type Output = Tile;

        #[inline(always)]
        fn call(self) -> Tile {
            let Self {
                simd,
                models,
                queries,
            } = self;
            let mut tile = [[0; QUERIES]; MODELS];
            // Two models at a time: eight sums, which the 16 registers hold.
            for (models, tile) in models.chunks_exact(2).zip(tile.chunks_exact_mut(2)) {
                let mut sums = [[simd.avx._mm256_setzero_si256(); QUERIES]; 2];
                for chunk in 0..models[0].len() {
                    let left = [wide(simd, models[0][chunk]), wide(simd, models[1][chunk])];
                    for (index, query) in queries.iter().enumerate() {
                        sums[0][index] = step(simd, sums[0][index], left[0], query[chunk]);
                        sums[1][index] = step(simd, sums[1][index], left[1], query[chunk]);
                    }
                }
                for (row, sums) in tile.iter_mut().zip(sums) {
                    *row = sums.map(|lanes| sum(cast::<__m256i, [i32; 8]>(lanes)));
                }
            }
            tile
        }
    }

    pub(super) struct V3Column<'a> {
        pub(super) simd: V3,
        pub(super) models: [&'a [ModelChunk]; MODELS],
        pub(super) query: &'a [QueryChunk],
    }

    impl NullaryFnOnce for V3Column<'_> {
        type Output = [i32; MODELS];

        #[inline(always)]
        fn call(self) -> [i32; MODELS] {
            let Self {
                simd,
                models,
                query,
            } = self;
            let mut dots = [0; MODELS];
            for (dot, model) in dots.iter_mut().zip(models) {
                let mut total = simd.avx._mm256_setzero_si256();
                for (model, query) in model.iter().zip(query) {
                    total = step(simd, total, wide(simd, *model), *query);
                }
                *dot = sum(cast::<__m256i, [i32; 8]>(total));
            }
            dots
        }
    }
}
