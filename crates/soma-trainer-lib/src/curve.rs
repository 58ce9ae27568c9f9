//! The curve of a run: a line for every step, as CSV.

use std::fmt::Write as _;

use crate::events::{EvaluationReport, StepReport};

/// One step on the curve. Evaluations are on the line of their step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CurvePoint {
    /// Steps done.
    pub step: u64,
    /// Loss of the step.
    pub loss: f64,
    /// Cross-entropy of the step, in nats for each predicted token.
    pub cross_entropy: f64,
    /// SIGReg of the step, without its factor.
    pub sig_reg: f64,
    /// Norm of the gradients, before clipping.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Bits per byte and loss on held-out data, where they were measured.
    pub held_out: Option<[f64; 2]>,
}

const HEADER: &str = "step,loss,cross_entropy,sig_reg,gradient_norm,learning_rate,\
                      held_out_bits_per_byte,held_out_loss";

/// All steps of a run so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    points: Vec<CurvePoint>,
}

impl Curve {
    /// The points, in the order of steps.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    pub(crate) fn step(&mut self, report: &StepReport) {
        self.points.push(CurvePoint {
            step: report.step,
            loss: report.loss,
            cross_entropy: report.cross_entropy,
            sig_reg: report.sig_reg,
            gradient_norm: report.gradient_norm,
            learning_rate: report.learning_rate,
            held_out: None,
        });
    }

    pub(crate) fn evaluated(&mut self, report: &EvaluationReport) {
        let last = self.points.last_mut();
        if let Some(point) = last.filter(|point| point.step == report.step) {
            point.held_out = Some([report.held_out.bits_per_byte, report.held_out.loss]);
        }
    }

    /// The curve as CSV; numbers are written so that they are read back the same.
    pub fn to_csv(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for point in &self.points {
            let CurvePoint {
                step,
                loss,
                cross_entropy,
                sig_reg,
                gradient_norm,
                learning_rate,
                held_out,
            } = point;
            let [bits, held_out_loss] = match held_out {
                Some(numbers) => numbers.map(|number| number.to_string()),
                None => Default::default(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{step},{loss},{cross_entropy},{sig_reg},{gradient_norm},{learning_rate},{bits},\
                 {held_out_loss}"
            );
        }
        text
    }

    /// Reads what [`to_csv`](Self::to_csv) wrote.
    ///
    /// # Errors
    /// Which line is wrong.
    pub fn from_csv(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err("its first line is not that of a curve".to_owned());
        }
        let points = lines.enumerate().map(|(number, line)| {
            point(line).ok_or_else(|| format!("line {} is no point of a curve", number + 2))
        });
        let points = points.collect::<Result<_, _>>()?;
        Ok(Self { points })
    }
}

fn point(line: &str) -> Option<CurvePoint> {
    let fields: Vec<&str> = line.split(',').collect();
    let [step, numbers @ .., bits, held_out_loss] = &fields[..] else {
        return None;
    };
    let numbers: Vec<f64> = numbers
        .iter()
        .map(|text| text.parse().ok())
        .collect::<Option<_>>()?;
    let &[loss, cross_entropy, sig_reg, gradient_norm, learning_rate] = &numbers[..] else {
        return None;
    };
    let held_out = match (*bits, *held_out_loss) {
        ("", "") => None,
        (bits, loss) => Some([bits.parse().ok()?, loss.parse().ok()?]),
    };
    Some(CurvePoint {
        step: step.parse().ok()?,
        loss,
        cross_entropy,
        sig_reg,
        gradient_norm,
        learning_rate,
        held_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_back_as_it_was() {
        let point = |step: u64, held_out| CurvePoint {
            step,
            loss: 1.0 / 3.0,
            cross_entropy: 5.5e-7,
            sig_reg: 12.0,
            gradient_norm: f64::MIN_POSITIVE,
            learning_rate: 1e-4,
            held_out,
        };
        let points = vec![point(1, None), point(2, Some([1.0 / 7.0, 3.0]))];
        let curve = Curve { points };
        assert_eq!(Curve::from_csv(&curve.to_csv()), Ok(curve));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let text = format!("{HEADER}\n1,2,3,4,5,6,,\n2,2,3,4,5\n");
        assert!(Curve::from_csv(&text).unwrap_err().starts_with("line 3"));
        assert!(
            Curve::from_csv("step\n")
                .unwrap_err()
                .contains("first line")
        );
    }
}
