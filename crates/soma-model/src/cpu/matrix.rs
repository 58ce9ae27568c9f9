//! Products of parts of matrices, by the `gemm` crate.
#![allow(unsafe_code)]

use gemm::Parallelism;

/// A part of a matrix, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Part<'a> {
    /// `rows` rows of `columns` numbers that lie `stride` apart, the first at the beginning of
    /// `values`.
    ///
    /// # Panics
    /// When the last row would end after `values`.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), rows, columns, stride);
        Self {
            values,
            rows,
            columns,
            row_stride: stride,
            column_stride: 1,
        }
    }

    /// The same numbers with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

fn check(len: usize, rows: usize, columns: usize, stride: usize) {
    let end = rows
        .checked_sub(1)
        .map_or(0, |last| last * stride + columns);
    assert!(
        end <= len,
        "{rows} rows of {columns}, {stride} apart, end after {len} numbers"
    );
    assert!(columns <= stride || rows <= 1, "rows overlap");
}

/// What becomes of the numbers that are in the result already.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Old {
    /// The product takes their place.
    Replaced,
    /// The product is added to them.
    Kept,
}

/// `scale` · `left` · `right` to `out`, on this thread. Rows of `out` lie `stride` numbers apart.
///
/// # Panics
/// When the sizes do not fit.
pub(super) fn product(
    out: &mut [f32],
    stride: usize,
    old: Old,
    left: Part<'_>,
    right: Part<'_>,
    scale: f32,
) {
    assert_eq!(left.columns, right.rows, "inner sizes differ");
    check(out.len(), left.rows, right.columns, stride);
    if left.rows == 0 || right.columns == 0 {
        return;
    }
    // SAFETY: `check` held for all three matrices (a transposed part reads what the part reads), so
    // every element that `gemm` touches (rows × columns with these strides) lies within its slice;
    // `out` is borrowed mutably, so it overlaps neither factor; its old values are initialised.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.as_mut_ptr(),
            1,
            stride as isize,
            old == Old::Kept,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_matrices_are_multiplied() {
        // [1 2; 3 4] with a stride of 3, times [5 6; 7 8], with transposes.
        let (left, right) = ([1.0, 2.0, 9.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let left = Part::new(&left, 2, 2, 3);
        let right = Part::new(&right, 2, 2, 2);
        let mut out = [-1.0; 5];
        product(&mut out, 3, Old::Replaced, left, right, 1.0);
        assert_eq!(out, [19.0, 22.0, -1.0, 43.0, 50.0]);
        product(&mut out, 3, Old::Replaced, left, right.transposed(), 2.0);
        assert_eq!(out, [34.0, 46.0, -1.0, 78.0, 106.0]);
        product(&mut out, 3, Old::Kept, left.transposed(), right, 1.0);
        assert_eq!(out, [60.0, 76.0, -1.0, 116.0, 150.0]);
    }

    #[test]
    fn parts_that_are_not_square_are_transposed() {
        // [1 2 3] as a column, times [4 5].
        let (left, right) = ([1.0, 2.0, 3.0], [4.0, 5.0]);
        let (left, right) = (Part::new(&left, 1, 3, 3), Part::new(&right, 1, 2, 2));
        let mut out = [0.0; 6];
        product(&mut out, 2, Old::Replaced, left.transposed(), right, 1.0);
        assert_eq!(out, [4.0, 5.0, 8.0, 10.0, 12.0, 15.0]);
    }

    #[test]
    #[should_panic(expected = "end after 4 numbers")]
    fn a_part_beyond_the_slice_is_refused() {
        Part::new(&[0.0; 4], 2, 2, 3);
    }
}
