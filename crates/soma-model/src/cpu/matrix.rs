//! Products of parts of matrices, by the `gemm` crate.
#![allow(unsafe_code)]

use gemm::Parallelism;

/// A part of a matrix: rows that lie `stride` numbers apart.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Part<'a> {
    /// `rows` rows of `columns` numbers, the first at the beginning of `values`.
    ///
    /// # Panics
    /// When the last row would end after `values`.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), rows, columns, stride);
        Self {
            values,
            rows,
            columns,
            stride,
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

/// How the right factor is read.
#[derive(Clone, Copy)]
pub(super) enum Right {
    /// As it is.
    Plain,
    /// Transposed.
    Transposed,
}

/// `out` = `scale` · `left` · `right`, on this thread. Rows of `out` lie `stride` numbers apart.
///
/// # Panics
/// When the sizes do not fit.
pub(super) fn product(
    out: &mut [f32],
    stride: usize,
    left: Part<'_>,
    right: Part<'_>,
    orientation: Right,
    scale: f32,
) {
    let stride_of = |part: &Part<'_>| part.stride as isize;
    let (inner, columns, right_column, right_row) = match orientation {
        Right::Plain => (right.rows, right.columns, 1, stride_of(&right)),
        Right::Transposed => (right.columns, right.rows, stride_of(&right), 1),
    };
    assert_eq!(left.columns, inner, "inner sizes differ");
    check(out.len(), left.rows, columns, stride);
    if left.rows == 0 || columns == 0 {
        return;
    }
    // SAFETY: `check` held for all three matrices, so every element that `gemm` reads or writes
    // (rows × columns with these strides) lies within its slice; `out` is borrowed mutably, so it
    // overlaps neither factor; the old values of `out` are not read (`read_dst` is false).
    unsafe {
        gemm::gemm(
            left.rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            stride as isize,
            false,
            left.values.as_ptr(),
            1,
            stride_of(&left),
            right.values.as_ptr(),
            right_column,
            right_row,
            0.0,
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
        // [1 2; 3 4] with a stride of 3, times [5 6; 7 8] and its transpose.
        let (left, right) = ([1.0, 2.0, 9.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let left = Part::new(&left, 2, 2, 3);
        let right = Part::new(&right, 2, 2, 2);
        let mut out = [-1.0; 5];
        product(&mut out, 3, left, right, Right::Plain, 1.0);
        assert_eq!(out, [19.0, 22.0, -1.0, 43.0, 50.0]);
        product(&mut out, 3, left, right, Right::Transposed, 2.0);
        assert_eq!(out, [34.0, 46.0, -1.0, 78.0, 106.0]);
    }

    #[test]
    #[should_panic(expected = "end after 4 numbers")]
    fn a_part_beyond_the_slice_is_refused() {
        Part::new(&[0.0; 4], 2, 2, 3);
    }
}
