//! A direction in the space of an embedding model.

use std::sync::Arc;

/// More dimensions than any model has that is in use.
const MAX_DIMENSIONS: usize = 8_192;

/// So many sums at a time, so that the compiler may use wide registers.
const LANES: usize = 8;

/// Of unit length.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(Arc<[f32]>);

// === impl Vector ===

impl Vector {
    /// `None` for what has no direction.
    pub fn new(mut numbers: Vec<f32>) -> Option<Self> {
        if numbers.len() > MAX_DIMENSIONS {
            return None;
        }
        let length = numbers.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>().sqrt();
        if !length.is_normal() {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a part of a length of one is no large number"
        )]
        for number in &mut numbers {
            *number = (f64::from(*number) / length) as f32;
        }
        Some(Self(numbers.into()))
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        rest.is_empty()
            .then(|| numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
            .and_then(Self::new)
    }

    pub fn to_bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes())
    }

    /// The cosine of the angle between the two; nothing between vectors of different models, as far as they have
    /// different dimensions.
    pub fn similarity(&self, other: &Self) -> Option<f64> {
        let (one, other) = (&*self.0, &*other.0);
        if one.len() != other.len() {
            return None;
        }
        let mut sums = [0.0_f32; LANES];
        let (ones, one_rest) = one.as_chunks::<LANES>();
        let (others, other_rest) = other.as_chunks::<LANES>();
        for (one, other) in ones.iter().zip(others) {
            for lane in 0..LANES {
                sums[lane] += one[lane] * other[lane];
            }
        }
        let rest: f32 = one_rest
            .iter()
            .zip(other_rest)
            .map(|(one, other)| one * other)
            .sum();
        Some(f64::from(sums.iter().sum::<f32>() + rest).clamp(-1.0, 1.0))
    }

    pub fn size(&self) -> usize {
        self.0.len() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn similarity(one: &[f32], other: &[f32]) -> Option<f64> {
        let vector = |numbers: &[f32]| Vector::new(numbers.to_vec()).unwrap();
        vector(one).similarity(&vector(other))
    }

    #[test]
    fn only_the_direction_counts() {
        for (one, other, expected) in [
            (&[3.0, 4.0][..], &[30.0, 40.0][..], Some(1.0)),
            (&[1.0, 0.0], &[0.0, 2.0], Some(0.0)),
            (&[1.0, 1.0], &[-1.0, -1.0], Some(-1.0)),
            (&[1.0, 0.0], &[1.0, 1.0], Some(std::f64::consts::FRAC_1_SQRT_2)),
            (&[1.0], &[1.0, 0.0], None),
        ] {
            let found = similarity(one, other);
            let difference = found
                .zip(expected)
                .map_or(0.0, |(found, expected)| found - expected);
            assert_eq!(found.is_some(), expected.is_some());
            assert!(difference.abs() < 1e-6, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn what_has_no_direction_is_no_vector() {
        for numbers in [
            vec![],
            vec![0.0; 3],
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY, 1.0],
            vec![1.0; MAX_DIMENSIONS + 1],
        ] {
            assert_eq!(Vector::new(numbers), None);
        }
        assert_eq!(Vector::from_bytes(&[0, 0, 128, 63, 0]), None);
    }

    proptest! {
        #[test]
        fn a_vector_can_be_written_down(numbers in prop::collection::vec(-1.0f32..1.0, 1..40)) {
            prop_assume!(numbers.iter().any(|number| number.abs() > 1e-3));
            let vector = Vector::new(numbers).unwrap();
            let bytes: Vec<u8> = vector.to_bytes().collect();
            let read = Vector::from_bytes(&bytes).unwrap();
            prop_assert!(vector.similarity(&read).unwrap() > 1.0 - 1e-5);
            prop_assert_eq!(bytes.len(), vector.size());
        }
    }
}
