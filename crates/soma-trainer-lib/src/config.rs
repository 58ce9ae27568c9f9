//! How weights are trained.

use std::fmt;

use serde::{Deserialize, Serialize};
use soma_model::{ConfigError, Device, ModelConfig};

/// All that decides the weights beside the data and the start, and how often to save and evaluate.
///
/// The defaults are those of the network's published training code: Adam with a rate of 1e-4, two
/// sequences at a time and 64 times that for a step, dropout of a tenth.
///
/// ```
/// use soma_trainer::TrainConfig;
///
/// let config = TrainConfig { preset: "mini".to_owned(), steps: 500, ..Default::default() };
/// assert_eq!(config.check()?.embedding_dim, 128);
/// assert_eq!(config.sequences_per_step(), 128);
/// # Ok::<(), soma_trainer::BadConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The model's size by name: see [`ModelConfig::presets`].
    pub preset: String,
    /// Where it is computed: see [`Device`].
    #[serde(with = "by_name")]
    pub device: Device,
    /// Decides random first weights, dropout and the noise of SIGReg.
    pub seed: u64,
    /// Steps to train, those before a resume included.
    pub steps: u64,
    /// Sequences that are on the device at a time.
    pub micro_batch: usize,
    /// Micro-batches whose gradients are added for a step.
    pub accumulation: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises in a line to the highest.
    pub warm_up_steps: u64,
    /// The rate after that.
    pub schedule: Schedule,
    /// Decay of the mean of gradients.
    pub beta_1: f32,
    /// Decay of the mean of squared gradients.
    pub beta_2: f32,
    /// Added to the root of the mean of squares.
    pub epsilon: f32,
    /// Part of every weight that is taken away in a step, times the rate.
    pub weight_decay: f32,
    /// The largest norm of all gradients together; larger ones are scaled down to it.
    pub clip_norm: Option<f64>,
    /// Part of the numbers that dropout sets to 0.
    pub dropout: f64,
    /// Steps between evaluations; 0 for none.
    pub evaluate_every: u64,
    /// Evaluations without a better loss after which training ends.
    pub patience: Option<u32>,
    /// Steps between checkpoints; 0 for one at the end alone.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept, the latest.
    pub keep_checkpoints: usize,
}

/// The learning rate after warming up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays the highest.
    #[default]
    Constant,
    /// Falls along half a cosine to a tenth of the highest at the last step.
    Cosine,
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The model's size.
    #[error("`preset`: {0}")]
    Preset(#[from] ConfigError),
    /// A number is out of range.
    #[error("`{field}` is {value}; {allowed}")]
    OutOfRange {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            preset: "v1".to_owned(),
            device: Device::Cpu,
            seed: 0,
            steps: 10_000,
            micro_batch: 2,
            accumulation: 64,
            learning_rate: 1e-4,
            warm_up_steps: 0,
            schedule: Schedule::Constant,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: None,
            dropout: 0.1,
            evaluate_every: 500,
            patience: None,
            checkpoint_every: 500,
            keep_checkpoints: 3,
        }
    }
}

impl TrainConfig {
    /// Checks every setting, and gives the model's size.
    ///
    /// # Errors
    /// [`BadConfig`], which names the first setting that cannot be.
    pub fn check(&self) -> Result<ModelConfig, BadConfig> {
        let model = ModelConfig::preset(&self.preset)?;
        let rule = |field, holds: bool, value: &dyn fmt::Display, allowed| match holds {
            true => Ok(()),
            false => Err(BadConfig::OutOfRange {
                field,
                value: value.to_string(),
                allowed,
            }),
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let fraction = |value: f64| (0.0..1.0).contains(&value);
        let (rate, epsilon) = (self.learning_rate, f64::from(self.epsilon));
        let (beta_1, beta_2) = (f64::from(self.beta_1), f64::from(self.beta_2));
        let decay = f64::from(self.weight_decay);
        let clip = self.clip_norm.unwrap_or(1.0);
        let patience = self.patience.unwrap_or(1);
        const ABOVE_0: &str = "it must be above 0";
        const FROM_0_TO_1: &str = "it must be from 0 to below 1";
        rule("steps", self.steps > 0, &self.steps, ABOVE_0)?;
        rule(
            "micro_batch",
            (1..=65_536).contains(&self.micro_batch),
            &self.micro_batch,
            "it must be from 1 to 65,536",
        )?;
        rule(
            "accumulation",
            (1..=65_536).contains(&self.accumulation),
            &self.accumulation,
            "it must be from 1 to 65,536",
        )?;
        rule("learning_rate", positive(rate), &rate, ABOVE_0)?;
        rule("beta_1", fraction(beta_1), &beta_1, FROM_0_TO_1)?;
        rule("beta_2", fraction(beta_2), &beta_2, FROM_0_TO_1)?;
        rule("epsilon", positive(epsilon), &epsilon, ABOVE_0)?;
        rule(
            "weight_decay",
            decay.is_finite() && decay >= 0.0,
            &decay,
            "it must be 0 or above",
        )?;
        rule("clip_norm", positive(clip), &clip, ABOVE_0)?;
        rule(
            "dropout",
            fraction(self.dropout),
            &self.dropout,
            FROM_0_TO_1,
        )?;
        rule("patience", patience > 0, &patience, ABOVE_0)?;
        rule(
            "keep_checkpoints",
            self.keep_checkpoints > 0,
            &self.keep_checkpoints,
            ABOVE_0,
        )?;
        Ok(model)
    }

    /// Sequences of one step.
    pub fn sequences_per_step(&self) -> usize {
        self.micro_batch * self.accumulation
    }

    /// The learning rate of a step; the first is number 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up_steps {
            return self.learning_rate * (step + 1) as f64 / self.warm_up_steps as f64;
        }
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                // The last step has the lowest rate.
                let length = self.steps.saturating_sub(self.warm_up_steps + 1).max(1);
                let part = (step - self.warm_up_steps) as f64 / length as f64;
                let wave = 0.5 + 0.5 * (std::f64::consts::PI * part.min(1.0)).cos();
                self.learning_rate * (LOWEST + (1.0 - LOWEST) * wave)
            }
        }
    }

    /// The first setting that differs from `other` and would give other weights.
    pub(crate) fn difference(&self, other: &Self) -> Option<Difference> {
        let mut other = other.clone();
        // These may change between the parts of a run.
        other.device = self.device;
        other.evaluate_every = self.evaluate_every;
        other.patience = self.patience;
        other.checkpoint_every = self.checkpoint_every;
        other.keep_checkpoints = self.keep_checkpoints;
        if self.schedule == Schedule::Constant {
            other.steps = self.steps;
        }
        difference(self, &other)
    }
}

