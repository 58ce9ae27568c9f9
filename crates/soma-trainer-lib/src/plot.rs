//! The curve of a run as a picture.

use std::path::Path;

use ab_glyph::{Font, FontRef, ScaleFont, point};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::TrainError;
use crate::curve::Curve;

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

const SIZE: (u32, u32) = (900, 520);
/// Room for numbers and names: top, bottom, left, right.
const MARGINS: [i32; 4] = [40, 50, 70, 20];
const TRAINING: RGBColor = RGBColor(86, 180, 233);
const HELD_OUT: RGBColor = RGBColor(213, 94, 0);
/// More steps than this are drawn as means of neighbours.
const POINTS: usize = 800;
const TEXT_HEIGHT: f32 = 15.0;

/// Draws bits per byte over steps, in training and on held-out data, as a PNG; nothing where no
/// step is done.
///
/// # Errors
/// [`TrainError::Plot`].
pub fn draw(curve: &Curve, path: &Path) -> Result<(), TrainError> {
    if curve.points().is_empty() {
        return Ok(());
    }
    draw_to(curve, path).map_err(|error| TrainError::Plot {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn draw_to(curve: &Curve, path: &Path) -> Drawn {
    let (training, held_out) = (training(curve), held_out(curve));
    let all = || training.iter().chain(&held_out).map(|(_, bits)| *bits);
    let highest = all().fold(f64::MIN_POSITIVE, f64::max);
    let lowest = all().fold(highest, f64::min);
    let room = (highest - lowest).max(0.01 * highest) * 0.05;
    let last = curve.points().last().map_or(1, |point| point.step) as f64;
    let (steps, bits) = (0.0..last, (lowest - room).max(0.0)..highest + room);

    let canvas = BitMapBackend::new(path, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let [top, bottom, left, right] = MARGINS;
    let inner = canvas.margin(top, bottom, left, right);
    let mut chart = ChartBuilder::on(&inner).build_cartesian_2d(steps.clone(), bits.clone())?;
    let style = ShapeStyle::from(&BLACK.mix(0.12));
    let (xs, ys) = (ticks(steps.clone()), ticks(bits.clone()));
    let text = Text::new()?;
    for x in &xs {
        let line = [(*x, bits.start), (*x, bits.end)];
        chart.draw_series(LineSeries::new(line, style))?;
        let (at, _) = chart.backend_coord(&(*x, bits.start));
        let label = format!("{x}");
        let place = at - text.width(&label) / 2;
        text.draw(&canvas, &label, (place, SIZE.1 as i32 - bottom + 8))?;
    }
    for y in &ys {
        let line = [(0.0, *y), (last, *y)];
        chart.draw_series(LineSeries::new(line, style))?;
        let (_, at) = chart.backend_coord(&(0.0, *y));
        let label = format!("{y:.decimals$}", decimals = decimals(&ys));
        let place = left - 8 - text.width(&label);
        text.draw(&canvas, &label, (place, at - TEXT_HEIGHT as i32 / 2))?;
    }
    chart.draw_series(LineSeries::new(training, TRAINING.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(held_out, HELD_OUT.stroke_width(2)))?;
    text.draw(&canvas, "step", (SIZE.0 as i32 / 2, SIZE.1 as i32 - 24))?;
    text.draw(&canvas, "bits per byte", (8, 10))?;
    for (place, (name, colour)) in [("training", TRAINING), ("held-out", HELD_OUT)]
        .into_iter()
        .enumerate()
    {
        let x = SIZE.0 as i32 - 260 + 130 * place as i32;
        let line = PathElement::new([(x, 18), (x + 24, 18)], colour.stroke_width(3));
        canvas.draw(&line)?;
        text.draw(&canvas, name, (x + 32, 10))?;
    }
    canvas.present()?;
    Ok(())
}

/// Bits for each predicted token of training, as means over up to [`POINTS`] parts of the run.
fn training(curve: &Curve) -> Vec<(f64, f64)> {
    let points = curve.points();
    let parts = points.chunks(points.len().div_ceil(POINTS).max(1));
    parts
        .map(|part| {
            let count = part.len() as f64;
            let steps = part.iter().map(|point| point.step as f64).sum::<f64>();
            let nats = part.iter().map(|point| point.cross_entropy).sum::<f64>();
            (steps / count, nats / count / std::f64::consts::LN_2)
        })
        .collect()
}

fn held_out(curve: &Curve) -> Vec<(f64, f64)> {
    let points = curve.points().iter();
    points
        .filter_map(|point| Some((point.step as f64, point.held_out?[0])))
        .collect()
}

/// Round numbers in a range.
fn ticks(range: std::ops::Range<f64>) -> Vec<f64> {
    RangedCoordf64::from(range).key_points(BoldPoints(8))
}

/// Digits after the point that tell ticks apart.
fn decimals(ticks: &[f64]) -> usize {
    let distance = ticks.windows(2).map(|pair| pair[1] - pair[0]).next();
    let digits = (-distance.unwrap_or(1.0).log10()).ceil();
    digits.clamp(0.0, 6.0) as usize
}

/// Text of one size, drawn without what the system has installed.
struct Text(FontRef<'static>);

impl Text {
    fn new() -> Result<Self, ab_glyph::InvalidFont> {
        FontRef::try_from_slice(epaint_default_fonts::HACK_REGULAR).map(Self)
    }

    fn width(&self, text: &str) -> i32 {
        let font = self.0.as_scaled(TEXT_HEIGHT);
        text.chars()
            .map(|letter| font.h_advance(font.glyph_id(letter)))
            .sum::<f32>() as i32
    }

    /// Draws `text` with its upper left corner at `place`.
    fn draw(&self, canvas: &Canvas<'_>, text: &str, place: (i32, i32)) -> Drawn {
        let font = self.0.as_scaled(TEXT_HEIGHT);
        let mut x = place.0 as f32;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            let baseline = place.1 as f32 + font.ascent();
            let glyph = id.with_scale_and_position(TEXT_HEIGHT, point(x, baseline));
            x += font.h_advance(id);
            let Some(outline) = self.0.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            let mut problem = None;
            outline.draw(|column, row, coverage| {
                let at = (
                    corner.x as i32 + column as i32,
                    corner.y as i32 + row as i32,
                );
                let colour = BLACK.mix(f64::from(coverage.clamp(0.0, 1.0)));
                if let Err(error) = canvas.draw_pixel(at, &colour) {
                    problem = Some(error);
                }
            });
            if let Some(error) = problem {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
