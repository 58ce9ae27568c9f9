//! What models say of a piece of data.

use soma_api::{ModelScoreView, ScoreResponse};
use soma_model::Evaluation;
use soma_targets::cosine_distance;
use soma_types::embedding::Loss;
use soma_types::{Checksum, Distance, Embedding};

use crate::source::ModelKey;

/// What one model says.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelScore {
    /// The weights.
    pub key: ModelKey,
    /// Loss, bits per byte and embedding; hostile weights can make them infinite or NaN.
    pub evaluation: Evaluation,
}

impl ModelScore {
    /// The embedding as the chain takes it; none when it has no direction.
    pub fn embedding(&self) -> Option<Embedding> {
        Embedding::from_f32(&self.evaluation.embedding).ok()
    }

    /// Distance of the embedding to `target`, as the chain computes it.
    pub fn distance_to(&self, target: &Embedding) -> Option<Distance> {
        cosine_distance(&self.embedding()?, target).ok()
    }

    /// The score as services send it.
    pub fn view(&self, target: Option<&Embedding>) -> ModelScoreView {
        let finite = |value: f64| value.is_finite().then_some(value);
        let embedding = self.embedding();
        let distance = target.and_then(|target| self.distance_to(target));
        ModelScoreView {
            loss: finite(self.evaluation.loss),
            loss_fixed: Loss::from_f64(self.evaluation.loss).map(|loss| loss.0),
            bits_per_byte: finite(self.evaluation.bits_per_byte),
            embedding: embedding.as_ref().map(Embedding::to_f32),
            distance: distance.map(Distance::to_f64),
            distance_fixed: distance.map(|distance| distance.0),
        }
    }
}

/// What all models of a request say of one piece of data, in the request's order.
#[derive(Clone, Debug, PartialEq)]
pub struct PieceScores(pub Vec<ModelScore>);

impl PieceScores {
    /// Place of the model with the lowest finite loss. Equal losses are decided by the weights'
    /// key, so that the order of the request decides nothing.
    pub fn winner(&self) -> Option<usize> {
        let scores = self.0.iter().enumerate();
        let finite = scores.filter(|(_, score)| score.evaluation.loss.is_finite());
        finite
            .min_by(|(_, a), (_, b)| {
                let by_loss = a.evaluation.loss.total_cmp(&b.evaluation.loss);
                by_loss.then(a.key.cmp(&b.key))
            })
            .map(|(place, _)| place)
    }

    /// The scores as services send them.
    pub fn response(&self, data: DataName, target: Option<&Embedding>) -> ScoreResponse {
        ScoreResponse {
            winner: self.winner(),
            models: self.0.iter().map(|score| score.view(target)).collect(),
            data_checksum: data.checksum,
            data_size: data.size,
        }
    }
}

/// Names a piece of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataName {
    /// SHA3-256 of it.
    pub checksum: Checksum,
    /// Its size in bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(key: u8, loss: f64) -> ModelScore {
        ModelScore {
            key: ModelKey([key; 32]),
            evaluation: Evaluation {
                loss,
                embedding: vec![1.0, 0.0],
                bits_per_byte: 1.0,
                batches: Vec::new(),
            },
        }
    }

    #[test]
    fn the_lowest_finite_loss_wins_whatever_the_order() {
        let mut scores = vec![
            score(1, f64::NAN),
            score(2, 2.0),
            score(3, 1.0),
            score(4, 1.0),
        ];
        let winner = |scores: &[ModelScore]| {
            let place = PieceScores(scores.to_vec()).winner();
            place.map(|place| scores[place].key)
        };
        assert_eq!(winner(&scores), Some(ModelKey([3; 32])));
        scores.reverse();
        assert_eq!(winner(&scores), Some(ModelKey([3; 32])));
        assert_eq!(winner(&[score(1, f64::NAN), score(2, f64::INFINITY)]), None);
    }

    #[test]
    fn what_is_not_finite_is_absent_from_answers() {
        let mut odd = score(1, f64::INFINITY);
        odd.evaluation.embedding = vec![f32::NAN, 0.0];
        let target = Embedding::from_f32(&[1.0, 0.0]).unwrap();
        let view = odd.view(Some(&target));
        assert_eq!(
            (view.loss, view.loss_fixed, view.embedding),
            (None, None, None)
        );
        assert_eq!(view.distance, None);
        let view = score(1, 1.5).view(Some(&target));
        assert_eq!((view.loss, view.distance_fixed), (Some(1.5), Some(0)));
    }
}