/// The first field whose value differs.
pub(crate) fn difference<T: Serialize>(now: &T, was: &T) -> Option<Difference> {
    let fields = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let theirs = fields(was);
    let mut ours = fields(now).into_iter();
    ours.find(|(field, value)| theirs.get(field) != Some(value))
        .map(|(field, now)| Difference {
            was: theirs
                .get(&field)
                .map(ToString::to_string)
                .unwrap_or_default(),
            now: now.to_string(),
            field,
        })
}

/// A setting that is not what it was.
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) was: String,
    pub(crate) now: String,
}

/// The last rate of a cosine, as a part of the highest.
const LOWEST: f64 = 0.1;

/// A device by its name.
mod by_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use soma_model::Device;

    pub(super) fn serialize<S: Serializer>(device: &Device, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(device)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Device, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Spoil = fn(&mut TrainConfig);

    #[test]
    fn every_setting_is_checked_by_name() {
        TrainConfig::default().check().unwrap();
        let bad: [(&str, Spoil); 13] = [
            ("preset", |c| c.preset = "huge".to_owned()),
            ("steps", |c| c.steps = 0),
            ("micro_batch", |c| c.micro_batch = 0),
            ("accumulation", |c| c.accumulation = 0),
            ("learning_rate", |c| c.learning_rate = f64::NAN),
            ("beta_1", |c| c.beta_1 = 1.0),
            ("beta_2", |c| c.beta_2 = -0.1),
            ("epsilon", |c| c.epsilon = 0.0),
            ("weight_decay", |c| c.weight_decay = f32::INFINITY),
            ("clip_norm", |c| c.clip_norm = Some(0.0)),
            ("dropout", |c| c.dropout = 1.0),
            ("patience", |c| c.patience = Some(0)),
            ("keep_checkpoints", |c| c.keep_checkpoints = 0),
        ];
        for (field, spoil) in bad {
            let mut config = TrainConfig::default();
            spoil(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{field}`")), "{error}");
        }
    }

    #[test]
    fn settings_are_written_and_read_back_and_unknown_ones_refused() {
        let config = TrainConfig {
            device: Device::Cuda(1),
            schedule: Schedule::Cosine,
            ..TrainConfig::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert!(text.contains("\"cuda:1\"") && text.contains("\"cosine\""));
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), config);
        let error = serde_json::from_str::<TrainConfig>("{\"step\": 1}").unwrap_err();
        assert!(error.to_string().contains("`step`"));
    }

    #[test]
    fn the_rate_rises_and_falls_as_it_should() {
        let mut config = TrainConfig {
            steps: 21,
            warm_up_steps: 10,
            learning_rate: 1.0,
            ..TrainConfig::default()
        };
        assert_eq!(config.rate(0), 0.1);
        assert_eq!(
            (config.rate(9), config.rate(10), config.rate(20)),
            (1.0, 1.0, 1.0)
        );
        config.schedule = Schedule::Cosine;
        assert_eq!(config.rate(10), 1.0);
        assert!((config.rate(15) - 0.55).abs() < 1e-9);
        assert!((config.rate(20) - 0.1).abs() < 1e-9);
        assert!((config.rate(30) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_shape_the_weights_may_change() {
        let was = TrainConfig::default();
        let mut now = TrainConfig {
            steps: 7,
            device: Device::Wgpu(None),
            patience: Some(3),
            checkpoint_every: 1,
            ..TrainConfig::default()
        };
        assert!(now.difference(&was).is_none());
        now.dropout = 0.0;
        let difference = now.difference(&was).unwrap();
        assert_eq!((&*difference.field, &*difference.was), ("dropout", "0.1"));
    }
}
